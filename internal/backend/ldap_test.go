package backend

import (
	"bytes"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/go-ldap/ldap/v3"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// directory opens a directory on a slapd, as change says.
func directory(t testing.TB, s *slapdtest.Server, change ...func(*LDAPConfig)) *LDAP {
	t.Helper()
	c := LDAPConfig{
		URL: s.URL(), StartTLS: true, CACert: s.CACert(),
		BindDN: slapdtest.BindDN, BindPassword: token.NewPassword(slapdtest.BindPassword),
		UserBase: slapdtest.People,
	}
	for _, f := range change {
		f(&c)
	}
	l, err := NewLDAP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// login is Find and Verify.
func login(t testing.TB, d Directory, name, password string) (Person, error) {
	t.Helper()
	p, err := d.Find(t.Context(), name)
	if err != nil {
		return p, err
	}
	return d.Verify(t.Context(), p, token.NewPassword(password))
}

func TestARightPasswordLogsInAndNoOtherDoes(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "wonder land"), slapdtest.User("mute", ""))
	l := directory(t, s)
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"alice", "wonder land", nil},
		{"ALICE", "wonder land", nil},
		{"  alice ", "wonder land", nil},
		{"alice", "wonder land ", token.ErrCredentials},
		{"alice", "Wonder land", token.ErrCredentials},
		{"alice", "", token.ErrCredentials},
		{"alice", "\x00", token.ErrCredentials},
		{"alice", "wonder land\x00", token.ErrCredentials},
		{"mute", "any", token.ErrCredentials},
		{"mute", "", token.ErrCredentials},
		{"bob", "wonder land", token.ErrUnknown},
		{"service", slapdtest.BindPassword, token.ErrUnknown}, // not under the base of users
		{"", "", token.ErrUnknown},
	} {
		p, err := login(t, l, c.name, c.password)
		if !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.name, c.password, err, c.want)
		}
		if c.want == nil && (p.Name != "alice" || p.DN != slapdtest.UserDN("alice") || len(p.ID) != len("entryUUID=")+36) {
			t.Errorf("%q: %+v", c.name, p)
		}
	}
}

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// logged has a directory log into the journal it returns.
func logged() (*journal, func(*LDAPConfig)) {
	j := new(journal)
	return j, func(c *LDAPConfig) { c.Log = slog.New(slog.NewTextHandler(j, nil)) }
}

func TestANameIsSpelledAsTheDirectoryDoes(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("Alice  Liddell", "a", "al", "Pleasance"), slapdtest.User("Ärger", "b"))
	j, log := logged()
	byMail := func(c *LDAPConfig) { c.UserFilter = "(|(uid={name})(cn={name}))"; c.NameAttribute = "uid" }
	l := directory(t, s, log, byMail)
	for typed, want := range map[string]string{
		"alice liddell": "Alice  Liddell",
		"AL":            "Alice  Liddell",
		"pleasance":     "Alice  Liddell",
		"äRGER":         "Ärger",
	} {
		p, err := l.Find(t.Context(), typed)
		if err != nil || p.Name != want {
			t.Errorf("%q is %q, %v; want %q", typed, p.Name, err, want)
		}
	}
	nameless := directory(t, s, log, func(c *LDAPConfig) { c.NameAttribute = "telephoneNumber" })
	if _, err := nameless.Find(t.Context(), "al"); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("without a name: %v", err)
	}
	if !strings.Contains(j.String(), "no usable name") || !strings.Contains(j.String(), "telephoneNumber") {
		t.Errorf("the log says nothing of it: %s", j)
	}
}

func TestAnIDStaysWhenSomebodyIsRenamed(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"), slapdtest.User("bob", "b"))
	l := directory(t, s)
	alice, err := l.Find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	s.Rename(slapdtest.UserDN("alice"), "uid=carol")
	carol, err := l.Find(t.Context(), "carol")
	if err != nil || carol.ID != alice.ID || carol.ID == "" || carol.Name != "carol" || carol.DN == alice.DN {
		t.Errorf("%+v became %+v, %v", alice, carol, err)
	}
	if bob, err := l.Find(t.Context(), "bob"); err != nil || bob.ID == alice.ID {
		t.Errorf("%+v, %v", bob, err)
	}
	if _, err := l.Verify(t.Context(), alice, token.NewPassword("a")); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("the entry that is gone: %v", err)
	}
	j, log := logged()
	tellsNone := directory(t, s, log, func(c *LDAPConfig) { c.IDAttribute = "telephoneNumber" })
	if p, err := tellsNone.Find(t.Context(), "bob"); !errors.Is(err, token.ErrUnavailable) || !strings.Contains(j.String(), "id_attribute=telephoneNumber") {
		t.Errorf("without an id: %+v, %v; log %s", p, err, j)
	}
	byDN := directory(t, s, func(c *LDAPConfig) { c.IDAttribute = "dn" })
	if p, err := byDN.Find(t.Context(), "bob"); err != nil || p.ID != "dn="+slapdtest.UserDN("bob") {
		t.Errorf("by the DN: %+v, %v", p, err)
	}
}

func TestOfSeveralNamesTheOneInTheDNCountsElseTheFirstInTheAlphabet(t *testing.T) {
	for _, c := range []struct {
		dn     string
		values []string
		want   string
	}{
		{"uid=b,dc=x", []string{"a", "b"}, "b"},
		{"cn=b,dc=x", []string{"b", "a"}, "a"},
		{"UID=b+cn=c,dc=x", []string{"a", "b"}, "b"},
		{"uid=gone,dc=x", []string{"z", "b"}, "b"},
		{"cn=b,dc=x", nil, ""},
		{"no dn", []string{"b", "a"}, "a"},
	} {
		if got := canonical("uid", ldap.NewEntry(c.dn, map[string][]string{"uid": c.values})); got != c.want {
			t.Errorf("%s %q is %q", c.dn, c.values, got)
		}
	}
}

func TestAnObjectGUIDIsReadInMicrosoftsOrder(t *testing.T) {
	b, err := hex.DecodeString("33221100554477668899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ attribute, value, want string }{
		{"objectGUID", string(b), "00112233-4455-6677-8899-aabbccddeeff"},
		{"OBJECTguid", string(b), "00112233-4455-6677-8899-aabbccddeeff"},
		{"GUID", string(b), "33221100554477668899aabbccddeeff"},
		{"objectGUID", "short", "short"},
		{"entryUUID", "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"},
		{"entryUUID", "", ""},
	} {
		if got := entryID(c.attribute, ldap.NewEntry("cn=a", map[string][]string{c.attribute: {c.value}})); got != c.want {
			t.Errorf("%s %q is %q, want %q", c.attribute, c.value, got, c.want)
		}
	}
}

func TestANameThatSeveralEntriesHaveIsNobodys(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	j, log := logged()
	l := directory(t, s, log)
	if _, err := login(t, l, "alice", "a"); err != nil {
		t.Fatal(err)
	}
	for _, ou := range []string{"north", "south"} { // two entries, then three
		base := "ou=" + ou + "," + slapdtest.People
		twin := slapdtest.User("alice", "a")
		twin.DN = "uid=alice," + base
		s.Add(slapdtest.Entry{DN: base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}}}, twin)
		if p, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("with %s: %+v, %v", ou, p, err)
		}
	}
	if got := strings.Count(j.String(), "more than one entry"); got != 2 {
		t.Errorf("the log says so %d times: %s", got, j)
	}
}

func TestGroupsGiveRolesAndPolicies(t *testing.T) {
	odd := `o'hara, "x" (y)*\z+{dn}`
	s := slapdtest.New(
		t, slapdtest.User("alice", "a"), slapdtest.User("bob", "b"), slapdtest.User("carol", "c"), slapdtest.User(odd, "d"),
		slapdtest.Group("admins", "alice", odd), slapdtest.Group("Café, owners", "alice", "bob"),
		slapdtest.PosixGroup("staff", "bob", odd), slapdtest.Group("unmapped", "carol"),
	)
	mapped := func(c *LDAPConfig) {
		c.Roles = map[string][]string{
			"admin": {"CN=Admins, OU=groups,dc=EXAMPLE,dc=org"},
			"user":  {slapdtest.GroupDN("staff"), slapdtest.GroupDN("admins"), slapdtest.GroupDN("caf\u00c9, owners")},
			"ghost": {slapdtest.GroupDN("nobody")},
		}
		c.Policies = map[string][]string{
			"p2": {slapdtest.GroupDN("admins")},
			"p1": {slapdtest.GroupDN("staff"), "cn=caf\\c3\\a9\\2c owners," + slapdtest.Groups},
		}
	}
	searched := directory(t, s, mapped, func(c *LDAPConfig) { c.GroupBase = slapdtest.Groups })
	attribute := directory(t, s, mapped)
	neither := directory(t, s, func(c *LDAPConfig) { c.GroupBase = "ou=nowhere," + slapdtest.Base })
	narrow := directory(t, s, mapped, func(c *LDAPConfig) { c.GroupBase, c.GroupFilter = slapdtest.Groups, "(memberUid={name})" })
	for _, c := range []struct {
		l               *LDAP
		name, password  string
		roles, policies []string
	}{
		{searched, "alice", "a", []string{"admin", "user"}, []string{"p1", "p2"}},
		{searched, "bob", "b", []string{"user"}, []string{"p1"}},
		{searched, "carol", "c", nil, nil},
		{searched, odd, "d", []string{"admin", "user"}, []string{"p1", "p2"}},
		{attribute, "alice", "a", []string{"admin", "user"}, []string{"p1", "p2"}},
		{attribute, odd, "d", []string{"admin", "user"}, []string{"p2"}},
		{attribute, "carol", "c", nil, nil},
		{neither, "alice", "a", nil, nil},
		{narrow, odd, "d", []string{"admin", "user"}, []string{"p1", "p2"}},
	} {
		p, err := login(t, c.l, c.name, c.password)
		if err != nil || !slices.Equal(p.Roles, c.roles) || !slices.Equal(p.Policies, c.policies) {
			t.Errorf("%s of %q: %q %q, %v; want %q %q", c.name, c.l.GroupBase, p.Roles, p.Policies, err, c.roles, c.policies)
		}
	}
	if p, err := searched.Find(t.Context(), "alice"); err != nil || p.Roles != nil || p.Policies != nil {
		t.Errorf("without a password: %+v, %v", p, err)
	}
	broken := directory(t, s, mapped, func(c *LDAPConfig) { c.GroupBase = "ou=nowhere," + slapdtest.Base })
	if _, err := login(t, broken, "alice", "a"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("groups that cannot be learnt: %v", err)
	}
	if _, err := login(t, broken, "alice", "b"); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("a wrong password all the same: %v", err)
	}
}

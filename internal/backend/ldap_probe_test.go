package backend_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestWhatIsNotInADirectoryIsToldByTheKeyThatNamesIt(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("olga", "0lga"), slapdtest.Group("chiefs", "olga"))
	good := backend.LDAPConfig{
		URL: s.URL(), UserBase: slapdtest.People, GroupBase: slapdtest.Groups, BindDN: slapdtest.BindDN,
		BindPassword: token.NewPassword(slapdtest.BindPassword), Timeout: 3,
		Roles: map[string][]string{"admin": {slapdtest.GroupDN("chiefs")}},
	}
	for name, c := range map[string]struct {
		change func(*backend.LDAPConfig)
		doubts []string
		err    string
	}{
		"nothing":      {func(*backend.LDAPConfig) {}, nil, ""},
		"a user base":  {func(c *backend.LDAPConfig) { c.UserBase = "ou=peeple," + slapdtest.Base }, nil, "user_base = ou=peeple," + slapdtest.Base + ": there is no such entry"},
		"a group base": {func(c *backend.LDAPConfig) { c.GroupBase = "ou=x," + slapdtest.Base }, nil, "group_base = ou=x," + slapdtest.Base + ": there is no such entry"},
		"groups": {func(c *backend.LDAPConfig) {
			c.Roles = map[string][]string{"admin": {slapdtest.GroupDN("chiefs"), slapdtest.GroupDN("chefs")}}
			c.Policies = map[string][]string{"desk": {slapdtest.GroupDN("dsk")}}
		}, []string{"policy_desk: there is no group " + slapdtest.GroupDN("dsk"), "role_admin: there is no group " + slapdtest.GroupDN("chefs")}, ""},
		"attributes": {func(c *backend.LDAPConfig) {
			c.NameAttribute, c.IDAttribute = "uidd", "objectGUID"
			c.UserFilter = "(&(objectClass=person)(!(locked=TRUE))(|(cn={name})(mial={name})(sn~={name})))"
		}, []string{
			"name_attribute: no entry under " + slapdtest.People + " has an attribute uidd",
			"id_attribute: no entry under " + slapdtest.People + " has an attribute objectGUID",
			"user_filter: no entry under " + slapdtest.People + " has an attribute mial",
		}, ""},
		"a DN as ID":   {func(c *backend.LDAPConfig) { c.IDAttribute = "DN" }, nil, ""},
		"one server":   {func(c *backend.LDAPConfig) { c.URL = "ldap://127.0.0.1:1 " + s.URL() }, []string{"url: ldap://127.0.0.1:1: dial tcp"}, ""},
		"every server": {func(c *backend.LDAPConfig) { c.URL = "ldap://127.0.0.1:1" }, nil, "ldap://127.0.0.1:1: dial tcp"},
		"its own login": {
			func(c *backend.LDAPConfig) { c.BindPassword = token.NewPassword("canary") }, nil,
			s.URL() + ": the directory refuses bind_dn = " + slapdtest.BindDN,
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			c.change(&config)
			l, err := backend.NewLDAP(config)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			doubts, err := l.Probe(t.Context())
			if !slices.EqualFunc(doubts, c.doubts, strings.HasPrefix) {
				t.Errorf("the doubts are %q, want %q", doubts, c.doubts)
			}
			if (err != nil) != (c.err != "") || err != nil && (!strings.HasPrefix(err.Error(), c.err) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
		})
	}
}

func TestADirectoryWithoutPeopleIsNotDoubtedForTheirAttributes(t *testing.T) {
	s := slapdtest.New(t)
	l, err := backend.NewLDAP(backend.LDAPConfig{
		URL: s.URL(), UserBase: slapdtest.People, BindDN: slapdtest.BindDN, BindPassword: token.NewPassword(slapdtest.BindPassword),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if doubts, err := l.Probe(t.Context()); err != nil || len(doubts) > 0 {
		t.Errorf("%q %v", doubts, err)
	}
}

func TestADNThatLooksLikeSeveralIsDoubted(t *testing.T) {
	for dn, doubted := range map[string]bool{
		"cn=a,ou=groups,dc=x,dc=y":      false,
		"cn=a":                          false,
		"cn=a,dc=x,dc=y,cn=b,dc=x,dc=y": true,
		"cn=a,DC=x,ou=groups,DC=x":      true,
		`cn=a\,dc\=x\,cn\=b,dc=x`:       false,
		"cn=a,ou=b,o=c,cn=d,ou=b,o=c":   false, // nobody can tell
		"cn=a+ou=b,dc=x":                false,
		"dc=z,dc=x":                     false,
	} {
		doubts := backend.LDAPConfig{Policies: map[string][]string{"desk": {dn}}}.Doubts()
		if (len(doubts) == 1) != doubted || doubted && !strings.HasPrefix(doubts[0], "policy_desk: "+dn+" looks like more than one DN") {
			t.Errorf("%s: %q, want %v", dn, doubts, doubted)
		}
	}
}

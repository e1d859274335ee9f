package daemon

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
)

func TestABackendIsTriedWithoutAPassword(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("olga", "0lga"), slapdtest.User("ann", "4nn"), slapdtest.User("marco", "m4rco"),
		slapdtest.Group("chiefs", "olga"), slapdtest.PosixGroup("night", "olga"))
	file := configure(t, t.TempDir(), "[backend local]\nrole = admin\n"+directoryIni(t, s, "timeout = 2s\npolicy = everybody\ngroup_base = "+slapdtest.Groups+
		"\nrole_admin = "+slapdtest.GroupDN("chiefs")+"\npolicy_desk = "+slapdtest.GroupDN("chiefs")+"\n"))
	try := func(place, name string) entrant {
		t.Helper()
		var e entrant
		text := mustConfigured(t, file, "backend", "test", place, name, "-f", "json")
		if err := json.Unmarshal([]byte(text), &e); err != nil || strings.Contains(text, "null") {
			t.Fatalf("%s %v", text, err)
		}
		return e
	}
	groups := []string{slapdtest.GroupDN("chiefs"), slapdtest.GroupDN("night")}
	before := try("corp", "OLGA") // there is no store yet
	if before.Name != "olga" || before.DN != slapdtest.UserDN("olga") || !strings.HasPrefix(before.ID, "entryUUID=") || !slices.Equal(before.Groups, groups) ||
		!slices.Equal(before.Roles, []string{"admin"}) || !slices.Equal(before.Policies, []string{"desk", "everybody"}) || !slices.Equal(before.Missing, before.Policies) {
		t.Errorf("without a store: %+v", before)
	}
	for _, args := range [][]string{
		{"policy", "add", "desk", "--acl", "desk.{{ username }}.{{ uuid }}"},
		{"policy", "add", "everybody", "--acl", "a.#"},
		{"user", "add", "marco", "--password-stdin", "--acl", "own"},
	} {
		mustConfigured(t, file, args...)
	}
	if e := try("corp", "olga"); !slices.Equal(e.ACL, []string{"desk.olga.UUID", "a.#"}) || len(e.Missing)+len(e.Warnings) > 0 {
		t.Errorf("with a store: %+v", e)
	}
	if e := try("corp", "ann"); !slices.Equal(e.ACL, []string{"a.#"}) || len(e.Roles)+len(e.Groups) > 0 {
		t.Errorf("without groups: %+v", e)
	}
	if e := try("corp", "marco"); len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "whose password is checked by local") {
		t.Errorf("somebody whose name a local user has: %+v", e)
	}
	if e := try("local", "marco"); !slices.Equal(e.ACL, []string{"own"}) || e.DN != "" || !slices.Equal(e.Warnings, []string{"[backend local] role = admin: who is not that is refused"}) {
		t.Errorf("a local user: %+v", e)
	}
	text := mustConfigured(t, file, "backend", "test", "corp", "olga")
	for _, want := range []string{"backend   corp\n", "\ndn        " + slapdtest.UserDN("olga") + "\n", "\nroles     admin\n", "\npolicies  desk\n          everybody\n", "\nacl       desk.olga.UUID\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if list := mustConfigured(t, file, "user", "list", "-f", "json"); strings.Count(list, `"name"`) != 1 {
		t.Errorf("trying made users: %s", list)
	}
	for _, c := range []struct{ place, name, want string }{
		{"corp", "ghost", `backend corp: user_filter (uid={name}) finds nobody called "ghost" under ` + slapdtest.People},
		{"local", "ghost", `there is no user "ghost"`},
		{"crop", "olga", `there is no backend "crop" in [server] backends, did you mean "corp"`},
	} {
		if code, stdout, stderr := configured(t, file, "backend", "test", c.place, c.name); code != exitError || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: "+c.want) {
			t.Errorf("%s %s: %d %q %q", c.place, c.name, code, stdout, stderr)
		}
	}
	s.Stop()
	if code, stdout, stderr := configured(t, file, "backend", "test", "corp", "olga"); code != exitError || stdout != "" || !strings.Contains(stderr, "ats-auth-server: backend corp: ") {
		t.Errorf("a directory that is down: %d %q %q", code, stdout, stderr)
	}
}

func TestBackendsAreListedInTheirOrder(t *testing.T) {
	file := configure(t, t.TempDir(), "[backend strict]\nrole = admin\ntenant = dev\npolicy = there\n"+corp+"policy_desk = cn=x\n")
	var got []backendView
	if err := json.Unmarshal([]byte(mustConfigured(t, file, "backend", "list", "-f", "json")), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"local local   [] ", "strict local dev admin [there] ", "corp ldap   [desk] ldap://127.0.0.1"}
	var lines []string
	for _, v := range got {
		lines = append(lines, strings.Join([]string{v.Name, v.Type, v.Tenant, v.Role, "[" + strings.Join(v.Policies, " ") + "]", v.URL}, " "))
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	if text := mustConfigured(t, file, "backend", "list"); !strings.Contains(text, "\nlocal   local  every   -      -         -\nstrict  local  dev     admin  there     -\n") {
		t.Errorf("as text:\n%s", text)
	}
}

func TestCheckTellsWhatIsMostLikelyAMistakeOfADirectory(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("olga", "0lga"), slapdtest.Group("chiefs", "olga"))
	for more, want := range map[string]string{
		"group_base = ou=nowhere," + slapdtest.Base:   "ats-auth-server: backend corp: group_base = ou=nowhere," + slapdtest.Base + ": there is no such entry",
		"role_admin = " + slapdtest.GroupDN("x"):      "warning: [backend corp] role_admin: there is no group " + slapdtest.GroupDN("x"),
		"policy_y = cn=a,dc=x,cn=b,dc=x":              "warning: [backend corp] policy_y: cn=a,dc=x,cn=b,dc=x looks like more than one DN",
		"user_filter = (uidd={name})":                 "warning: [backend corp] user_filter: no entry under " + slapdtest.People + " has an attribute uidd",
		"role_admin = " + slapdtest.GroupDN("chiefs"): "backend corp can be asked\n",
		"policy = ghost":                              "warning: [backend corp] names the policy \"ghost\", but there is none of that name in the tenant default",
	} {
		code, stdout, stderr := configured(t, configure(t, t.TempDir(), directoryIni(t, s, more+"\n")), "check") // without a store
		if (code == exitOK) != (stderr == "") || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%s: %d\n%s%s, want %q", more, code, stdout, stderr, want)
		}
	}
	ini := strings.Replace(directoryIni(t, s, ""), "url = ", "url = ldap://127.0.0.1:1, ", 1)
	if text := mustConfigured(t, configure(t, t.TempDir(), ini), "check"); !strings.Contains(text, "warning: [backend corp] url: ldap://127.0.0.1:1: dial tcp") || !strings.Contains(text, "backend corp can be asked\n") {
		t.Errorf("the first of two servers is down:\n%s", text)
	}
	ini = strings.Replace(directoryIni(t, s, ""), "start_tls = true\n", "", 1)
	if text := mustConfigured(t, configure(t, t.TempDir(), ini), "check"); !strings.Contains(text, "warning: [backend corp] cacert has no effect without TLS") {
		t.Errorf("cacert without TLS:\n%s", text)
	}
	ini = strings.Replace(directoryIni(t, s, ""), slapdtest.BindDN, "cn=stranger,"+slapdtest.Base, 1)
	if code, _, stderr := configured(t, configure(t, t.TempDir(), ini), "check"); code != exitError || !strings.Contains(stderr, "the directory refuses bind_dn = cn=stranger,"+slapdtest.Base) || strings.Contains(stderr, "unavailable") {
		t.Errorf("a login of its own that is refused: %d %q", code, stderr)
	}
}

func TestAnAddressIsToldAsItWasConfigured(t *testing.T) {
	for _, c := range []struct{ configured, want string }{
		{"0.0.0.0:0", "0.0.0.0:4711"}, {"127.0.0.1:4711", "127.0.0.1:4711"}, {"localhost:0", "localhost:4711"}, {"[::1]:0", "[::1]:4711"}, {":4711", "[::]:4711"},
	} {
		if got := spokenOf(c.configured, &net.TCPAddr{IP: net.IPv6unspecified, Port: 4711}); got != c.want {
			t.Errorf("%s: %s, want %s", c.configured, got, c.want)
		}
	}
}

package daemon

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAPolicyIsAddedShownChangedAndDeleted(t *testing.T) {
	dir := t.TempDir()
	added := shown[policyView](t, dir, "policy", "add", "operators", "--acl", "confd.users.read", "--acl", "a,b.{{ .uuid }}.#", "--description", "Of the house")
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(added.UUID) || added.Name != "operators" {
		t.Errorf("added %+v", added)
	}
	v := shown[policyView](t, dir, "policy", "show", "operators")
	if want := []string{"confd.users.read", "a,b.{{ .uuid }}.#"}; !slices.Equal(v.ACL, want) || v.Description != "Of the house" || v.UUID != added.UUID || v.Tenant != "default" {
		t.Errorf("shown %+v", v)
	}
	if text := must(t, dir, "policy", "show", "operators"); !strings.Contains(text, "\nacl          confd.users.read\n             a,b.{{ .uuid }}.#\n") {
		t.Errorf("as text:\n%s", text)
	}
	must(t, dir, "policy", "set", "operators", "--description", "Of all")
	if v := shown[policyView](t, dir, "policy", "show", "operators"); len(v.ACL) != 2 || v.Description != "Of all" {
		t.Errorf("with another description %+v", v)
	}
	must(t, dir, "policy", "set", "operators", "--acl", "!x")
	if v := shown[policyView](t, dir, "policy", "show", "operators"); !slices.Equal(v.ACL, []string{"!x"}) || v.Description != "Of all" {
		t.Errorf("with another list %+v", v)
	}
	must(t, dir, "policy", "set", "operators", "--acl", "")
	must(t, dir, "policy", "add", "nothing")
	list := shown[[]policyView](t, dir, "policy", "list")
	if len(list) != 2 || list[0].Name != "nothing" || list[1].Name != "operators" || len(list[0].ACL)+len(list[1].ACL) != 0 {
		t.Errorf("the list is %+v", list)
	}
	must(t, dir, "policy", "delete", "operators")
	if table := must(t, dir, "policy", "list"); !strings.HasPrefix(table, "NAME ") || strings.Count(table, "\n") != 2 {
		t.Errorf("what is left:\n%s", table)
	}
}

func TestWhatIsWrongWithAPolicyIsSaid(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "policy", "add", "operators", "--acl", "x")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"add", ""}, exitUsage, "the policy name is empty"},
		{[]string{"add", "operators"}, exitError, `there is a policy "operators" already`},
		{[]string{"add", strings.Repeat("x", 81)}, exitError, "policy name: want 1 to 80 printable characters"},
		{[]string{"add", "x", "--acl", strings.Repeat("x", 5000)}, exitError, "want 1 to 4096 bytes"},
		{[]string{"add", "x", "--tenant", "dev"}, exitError, `"dev"`},
		{[]string{"show", "ghost"}, exitError, `there is no policy "ghost"`},
		{[]string{"set", "ghost", "--acl", "x"}, exitError, `there is no policy "ghost"`},
		{[]string{"set", "operators"}, exitUsage, "policy set: change what?"},
		{[]string{"delete", "ghost"}, exitError, `there is no policy "ghost"`},
		{[]string{"list", "--tenant", "dev"}, exitError, `"dev"`},
	} {
		code, stdout, stderr := run(t, dir, append([]string{"policy"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d %q %q, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

func TestAUsersRightsAreGivenShownAndChanged(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "policy", "add", "operators", "--acl", "x")
	must(t, dir, "user", "add", "alice", "--password-stdin", "--acl", "confd.users.me.#", "--acl", "a,b", "--policy", "operators")
	rights := func() [2]string {
		v := shown[userView](t, dir, "user", "show", "alice")
		return [2]string{strings.Join(v.ACL, " "), strings.Join(v.Policies, " ")}
	}
	if got := rights(); got != [2]string{"confd.users.me.# a,b", "operators"} {
		t.Errorf("added %q", got)
	}
	if text := must(t, dir, "user", "show", "alice"); !strings.HasSuffix(text, "\nbackend   local\npolicies  operators\nacl       confd.users.me.#\n          a,b\n") {
		t.Errorf("as text:\n%s", text)
	}
	must(t, dir, "user", "set", "alice", "--acl", "y")
	if got := rights(); got != [2]string{"y", "operators"} {
		t.Errorf("with another list %q", got)
	}
	must(t, dir, "user", "set", "alice", "--acl", "", "--policy", "")
	if got := rights(); got != [2]string{} {
		t.Errorf("with none %q", got)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"add", "bob", "--password-stdin", "--policy", "ghost"}, exitError, `there is no policy "ghost"`},
		{[]string{"set", "alice", "--policy", "ghost"}, exitError, `there is no policy "ghost"`},
		{[]string{"set", "alice"}, exitUsage, "user set: change what?"},
		{[]string{"set", "bob", "--acl", "x"}, exitError, `there is no user "bob"`},
	} {
		code, stdout, stderr := run(t, dir, append([]string{"user"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d %q %q, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

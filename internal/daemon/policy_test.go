package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
		{[]string{"add", "x", "--acl", "confd users"}, exitError, `access string "confd users" holds white space`},
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
	if text := must(t, dir, "user", "show", "alice"); !strings.Contains(text, "\nroles     -\nbackend   local\npolicies  operators\nacl       confd.users.me.#\n          a,b\ncreated ") {
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

func TestAccessStringsThatGiveNothingAreWarnedOf(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ template, want string }{
		{"confd.users.{{ .uid }}.read", "uid is no variable; there are id, tenant, username, uuid"},
		{"confd.users.{{ uid }}.read", "uid is no variable; there are id, tenant, username, uuid"},
		{"confd.users.{{ .uuid ", "it cannot be read: a variable is written {{ uuid }}"},
		{"{% for x in y %}a{% endfor %}", "{% and {# mean nothing here"},
		{"confd.users.{{ .uuid }}.{{ id }}.{{username}}.{{ tenant }}.#", ""},
		{"!confd.me\nconfd.#", ""},
	} {
		for _, args := range [][]string{
			{"policy", "add", "p"}, {"policy", "set", "p"}, {"user", "add", "alice", "--password-stdin"}, {"user", "set", "alice"},
		} {
			code, _, stderr := run(t, dir, append(args, "--acl", c.template)...)
			warned := strings.Contains(stderr, "\nwarning: access string ") && strings.Contains(stderr, " gives nothing: "+c.want+"\n")
			if code != exitOK || warned != (c.want != "") || strings.Contains(stderr, "warning") != (c.want != "") {
				t.Errorf("%v %q: %d %q, want %q", args, c.template, code, stderr, c.want)
			}
		}
		_, stdout, _ := run(t, dir, "check")
		for _, want := range []string{"warning: policy p of the tenant default: access string ", "warning: user alice of the tenant default: access string "} {
			if strings.Contains(stdout, want) != (c.want != "") {
				t.Errorf("check with %q:\n%s", c.template, stdout)
			}
		}
		must(t, dir, "policy", "delete", "p")
		must(t, dir, "user", "delete", "alice")
	}
}

func TestWhoHasAPolicyThatIsDeletedIsTold(t *testing.T) {
	dir := t.TempDir()
	file := configure(t, dir, "[backend everybody]\npolicy = desk, other\n[backend dev]\npolicy = desk\ntenant = dev\n")
	for _, args := range [][]string{
		{"policy", "add", "desk"},
		{"policy", "add", "free"},
		{"user", "add", "ann", "--password-stdin", "--policy", "desk"},
		{"user", "add", "bob", "--password-stdin", "--policy", "desk"},
		{"user", "add", "cy", "--password-stdin"},
	} {
		if code, _, stderr := configured(t, file, args...); code != exitOK {
			t.Fatal(stderr)
		}
	}
	_, _, stderr := configured(t, file, "policy", "delete", "free")
	if strings.Contains(stderr, "warning") {
		t.Errorf("one that nobody has: %q", stderr)
	}
	code, _, stderr := configured(t, file, "policy", "delete", "desk")
	want := "policy desk deleted; tokens keep what they allow\n" +
		"warning: [backend everybody] names the policy \"desk\", which gives nothing there now\n" +
		"warning: 2 users of the tenant default with the policy \"desk\": it gives nothing, since it is not there\n"
	if code != exitOK || stderr != want {
		t.Errorf("%d %q, want %q", code, stderr, want)
	}
	if text := mustConfigured(t, file, "user", "show", "ann"); !strings.Contains(text, "\npolicies  desk (missing)\n") {
		t.Errorf("shown\n%s", text)
	}
	if text := mustConfigured(t, file, "user", "show", "ann", "-f", "json"); !strings.Contains(text, `"policies":["desk"]`) || !strings.Contains(text, `"missing_policies":["desk"]`) {
		t.Errorf("shown %s", text)
	}
	if text := mustConfigured(t, file, "check"); !strings.Contains(text, "warning: 2 users of the tenant default with the policy \"desk\"") {
		t.Errorf("checked\n%s", text)
	}
}

func mustConfigured(t *testing.T, file string, args ...string) string {
	t.Helper()
	code, stdout, stderr := configured(t, file, args...)
	if code != exitOK {
		t.Fatalf("%v: %d %q", args, code, stderr)
	}
	return stdout
}

func TestTheListOfPoliciesFitsATerminal(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "policy", "add", "operators", "--description", strings.Repeat("Über alles ", 12))
	for line := range strings.Lines(must(t, dir, "policy", "list")) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestWhatIsRefusedLeavesNoStoreBehind(t *testing.T) {
	for _, args := range [][]string{
		{"user", "add", "alice"}, // no terminal to ask on
		{"user", "add", "alice", "--generate", "--policy", "ghost"},
		{"user", "add", "alice", "--generate", "--organisation", "ghost"},
		{"user", "add", "alice", "--generate", "--tenant", "ghost"},
		{"user", "add", "al\x1bice", "--generate"},
		{"service", "add", "files"},
		{"service", "add", "files", "--generate", "--may-mint", "ghost"},
		{"policy", "add", strings.Repeat("x", 81)},
	} {
		dir := t.TempDir()
		var out, complaints strings.Builder
		e := env(&out, &complaints, args...)
		e.Environ = []string{variablePrefix + "STORE_URL=sqlite:" + filepath.Join(dir, "state", "store.db")}
		e.ReadPassword = func(context.Context, string) (string, error) { return "", errors.New("no terminal") }
		if code := Run(t.Context(), e); code == exitOK || out.Len() > 0 {
			t.Errorf("%v: %d %q", args, code, &out)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v leaves %v %v; it says %s", args, left, err, &complaints)
		}
	}
}

func TestANameThatBasicCannotCarryIsWarnedOf(t *testing.T) {
	for doors, want := range map[string]bool{"ats, wazo": true, "ats": false} {
		for name, odd := range map[string]bool{"bad:": true, "good": false} {
			file := configure(t, t.TempDir(), "")
			code, _, stderr := runWith(t, []string{variablePrefix + "SERVER_DIALECTS=" + doors}, "-c", file, "user", "add", name, "--generate")
			if code != exitOK || strings.Contains(stderr, "warning: with a colon in the name") != (want && odd) {
				t.Errorf("%q with %s: %d %q", name, doors, code, stderr)
			}
		}
	}
}

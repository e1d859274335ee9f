//go:build unix

package daemon

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestAUserHasTheGroupsOfTheList asks id, which asks the C library.
func TestAUserHasTheGroupsOfTheList(t *testing.T) {
	list, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		fields := strings.Split(line, ":")
		if len(fields) < 4 {
			continue
		}
		out, err := exec.Command("id", "-G", fields[0]).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{fields[0], fields[2]} {
			p, err := findPerson(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if text != fields[0] && strconv.Itoa(p.uid) == fields[2] {
				continue // several may have the number
			}
			got := []string{strconv.Itoa(p.gid)}
			for _, g := range p.groups {
				got = append(got, strconv.Itoa(g))
			}
			want := strings.Fields(string(out))
			slices.Sort(got)
			slices.Sort(want)
			if strconv.Itoa(p.uid) != fields[2] || !slices.Equal(got, want) {
				t.Errorf("%s is %d with %v, want %s with %v", text, p.uid, got, fields[2], want)
			}
		}
	}
}

func TestWhomTheServerIsToBeIsRefusedWhereItCannotBe(t *testing.T) {
	gid := strconv.Itoa(os.Getgid())
	for _, c := range []struct {
		user string
		uid  int
		want string // empty: nothing is to be done
	}{
		{"root", 0, ""},
		{"0", 0, ""},
		{"0:" + gid, 0, ""},
		{"0:4711", 0, "root can take on any group again"},
		{"1000:" + gid, 1000, ""},
		{"1000:4711", 1000, "only root can become another user"},
		{"root", 1000, "only root can become another user"},
		{"no-such-user", 0, "there is no such user"},
		{"no:such", 0, "neither a name nor UID nor UID:GID"},
		{"1:", 0, "neither a name nor UID nor UID:GID"},
		{":1", 0, "neither a name nor UID nor UID:GID"},
		{"1:2:3", 0, "neither a name nor UID nor UID:GID"},
		{"-1:-1", 0, "neither a name nor UID nor UID:GID"},
		{"4294967295:1", 0, "neither a name nor UID nor UID:GID"},
		{"1:4294967295", 0, "neither a name nor UID nor UID:GID"},
		{"2147480000", 0, "is not in the list of users, so that its group is to be given too: UID:GID"},
	} {
		a := &app{Env: Env{UID: c.uid}, user: c.user}
		p, err := a.person(true)
		switch {
		case p != nil, (err != nil) != (c.want != ""):
			t.Errorf("%q of %d: %+v %v, want %q", c.user, c.uid, p, err, c.want)
		case err != nil && err.Error() != "--user "+c.user+": "+c.want:
			t.Errorf("%q of %d: %v, want %q", c.user, c.uid, err, c.want)
		}
	}
	a := &app{Env: Env{UID: 0}, user: "4711:4712"}
	if p, err := a.person(true); err != nil || p == nil || p.uid != 4711 || p.gid != 4712 || len(p.groups) > 0 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestEveryCommandCanBecomeAnotherUser(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-u", "root"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"serve", "--user", "root"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"-u", "root", "serve"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"-u", "", "serve"}, exitUsage, "-u is empty: whom? a name, UID or UID:GID"},
		{[]string{"user", "list", "-u", "root"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"-u", "root", "user", "list"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"revoke", "-u", "root", "--all"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"-u", "root", "revoke", "--user", "marco"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"-u", "root", "token", "create", "--user", "marco"}, exitConfig, "--user root: only root can become another user"},
		{[]string{"user", "list", "-u", ""}, exitUsage, "-u is empty"},
		{[]string{"revoke", "--user", "marco"}, exitConfig, "there is no store"},
	} {
		code, stdout, stderr := run(t, dir, c.args...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d %q %q, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

// TestTheHelpIsThatOfTheSeed compares the flags of the first lines.
func TestTheHelpIsThatOfTheSeed(t *testing.T) {
	help := must(t, t.TempDir(), "-h")
	at := 0
	for _, want := range []string{
		"ats-auth-server [-h] [-c FILE] [-u USER] [-d] [-f] [-l LEVEL] [COMMAND]\n",
		"-h, --help ", "-c, --config FILE ", "--config-file", "-u, --user USER ", "-d, --debug ", "-f, --foreground ", "-l, --log-level LEVEL ", "critical, error, warning, info or debug",
	} {
		next := strings.Index(help[at:], want)
		if next < 0 {
			t.Fatalf("%q is not there, or not in its place:\n%s", want, help)
		}
		at += next
	}
}

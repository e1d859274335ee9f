package daemon

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAPersonalTokenIsMadeForAUserThatThereIs(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "server.ini")
	if err := os.WriteFile(config, []byte("[server]\ndialects = awx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"marco", "idle"} {
		must(t, dir, "user", "add", name, "--generate")
	}
	must(t, dir, "user", "disable", "idle")
	must(t, dir, "tenant", "add", "dev")
	must(t, dir, "user", "add", "marco", "--generate", "--tenant", "dev")
	create := func(args ...string) (code int, stdout, stderr string) {
		return run(t, dir, append([]string{"-c", config, "token", "create"}, args...)...)
	}
	long := strings.Repeat("é", 201)
	value := regexp.MustCompile(`^[0-9A-Za-z]{30}\n$`)
	code, stdout, stderr := create("--user", "marco")
	if code != exitOK || !value.MatchString(stdout) || strings.Contains(stderr, stdout[:30]) || !strings.Contains(stderr, "shown this once") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	code, stdout, _ = create("--user", "marco", "--scope", "read", "--scope", "write", "-f", "json")
	if code != exitOK || !regexp.MustCompile(`^{"token":"[0-9A-Za-z]{30}","user":"marco","scope":"read write"}\n$`).MatchString(stdout) {
		t.Errorf("%d %q", code, stdout)
	}
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"":                                   {exitUsage, "whose? --user NAME"},
		"--user nina":                        {exitError, `there is no user "nina"`},
		"--user idle":                        {exitError, `user "idle" is disabled`},
		"--user marco --tenant dev":          {exitError, `the door "awx" does not serve a tenant "dev"`},
		"--user marco --tenant nowhere":      {exitError, `no tenant "nowhere"`},
		"--user marco --scope admin":         {exitUsage, `scope "admin"`},
		"--user marco --scope=":              {exitUsage, `scope ""`},
		"--user marco --scope read,write":    {exitUsage, `scope "read,write"`},
		"--user marco --description " + long: {exitUsage, "description"},
	} {
		code, stdout, stderr := create(strings.Fields(args)...)
		if code != want.code || stdout != "" || !strings.Contains(stderr, want.says) {
			t.Errorf("%q: %d %q %q, want %d %q", args, code, stdout, stderr, want.code, want.says)
		}
	}
	if code, stdout, stderr := create("--user", "marco", "--description", strings.TrimPrefix(long, "é")); code != exitOK || !value.MatchString(stdout) {
		t.Errorf("a description of 200 characters: %d %q %q", code, stdout, stderr)
	}
	if code, stdout, stderr := run(t, dir, "token", "create", "--user", "marco"); code != exitError || stdout != "" || !strings.Contains(stderr, `the door "awx" is not open; open: ats, oauth2`) {
		t.Errorf("at a door that is not open: %d %q %q", code, stdout, stderr)
	}
}

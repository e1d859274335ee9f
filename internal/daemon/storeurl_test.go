package daemon

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestNoSpellingOfADatabaseTellsItsPassword(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"memory:":                 "memory:",
		"sqlite:/var/lib/db":      "sqlite:/var/lib/db",
		"postgres://u@h/d":        "postgres://u@h/d",
		"postgres://h:5432/d":     "postgres://h:5432/d",
		"postgres:///d?host=/run": "postgres:///d?host=/run",
		"postgres://u:s3crET@h:5432,[::1]:5433,k/d?sslmode=require": "postgres://u:<redacted>@h:5432,[::1]:5433,k/d?sslmode=require",
		"postgresql://u:s3crET@h/d?password=s3crET&x=1":             "postgresql://u:<redacted>@h/d?password=<redacted>&x=1",
		"postgres://u@h/d?p%61ssword=s3crET":                        "postgres://u@h/d?p%61ssword=<redacted>",
		"postgres://u@h/d?pass%word=s3crET":                         "postgres://u@h/d?pass%word=<redacted>",
		"postgres://u:s3@crET@h/d":                                  "postgres://u:<redacted>@h/d",
		"postgres://u:s3/crET@h/d":                                  "postgres://<redacted>",
		"postgres://u:s3crET":                                       "postgres://<redacted>",
		"postgres://h,u:s3crET/d":                                   "postgres://<redacted>",
		"postgres:u:s3crET@h/d":                                     "<redacted>",
		"postgres:/u:s3crET@h/d":                                    "<redacted>",
		"host=h user=u password=s3crET":                             "<redacted>",
		"mysql://u:s3crET@h/d":                                      "<redacted>",
		" postgres://u:s3crET@h/d":                                  "<redacted>",
	} {
		if got := maskStore(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if text == "" || !strings.Contains(text, "s3") {
			continue
		}
		dir := t.TempDir()
		for _, line := range []string{"check", "--print-config", "migrate", "user list", "migrate --from " + strings.TrimSpace(text), "backup copy.db"} {
			if strings.Contains(text, "@h") && isPostgres(text) && !strings.Contains(line, "print") && !strings.Contains(line, "--from") {
				continue // it would look for the host
			}
			_, stdout, stderr := runOn(t, text, dir, strings.Fields(line)...)
			if all := stdout + stderr; strings.Contains(all, "s3") || strings.Contains(all, "crET") || all == "" {
				t.Errorf("%s with %s says %q", line, text, all)
			}
		}
	}
}

func TestADatabaseThatNeedNotSpeakTLSIsWarnedOf(t *testing.T) {
	for _, c := range []struct{ url, environ, want string }{
		{"postgres://u@db1.example.org,db2.example.org:5432,localhost/d", "", "db1.example.org db2.example.org"},
		{"postgres://u@db.example.org/d?sslmode=prefer", "", "db.example.org"},
		{"postgres://u@db.example.org/d?sslmode=disable", "PGSSLMODE=require", "db.example.org"},
		{"postgres://u@10.0.0.1/d?x=1&sslmode=allow", "", "10.0.0.1"},
		{"postgres://u@[2001:db8::1]:5432/d", "", "2001:db8::1"},
		{"postgres:///d?host=db.example.org", "", "db.example.org"},
		{"postgres:///d", "PGHOST=db.example.org", "db.example.org"},
		{"postgres://u@db.example.org/d?sslmode=require", "", ""},
		{"postgres://u@db.example.org/d?sslmode=verify-ca", "", ""},
		{"postgres://u@db.example.org/d?sslmode=verify-full", "PGSSLMODE=disable", ""},
		{"postgres://u@db.example.org/d", "PGSSLMODE=verify-full", ""},
		{"postgres://u@127.0.0.1/d", "", ""},
		{"postgres://u@[::1]/d", "", ""},
		{"postgres://u@localhost:5432/d", "", ""},
		{"postgres://u@%2Frun%2Fpostgresql/d", "", ""},
		{"postgres:///d?host=/run/postgresql", "PGHOST=db.example.org", ""},
		{"postgres:///d", "", ""},
		{"sqlite:/x", "", ""},
	} {
		a := &app{Env: Env{Environ: []string{c.environ}}}
		if got := strings.Join(a.exposed(c.url), " "); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.url, c.environ, got, c.want)
		}
	}
	list := strings.Join((&config{exposed: []string{"db.example.org"}}).warnings(), "\n")
	if !strings.Contains(list, "what goes to db.example.org may be read on the way") {
		t.Errorf("warnings are %q", list)
	}
}

func TestAFileWithThePasswordOfADatabaseIsASecret(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such modes")
	}
	for _, c := range []struct {
		url  string
		mode os.FileMode
		code int
	}{
		{"postgres://u:canary@h/d", 0o644, exitConfig},
		{"postgres://u@h/d?password=canary", 0o640, exitConfig},
		{"postgres://u:canary@h/d", 0o600, exitOK},
		{"postgres://u@h/d", 0o644, exitOK},
		{"sqlite:/x/store.db", 0o644, exitOK},
	} {
		name := filepath.Join(t.TempDir(), "server.ini")
		if err := os.WriteFile(name, []byte("[store]\nurl = "+c.url+"\n"), c.mode); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := runOn(t, "", "", "-c", name, "--print-config")
		refused := strings.Contains(stderr, name+" holds a secret and may be read by other users") && strings.Contains(stderr, "hint: chmod 600 "+name)
		if code != c.code || refused != (c.code != exitOK) || strings.Contains(stdout+stderr, "canary") {
			t.Errorf("%s with mode %o: %d %q", c.url, c.mode, code, stderr)
		}
	}
}

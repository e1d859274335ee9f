package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

func TestACheckMakesNothingInADatabase(t *testing.T) {
	pg := pgtest.StartInMemory(t)
	url, dir, fresh := pg.URL(pg.Database(t, "")), t.TempDir(), t.TempDir()
	from := people(t, dir)
	for _, step := range []struct{ dir, line, says string }{
		{fresh, "check", "warning: the database is empty: ats-auth-server migrate, or the first server that starts, makes the schema"},
		{fresh, "check", "warning: the database is empty"},
		{fresh, "migrate", ""},
		{fresh, "check", "warning: the store has no keys yet: the first server that starts makes them"},
		{fresh, "check", "warning: the store has no keys yet"},
		{dir, "migrate --from " + from, "users "},
		{dir, "check", "keys are good"},
	} {
		if step.line == "check" && strings.Contains(step.says, "empty") {
			if has, _, err := postgres.Schema(t.Context(), postgres.Config{URL: url}); err != nil || has != 0 {
				t.Errorf("the schema has version %d, error %v", has, err)
			}
		}
		code, stdout, stderr := runOn(t, url, step.dir, strings.Fields(step.line)...)
		if code != exitOK || !strings.Contains(stdout, step.says) {
			t.Errorf("%s: %d %q %q, want %q", step.line, code, stdout, stderr, step.says)
		}
	}
	if files, err := os.ReadDir(fresh); err != nil || len(files) > 0 {
		t.Errorf("%v is made, error %v", files, err)
	}
}

func TestACheckTellsWhatTheNextStartMakesOfASchema(t *testing.T) {
	for _, c := range []struct {
		has, knows int64
		want       string
	}{
		{0, 3, "is empty"},
		{2, 3, "has version 2: ats-auth-server migrate, or the next server that starts, brings it up to 3"},
		{3, 3, ""},
		{4, 3, ""}, // it is refused when it is opened
	} {
		if got := schemaToMake(c.has, c.knows); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%d of %d: %q, want %q", c.has, c.knows, got, c.want)
		}
	}
}

func TestNoMasterKeyIsMadeForAStoreThatHasKeysUnderOne(t *testing.T) {
	dir := t.TempDir()
	from, key := people(t, dir), filepath.Join(dir, "master.key")
	if err := os.Rename(key, key+".kept"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"check", "serve", "user list", "user add olga --generate"} {
		code, stdout, stderr := runOn(t, from, dir, strings.Fields(line)...)
		if code != exitConfig || stdout != "" || !strings.Contains(stderr, "there is no master key at "+key+", and the store has keys under one: put it back there") {
			t.Errorf("%s: %d %q %q", line, code, stdout, stderr)
		}
		if !absent(os.Stat, key) {
			t.Fatalf("%s has made a master key", line)
		}
	}
	if err := os.Rename(key+".kept", key); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runOn(t, from, dir, "check"); code != exitOK {
		t.Errorf("%d %q", code, stderr)
	}
}

//go:build unix

package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestARefreshTokenTakesThePlaceOfTheOldOneWhole(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "rt.txt"), filepath.Join(dir, "link")
	if err := os.WriteFile(name, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("rt.txt", link); err != nil {
		t.Fatal(err)
	}
	r, err := newRoom(link, false)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(r.reserve.Name()); err != nil || info.Size() < token.MaxLength {
		t.Errorf("no room was made: %v, %v", info.Size(), err)
	}
	if text, _ := os.ReadFile(name); string(text) != "old\n" {
		t.Errorf("the old one is gone too early: %q", text)
	}
	if err := r.save(token.NewSecret("new")); err != nil {
		t.Fatal(err)
	}
	r.drop()
	text, err := os.ReadFile(name)
	if err != nil || string(text) != "new\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	alone(t, dir, 2)
}

// alone finds what was left behind.
func alone(t *testing.T, dir string, want int) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != want {
		t.Errorf("%d files, %v: %v", len(left), left, err)
	}
}

func TestRoomThatIsNotNeededIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	r, err := newRoom(filepath.Join(dir, "rt.txt"), true)
	if err != nil {
		t.Fatal(err)
	}
	alone(t, dir, 1)
	r.drop()
	r.drop()
	alone(t, dir, 0)
	(*room)(nil).drop()
}

func TestARefreshTokenIsNotSpentWhereTheNextOneHasNoRoom(t *testing.T) {
	_, err := newRoom(filepath.Join(t.TempDir(), "nowhere", "rt.txt"), true)
	if exitCode(err) != exitState || !strings.Contains(err.Error(), "no room for the next refresh token: ") {
		t.Errorf("%v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := newRoom(pipe, false); r != nil || err != nil {
		t.Errorf("the pipe that the old one came from: %v, %v", r, err)
	}
	if _, err := newRoom(pipe, true); exitCode(err) != exitState {
		t.Errorf("a pipe to keep it in: %v", err)
	}
}

// TestANewRefreshTokenIsNotLostInSilence saves what came where it can, and else
// says so.
func TestANewRefreshTokenIsNotLostInSilence(t *testing.T) {
	for name, c := range map[string]struct {
		format  string
		columns []string
		next    string
		warns   bool
	}{
		"the value alone":         {next: "new", warns: true},
		"a header":                {format: "header", next: "new", warns: true},
		"curl":                    {format: "curl", columns: []string{"refresh_token"}, next: "new", warns: true},
		"another column":          {format: "json", columns: []string{"access_token"}, next: "new", warns: true},
		"JSON":                    {format: "json", next: "new"},
		"for a shell":             {format: "shell", next: "new"},
		"its column":              {columns: []string{"access_token", "refresh_token"}, next: "new"},
		"no rotation":             {next: "old"},
		"no refresh token at all": {},
	} {
		d := newDesk(t, nil, nil)
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		d.app.flags.format, d.app.flags.columns = c.format, c.columns
		set := token.Set{}
		if c.next != "" {
			set.RefreshToken = token.NewSecret(c.next)
		}
		if err := d.keep(nil, token.NewSecret("old"), set, false); err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(d.stderr.String(), "warning: the server has given a new refresh token, and the old one is void"); warned != c.warns {
			t.Errorf("%s: %q", name, d.stderr.String())
		}
	}
}

func TestWhatIsKeptIsWhatIsGoodFromNowOn(t *testing.T) {
	for _, c := range []struct {
		foreign    bool
		next, want string
	}{{false, "new", "new\n"}, {true, "new", "new\n"}, {true, "old", "old\n"}, {true, "", "old\n"}, {false, "old", "before"}, {false, "", "before"}} {
		d := newDesk(t, nil, nil)
		name := filepath.Join(d.WorkDir, "rt.txt")
		if err := os.WriteFile(name, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := newRoom(name, c.foreign)
		if err != nil {
			t.Fatal(err)
		}
		set := token.Set{}
		if c.next != "" {
			set.RefreshToken = token.NewSecret(c.next)
		}
		if err := d.keep(r, token.NewSecret("old"), set, false); err != nil {
			t.Fatal(err)
		}
		r.drop()
		if text, err := os.ReadFile(name); err != nil || string(text) != c.want {
			t.Errorf("%+v: %q, %v", c, text, err)
		}
		alone(t, d.WorkDir, 1)
	}
}

func TestProcessesThatRefreshByOneFileTakeTurns(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "rt.txt"), filepath.Join(t.TempDir(), "link")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockBeside(t.Context(), name, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockBeside(t.Context(), link, 50*time.Millisecond); exitCode(err) != exitState || !strings.Contains(err.Error(), "another process has been refreshing by ") {
		t.Errorf("a second one: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := lockBeside(ended, name, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("one that is interrupted: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, unlock)
	second, err := lockBeside(t.Context(), link, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second()
	alone(t, dir, 1)
	for _, none := range []string{"", filepath.Join(dir, "nowhere")} {
		unlock, err := lockBeside(t.Context(), none, 0)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// survivor is a person who is logged in, and whose commands meet with accidents.
type survivor struct {
	t      *testing.T
	env    []string
	config string // the file of the login
	tokens string // the directory of the cache
	rest   string // of config, but for what a login changes
}

func newSurvivor(t *testing.T, settings ...string) *survivor {
	t.Helper()
	s := &survivor{t: t, env: loggedIn(t, settings...)}
	s.config = filepath.Join(s.value("XDG_CONFIG_HOME"), "ats-auth", "config.yaml")
	s.tokens = filepath.Join(s.value("XDG_STATE_HOME"), "ats-auth", "tokens")
	s.write(filepath.Join(homeOf(s.env), "pw.txt"), "s3cre7\n")
	s.rest = rest(s.read())
	return s
}

// value is a variable of the environment; the last one counts.
func (s *survivor) value(name string) (value string) {
	for _, pair := range s.env {
		if text, found := strings.CutPrefix(pair, name+"="); found {
			value = text
		}
	}
	return value
}

// login is the command that logs in, again or for the first time.
func (s *survivor) login() []string {
	return []string{"login", "--username", "marco", "--password-file", "pw.txt"}
}

// annotate gives the file what is not the program's.
func (s *survivor) annotate() {
	s.write(s.config, "# a person's own words\n"+s.read()+"OTHER: kept\n")
	s.rest = rest(s.read())
}

func (s *survivor) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// read is the file of the login; "" when there is none.
func (s *survivor) read() string {
	text, err := os.ReadFile(s.config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	return string(text)
}

var changing = regexp.MustCompile(`(?m)^ATS_AUTH_(REFRESHTOKEN|EXPIRES): (.*)\n`)

func rest(text string) string { return changing.ReplaceAllString(text, "") }

// refreshToken is the one in the file; "" when there is none.
func (s *survivor) refreshToken() string {
	for _, m := range changing.FindAllStringSubmatch(s.read(), -1) {
		if m[1] == "REFRESHTOKEN" {
			return strings.Trim(m[2], `"`)
		}
	}
	return ""
}

// run runs the program without an accident. A lock that is held would let it
// wait for longer than its time.
func (s *survivor) run(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := client(s.env, args...)
	var out, says bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &says
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
	return out.String(), says.String(), cmd.ProcessState.ExitCode()
}

// must is run for what has to succeed.
func (s *survivor) must(when string, args ...string) string {
	s.t.Helper()
	out, says, code := s.run("", args...)
	if code != 0 {
		s.t.Errorf("%s, %s: exit code %d, %s", when, strings.Join(args[:min(2, len(args))], " "), code, says)
	}
	return strings.TrimSpace(out)
}

// expire makes the cached tokens old for the program; so they are when a person
// comes back after an hour.
func (s *survivor) expire() {
	files, _ := filepath.Glob(filepath.Join(s.tokens, "*.json"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(name, regexp.MustCompile(`_at":\d+`).ReplaceAllString(string(text), `_at":1000000`))
	}
}

// lives checks that there is a login, whole, that needs no password, and that
// nothing is left of the accident.
func (s *survivor) lives(when string) {
	s.t.Helper()
	if out := s.must(when, "status", "-f", "value", "-c", "user", "-c", "login"); out != "marco\nlogged in" {
		s.t.Errorf("%s: status says %q", when, out)
	}
	if text := s.read(); rest(text) != s.rest || s.refreshToken() == "" {
		s.t.Errorf("%s: the file is damaged: %q", when, text)
	}
	if access := s.must(when, "token", "get"); access != "" {
		s.must(when, "token", "check", access)
	}
	s.age()
	s.must(when, "token", "refresh")
	s.clean(when)
}

// age makes what a killed process left in the cache look an hour old: before, it
// could be what another process writes.
func (s *survivor) age() {
	halves, _ := filepath.Glob(filepath.Join(s.tokens, "*.new"))
	if len(halves) > 1 {
		s.t.Errorf("one killed process left %v", halves)
	}
	for _, name := range halves {
		if err := os.Chtimes(name, time.Unix(1, 0), time.Now().Add(-61*time.Minute)); err != nil {
			s.t.Error(err)
		}
	}
}

// clean looks for what a command that succeeded is to leave.
func (s *survivor) clean(when string) {
	s.t.Helper()
	for dir, want := range map[string]*regexp.Regexp{
		filepath.Dir(s.config): regexp.MustCompile(`^(config\.yaml(\.lock)?|tokens)$`),
		s.tokens:               regexp.MustCompile(`^[0-9a-f]{64}\.json$`),
	} {
		files, err := os.ReadDir(dir)
		if err != nil {
			s.t.Error(err)
		}
		for _, file := range files {
			if !want.MatchString(file.Name()) {
				s.t.Errorf("%s: left behind: %s", when, file.Name())
			}
		}
	}
}

// ended checks that a person is logged in still and can log out, or is logged
// out, and then the server knows the login no more.
func (s *survivor) ended(when, refresh string) {
	s.t.Helper()
	_, says, code := s.run("", "status")
	if code == 0 {
		s.must(when, "logout")
		_, says, code = s.run("", "status")
	}
	if text := s.read(); code != 3 || rest(text) != s.rest || s.refreshToken() != "" {
		s.t.Errorf("%s: neither logged in nor out: exit code %d, %s\n%q", when, code, says, text)
	}
	if _, says, code := s.run(refresh, "token", "refresh", "--refresh-token", "-"); code != 9 {
		s.t.Errorf("%s: the login that is forgotten is not revoked: exit code %d, %s", when, code, says)
	}
}

func TestAKilledCommandLeavesTheOldOrTheNewLoginAtEveryWrite(t *testing.T) {
	t.Parallel()
	wipe := func(s *survivor) {
		for _, dir := range []string{filepath.Dir(s.config), s.tokens} {
			if err := os.RemoveAll(dir); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	back := func(s *survivor) { s.must("after a logout", s.login()...) }
	for _, c := range []struct {
		name, line string
		before     func(*survivor)
		fresh      bool // nobody was logged in
	}{
		{name: "token_refresh", line: "token refresh"},
		{name: "token_get", line: "token get", before: (*survivor).expire},
		{name: "login", line: "login"},
		{name: "first_login", line: "login", before: wipe, fresh: true},
		{name: "logout", line: "logout", before: back},
		{name: "logout_without_a_token", line: "logout", before: func(s *survivor) { back(s); s.expire() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSurvivor(t)
			if !c.fresh {
				s.annotate()
			}
			args := strings.Fields(c.line)
			if c.line == "login" {
				args = s.login()
			}
			s.sweep(args, c.before, func(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }, func(when, refresh string, end ending) {
				if killed := end.status.Signaled() && end.status.Signal() == syscall.SIGKILL; !killed {
					t.Errorf("%s: it was not killed, but ended with %v", when, end.status)
				}
				if _, err := os.Stat(s.config); c.fresh && err != nil {
					s.must(when, s.login()...)
				}
				if c.line == "logout" {
					s.ended(when, refresh)
				} else {
					s.lives(when)
				}
			})
		})
	}
}

// TestADiskThatIsFullFromAnyStepOnKeepsTheLogin has a server that ends a login
// whose refresh token comes twice: one that was spent for nothing is lost.
func TestADiskThatIsFullFromAnyStepOnKeepsTheLogin(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"token refresh", "token get", "login"} {
		t.Run(strings.ReplaceAll(line, " ", "_"), func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t)
			s := newSurvivor(t, "XDG_CONFIG_HOME="+disk, "XDG_STATE_HOME="+filepath.Join(disk, "state"), "ATS_AUTH_SERVER_TOKENS_REUSE_GRACE=0")
			s.annotate()
			args, before := strings.Fields(line), (*survivor).expire
			if line == "login" {
				args, before = s.login(), nil
			}
			outcomes := map[int]int{}
			check := func(when, refresh string, end ending) {
				outcomes[end.status.ExitStatus()]++
				s.endured(when, refresh, end)
				if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
					t.Error(err)
				}
				s.lives(when)
				if logins := s.must(when, "token", "list", "-f", "value", "-c", "current"); logins != "true" {
					t.Errorf("%s: the server holds other logins too: %q", when, logins)
				}
			}
			s.sweep(args, before, func(int) { fill(t, disk, 0) }, check)
			for free := range 16 {
				if before != nil {
					before(s)
				}
				refresh := s.refreshToken()
				fill(t, disk, free)
				check(fmt.Sprintf("%d pages free", free), refresh, s.accident(args, 0, nil))
			}
			if outcomes[10] < 10 || outcomes[0] < 5 {
				t.Errorf("exit codes and how often: %v", outcomes)
			}
		})
	}
}

// endured checks what a command says and keeps when it found the disk full.
func (s *survivor) endured(when, refresh string, end ending) {
	s.t.Helper()
	kept := s.refreshToken()
	switch code := end.status.ExitStatus(); {
	case code == 0 && kept != refresh && kept != "":
	case code == 10 && kept == refresh && strings.Contains(end.says, "ats-auth: ") && strings.Contains(end.says, s.config):
	default:
		s.t.Errorf("%s: exit code %d, the same refresh token: %v, %s", when, code, kept == refresh, end.says)
	}
}

// sweep lets a command meet with the same accident before its first write, then
// before its second, and so on until it makes no more.
func (s *survivor) sweep(args []string, before func(*survivor), accident func(pid int), after func(when, refresh string, end ending)) {
	s.t.Helper()
	steps := map[string]int{}
	for n := 1; ; n++ {
		if before != nil {
			before(s)
		}
		refresh := s.refreshToken()
		end := s.accident(args, n, accident)
		if end.before == "" {
			if code := end.status.ExitStatus(); code != 0 {
				s.t.Errorf("without an accident: exit code %d, %s", code, end.says)
			}
			break
		}
		steps[strings.Fields(end.before)[0]]++
		after(fmt.Sprintf("%s, write %d, %s", strings.Join(args[:min(2, len(args))], " "), n, end.before), refresh, end)
		if s.t.Failed() {
			return // one is enough to know
		}
	}
	for _, name := range []string{"create", "write", "sync", "rename"} {
		if steps[name] == 0 {
			s.t.Errorf("there was no accident before a %s: %v", name, steps)
		}
	}
	s.t.Logf("accidents before %v", steps)
}

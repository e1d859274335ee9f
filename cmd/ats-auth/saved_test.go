package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rotator is a server of the ats dialect that gives each refresh token one use,
// and ends the login of one that comes twice.
type rotator struct {
	*httptest.Server
	ttl time.Duration // of its access tokens

	mu        sync.Mutex
	count     int    // of tokens
	good      string // the refresh token that is
	refreshes int
	reused    int
}

func newRotator(ttl time.Duration) *rotator {
	s := &rotator{ttl: ttl}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *rotator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch r.URL.Path {
	case "/user/login":
		s.issue(w)
	case "/user/refresh":
		var body struct {
			Refresh string `json:"refresh_token"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		s.refreshes++
		time.Sleep(20 * time.Millisecond) // long enough for the others to come
		if body.Refresh != s.good {
			s.reused++
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": "token revoked"}`)
			return
		}
		s.issue(w)
	case "/user/logout":
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *rotator) issue(w http.ResponseWriter) {
	s.count++
	s.good = fmt.Sprintf("rt-%d", s.count)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token": fmt.Sprintf("%s%d%s", seedToken[:len(seedToken)-9], 10000+s.count, seedToken[len(seedToken)-4:]), "refresh_token": s.good,
		"expires_in": int(s.ttl.Seconds()), "expires_at": time.Now().Add(s.ttl).UTC().Format(time.RFC3339Nano),
	})
}

// client runs the program at that home.
func (s *rotator) client(home string, args ...string) (stdout string, err error) {
	cmd := exec.Command(filepath.Join(programs, "ats-auth"), args...)
	cmd.Env, cmd.Dir = []string{"HOME=" + home}, home
	cmd.Stdin = strings.NewReader("s3cre7\n")
	out, err := cmd.Output()
	if exit := (&exec.ExitError{}); err != nil {
		if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as exec returns it
			exit = e
		}
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return string(out), err
}

func TestManyProcessesThatWantATokenRefreshOnce(t *testing.T) {
	const processes = 64
	home := t.TempDir()
	s := newRotator(time.Second)
	defer s.Close()
	if _, err := s.client(home, "login", "--url", s.URL, "--user", "marco", "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the token of the login is over
	s.mu.Lock()
	s.ttl = time.Hour
	s.mu.Unlock()
	type outcome struct {
		stdout string
		err    error
	}
	all := make(chan outcome, processes)
	for range processes {
		go func() {
			out, err := s.client(home, "token", "get")
			all <- outcome{out, err}
		}()
	}
	var first string
	for range processes {
		o := <-all
		if first == "" {
			first = o.stdout
		}
		if o.err != nil || o.stdout == "" || o.stdout != first {
			t.Errorf("%q instead of %q, %v", o.stdout, first, o.err)
		}
	}
	if s.refreshes != 1 || s.reused != 0 {
		t.Errorf("%d refreshes, %d by a token that was spent", s.refreshes, s.reused)
	}
	saved, err := os.ReadFile(filepath.Join(home, ".config", "ats-auth", "config.yaml"))
	if err != nil || !strings.Contains(string(saved), "ATS_AUTH_REFRESHTOKEN: "+s.good+"\n") {
		t.Errorf("the saved login is not %s: %v\n%s", s.good, err, saved)
	}
	if _, err := s.client(home, "token", "refresh"); err != nil {
		t.Errorf("the login is lost: %v", err)
	}
}

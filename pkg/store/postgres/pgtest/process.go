package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binaries is where the programs are: where Debian has the newest, or on the PATH.
func binaries(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
	}
	path, err := exec.LookPath("initdb")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED: PostgreSQL is not installed: no initdb in /usr/lib/postgresql/*/bin or on the PATH")
	}
	return filepath.Dir(path)
}

func version(path string) int {
	number, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return number
}

// unprivileged is whom the server runs as where the test is root, which PostgreSQL
// refuses to be; else nil.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(found.Uid, 10, 32)
		gid, _ := strconv.ParseUint(found.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("there is neither a user postgres nor nobody to run the server as")
	return nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir, c.Env = s.dir, []string{"PATH=" + s.bin, "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return c
}

func (s *Server) must(t testing.TB, name string, args ...string) {
	t.Helper()
	if text, err := s.command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
}

// Start starts a server that was stopped or killed, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir, "-h", "127.0.0.1"}
	for _, setting := range append([]string{"max_connections=200", "shared_buffers=64MB"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	process, ended := s.command("postgres", args...), make(chan struct{})
	process.Stdout, process.Stderr = log, log
	dieWithTest(process.SysProcAttr)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = process.Wait()
		close(ended)
	}()
	s.process, s.ended = process, ended
	s.await(t, "SELECT 1")
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// await asks until there is an answer.
func (s *Server) await(t testing.TB, query string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		answered, err := s.answers(query)
		if answered {
			return
		}
		select {
		case <-s.ended:
			err = fmt.Errorf("it ended: %w", err)
		case <-time.After(20 * time.Millisecond):
			if time.Now().Before(deadline) {
				continue
			}
		}
		text, _ := os.ReadFile(s.log())
		t.Fatalf("PostgreSQL: %v\n%s", err, text)
	}
}

// Stop is an immediate stop: what is under way is cut short, and the next start is a
// recovery.
func (s *Server) Stop() { s.end(syscall.SIGQUIT) }

// Kill is kill -9, of the server and of the processes that it made.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Processes are those of the server at this moment.
func (s *Server) Processes() []int {
	return append(childrenOf(s.process.Process.Pid), s.process.Process.Pid)
}

// Pause stops the server and all its processes where they are, until resume is called.
func (s *Server) Pause() (resume func()) {
	all := s.Processes()
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return func() {
		for _, pid := range all {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
}

// Promote makes a server of a standby, and waits until it is one.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.must(t, "pg_ctl", "promote", "-D", s.data(), "-w")
	s.await(t, "SELECT 1 WHERE NOT pg_is_in_recovery()")
}

// end waits until the processes are gone that the server made: they do not hear of its
// death at once.
func (s *Server) end(signal syscall.Signal) {
	if s.process == nil {
		return
	}
	children := childrenOf(s.process.Process.Pid)
	_ = s.process.Process.Signal(signal)
	<-s.ended
	for _, child := range children {
		_ = syscall.Kill(child, signal)
		for waited := 0; syscall.Kill(child, 0) == nil && waited < 500; waited++ {
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.process = nil
}

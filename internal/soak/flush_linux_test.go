package soak

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// alone is a load for tests that do one thing after the other with one server.
func alone(t *testing.T, r *replica) *client {
	t.Helper()
	r.start(t)
	t.Cleanup(r.stop)
	r.addUsers(t, "user0")
	return &client{load: newLoad(newBook(t.TempDir()), []peer{r.peer}, []string{"user0"}, time.Second, 1)}
}

// must logs in, and gives the refresh token and the access token.
func (c *client) must(t *testing.T) answer {
	t.Helper()
	a := c.insist(t.Context(), func() answer { return c.wire.login(t.Context(), c.peers[0], "user0") })
	if a.verdict != good {
		t.Fatalf("login: %s", a.text)
	}
	return a
}

// fileReplica is a server over a file in a directory.
func fileReplica(t *testing.T, dir string) *replica {
	t.Helper()
	binary := buildServer(t, t.TempDir())
	return newReplica(t, "server", t.TempDir(), binary, "127.0.0.1", settings("sqlite:"+filepath.Join(dir, "store.db"), masterKey(t, t.TempDir())))
}

// failing has strace fail every flush of processes, and gives what it saw of them.
func failing(t *testing.T, pids ...int) (injected func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	args := []string{"-f", "-qq", "-o", log, "-e", "trace=fsync,fdatasync,sync_file_range", "-e", "inject=fsync,fdatasync:error=EIO"}
	for _, pid := range pids {
		args = append(args, "-p", strconv.Itoa(pid))
	}
	strace := exec.Command("strace", args...)
	strace.SysProcAttr = dieWithTest()
	if err := strace.Start(); err != nil {
		t.Skipf("NOT TESTED: A FLUSH THAT FAILS, which takes strace: %v", err)
	}
	t.Cleanup(func() {
		_ = strace.Process.Kill()
		_ = strace.Wait()
	})
	for _, pid := range pids {
		traced(t, pid)
	}
	return func() int {
		text, _ := os.ReadFile(log)
		return strings.Count(string(text), "EIO (Input/output error) (INJECTED)")
	}
}

// traced waits until every thread of a process is.
func traced(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		all, bare := threads(pid)
		if all > 0 && bare == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Skip("NOT TESTED: A FLUSH THAT FAILS, since a process cannot be traced here")
}

func threads(pid int) (all, bare int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		all++
		if strings.Contains(string(text), "TracerPid:\t0\n") {
			bare++
		}
	}
	return all, bare
}

// changes asks for one of each that is to be durable, and wants none of it answered
// with success.
func (c *client) changes(t *testing.T, when string, had answer) {
	t.Helper()
	ctx, p := t.Context(), c.peers[0]
	for what, a := range map[string]answer{
		"revoke":     c.wire.revoke(ctx, p, had.access),
		"revoke-all": c.wire.revokeAll(ctx, p, had.access),
		"refresh":    c.refresh(ctx, p, had.refresh),
		"login":      c.wire.login(ctx, p, "user0"),
	} {
		if a.text != strconv.Itoa(http.StatusServiceUnavailable) {
			t.Errorf("%s, %s: %s, want 503", when, what, a.text)
		}
	}
}

func TestAFlushOfSQLiteThatFailsIs503(t *testing.T) {
	r := fileReplica(t, t.TempDir())
	c := alone(t, r)
	c.http.Timeout = 20 * time.Second
	had := c.must(t)
	injected := failing(t, r.process.Process.Pid)
	c.changes(t, "while flushes fail", had)
	if injected() == 0 {
		t.Error("no flush was made to fail: nothing was tested")
	}
	c.changes(t, "after a flush that failed", had)
	if a := c.wire.check(t.Context(), c.peers[0], had.access); a.verdict == absurd || a.verdict == void {
		t.Errorf("check: %s", a.text)
	}
	r.kill()
	r.start(t)
	again := c.must(t)
	if a := c.wire.revoke(t.Context(), c.peers[0], again.access); a.verdict != good {
		t.Errorf("after a restart: revoke: %s", a.text)
	}
}

func TestAFlushOfPostgreSQLThatFailsIs503UntilItIsBack(t *testing.T) {
	pg := pgtest.Start(t, "restart_after_crash=on")
	binary := buildServer(t, t.TempDir())
	r := newReplica(t, "server", t.TempDir(), binary, "127.0.0.1", settings(pg.URL(pg.Database(t, "")), masterKey(t, t.TempDir())))
	c := alone(t, r)
	c.http.Timeout = 30 * time.Second
	had := c.must(t)
	injected := failing(t, pg.Processes()...)
	c.changes(t, "while flushes fail", had)
	if injected() == 0 {
		t.Error("no flush was made to fail: nothing was tested")
	}
	pg.Kill()
	pg.Start(t)
	a := c.insist(t.Context(), func() answer { return c.wire.revoke(context.WithoutCancel(t.Context()), c.peers[0], had.access) })
	if a.verdict != good {
		t.Errorf("when it is back: revoke: %s", a.text)
	}
	if a := c.wire.check(t.Context(), c.peers[0], had.access); a.verdict != void {
		t.Errorf("when it is back: check: %s", a.text)
	}
}

package soak

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replica is one process of ats-auth-server.
type replica struct {
	peer
	dir     string
	command []string // what runs it; the program and its arguments
	env     []string
	ready   string // URL
	process *exec.Cmd
	ended   chan struct{}
}

// buildServer builds the program that is tested.
func buildServer(t testing.TB, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "ats-auth-server")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/ats-auth-server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	return binary
}

// settings are those of all replicas of one store. The grace is longer than any login
// is watched, so that the promise needs no clock.
func settings(store, masterKeyFile string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(masterKeyFile),
		"ATS_AUTH_SERVER_STORE_URL=" + store, "ATS_AUTH_SERVER_TOKENS_MASTER_KEY_FILE=" + masterKeyFile,
		"ATS_AUTH_SERVER_SERVER_DIALECTS=ats", "ATS_AUTH_SERVER_TOKENS_ACCESS_TTL=30d", "ATS_AUTH_SERVER_TOKENS_REUSE_GRACE=30d",
	}
}

// newReplica is one that listens at a host, on ports of its own.
func newReplica(t testing.TB, name, dir, binary, host string, env []string) *replica {
	t.Helper()
	listen, admin := freeAddress(t, host), freeAddress(t, host)
	return &replica{
		peer: peer{name, "http://" + listen}, dir: dir, command: []string{binary, "-l", "warning"}, ready: "http://" + admin + "/readyz",
		env: append([]string{"ATS_AUTH_SERVER_SERVER_LISTEN=" + listen, "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=" + admin}, env...),
	}
}

// freeAddress is one on which nobody listens at this moment.
func freeAddress(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port)
}

func (r *replica) log() string { return filepath.Join(r.dir, r.name+".log") }

// start starts the process, again and again while its store is not there, and returns
// when it is ready.
func (r *replica) start(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		r.launch(t)
		if r.await(deadline) {
			return
		}
		r.signal(syscall.SIGKILL)
		<-r.ended
	}
	text, _ := os.ReadFile(r.log())
	t.Fatalf("%s does not become ready\n%s", r.name, text[max(0, len(text)-2000):])
}

func (r *replica) launch(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(r.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	process, ended := exec.Command(r.command[0], r.command[1:]...), make(chan struct{})
	process.Env, process.Stdout, process.Stderr, process.Dir = r.env, log, log, r.dir
	process.SysProcAttr = dieWithTest()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = process.Wait()
		close(ended)
	}()
	r.process, r.ended = process, ended
}

// await tells whether the process became ready before it ended, or the time was over.
func (r *replica) await(deadline time.Time) bool {
	one := http.Client{Timeout: 2500 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	for time.Now().Before(deadline) {
		if response, err := one.Get(r.ready); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-r.ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

func (r *replica) signal(s syscall.Signal) { _ = r.process.Process.Signal(s) }

func (r *replica) kill() {
	r.signal(syscall.SIGKILL)
	<-r.ended
}

// stop is how a process ends that nothing is wrong with.
func (r *replica) stop() {
	if r.process != nil {
		r.signal(syscall.SIGCONT)
		r.kill()
	}
}

// addUsers makes users with the password of all of them.
func (r *replica) addUsers(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		args := append(r.command[1:len(r.command):len(r.command)], "user", "add", name, "--password-stdin")
		add := exec.Command(r.command[0], args...)
		add.Env, add.Stdin = r.env, strings.NewReader(password+"\n")
		if text, err := add.CombinedOutput(); err != nil && !bytes.Contains(text, []byte("already")) {
			t.Fatalf("user add: %v\n%s", err, text)
		}
	}
}

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("user", i))
	}
	return all
}

// pause is cut short when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/internal/daemon"
)

// programs is the directory with both programs as they are shipped.
var programs string

func TestMain(m *testing.M) {
	if len(os.Args) == 0 {
		// Never. But go test answers from its cache while this binary is the
		// same, and the linker leaves out what is not reached.
		main()
		daemon.Run(context.Background(), daemon.Env{})
	}
	// Under nohup a shell could not trap what it is to be sent: what is caught here
	// is not ignored in a child.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ats-auth-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir, ".", "../ats-auth-server", "../../docs/examples/service", "../../docs/examples/wazo")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
			return 1
		}
		programs = dir
		return m.Run()
	}())
}

// TestTranscripts runs testdata/script: what a person types and sees.
func TestTranscripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("..", "..", "testdata", "script"),
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "shutdown": shutdown, "reload": reload, "waitfor": waitfor, "fake": fake, "directory": directoryOf(t), "freeport": freeport,
		},
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// condition knows [root]: only root can give a file away; and [slapd].
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "slapd":
		return slapdIsHere(), nil
	}
	return false, fmt.Errorf("no condition is called %q", name)
}

// world is what a script holds besides its files.
type world struct {
	server    *exec.Cmd
	directory *slapdtest.Server
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// setup gives a script a home of its own, a store, and nothing of the person's
// who runs the tests.
func setup(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	e.Values[worldKey{}] = new(world)
	e.Setenv("HOME", home)
	e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	e.Setenv("XDG_STATE_HOME", filepath.Join(home, ".state"))
	e.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	e.Setenv("ATS_AUTH_SERVER_STORE_URL", "sqlite:"+filepath.Join(e.WorkDir, "store", "store.db"))
	return os.Mkdir(home, 0o700)
}

// serve starts a server and sets ATS_AUTH_URL, HEALTH_URL and SERVER_PID. Its
// arguments are settings, [store] stale_after as STORE_STALE_AFTER=1s, and flags. With
// -c the file alone says where it listens.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot fail: use exec ats-auth-server")
	}
	var env, flags []string
	if !slices.Contains(args, "-c") {
		env = append(env, "ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=127.0.0.1:0")
	}
	for _, name := range []string{"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "ATS_AUTH_SERVER_STORE_URL", "TZ"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, arg := range args {
		if !strings.Contains(arg, "=") || strings.HasPrefix(arg, "-") {
			flags = append(flags, arg)
		} else {
			env = append(env, "ATS_AUTH_SERVER_"+arg)
		}
	}
	s, err := startServer(env, ts.MkAbs("server.log"), flags...)
	ts.Check(err)
	worldOf(ts).server = s.cmd
	ts.Setenv("ATS_AUTH_URL", s.url)
	ts.Setenv("HEALTH_URL", s.health)
	ts.Setenv("SERVER_PID", strconv.Itoa(s.cmd.Process.Pid))
	ts.Defer(func() { _ = end(s.cmd) })
}

// shutdown ends the server as an init system does, and wants it to end well.
func shutdown(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(end(worldOf(ts).server))
}

// reload tells the server to read again what can be read again.
func reload(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(worldOf(ts).server.Process.Signal(syscall.SIGHUP))
}

// waitfor waits until a text stands in the server's log.
func waitfor(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: waitfor TEXT")
	}
	for range 250 {
		if strings.Contains(ts.ReadFile("server.log"), args[0]) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("the server does not say %q", args[0])
}

// runningServer is a server that serves.
type runningServer struct {
	cmd         *exec.Cmd
	url, health string
}

var (
	servingLine = regexp.MustCompile(`"msg":"serving","url":"([^"]*)"`)
	healthLine  = regexp.MustCompile(`"msg":"health and readiness","url":"([^"]*)"`)
)

// startServer starts ats-auth-server and returns when it serves. What it logs
// goes into a file.
func startServer(env []string, logFile string, args ...string) (runningServer, error) {
	s := runningServer{cmd: exec.Command(filepath.Join(programs, "ats-auth-server"), args...)}
	s.cmd.Env = env
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return s, err
	}
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		return s, err
	}
	for range 500 {
		text, _ := os.ReadFile(logFile)
		text = text[min(before, int64(len(text))):]
		if m := servingLine.FindSubmatch(text); m != nil {
			s.url = string(m[1])
			if m := healthLine.FindSubmatch(text); m != nil {
				s.health = string(m[1])
			}
			return s, nil
		}
		if bytes.HasPrefix(text, []byte("ats-auth-server: ")) || bytes.Contains(text, []byte("\nats-auth-server: ")) {
			break // its last words
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = s.cmd.Process.Kill()
	text, _ := os.ReadFile(logFile)
	return s, fmt.Errorf("ats-auth-server does not serve: %v\n%s", s.cmd.Wait(), text)
}

// end stops a server; one that has ended already is fine.
func end(cmd *exec.Cmd) error {
	if cmd.ProcessState != nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

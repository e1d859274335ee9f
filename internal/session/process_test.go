//go:build unix

package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// helperEnv makes the test program one of the processes that a test starts; its
// value is what to do.
const (
	helperEnv = "ATS_AUTH_SESSION_TEST"
	fileEnv   = "ATS_AUTH_SESSION_TEST_FILE"
	killEnv   = "ATS_AUTH_SESSION_TEST_KILL"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(helperEnv); job != "" {
		if err := help(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// help does a job on a file, until the step at which it is to be killed.
func help(job string) error {
	file := open(os.Getenv(fileEnv))
	kill, _ := strconv.Atoi(os.Getenv(killEnv))
	at := 0
	file.c.step = func(string) error {
		if at++; at == kill {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Hour)
		}
		return nil
	}
	ctx := context.Background()
	switch job {
	case "count":
		for range 8 {
			if err := file.Update(ctx, count); err != nil {
				return err
			}
		}
		return nil
	case "count for ever":
		for {
			if err := file.Update(ctx, count); err != nil {
				return err
			}
		}
	case "hold":
		return file.Update(ctx, func(Login) (Login, error) { fmt.Println("held"); time.Sleep(time.Hour); return Login{}, nil })
	case "rotate":
		return file.Update(ctx, rotate)
	case "login":
		_, err := file.Replace(ctx, func(Login) (Login, error) { return admins(), nil })
		return err
	case "remove":
		return file.Remove(ctx)
	}
	return errors.New("no such job: " + job)
}

// process is another process that does a job.
func process(t *testing.T, job, file string, kill int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), helperEnv+"="+job, fileEnv+"="+file, killEnv+"="+strconv.Itoa(kill))
	c.Stderr = os.Stderr
	return c
}

// killed runs a job and reports whether it was killed on the way.
func killed(t *testing.T, c *exec.Cmd) bool {
	t.Helper()
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

func TestManyProcessesAndGoroutinesUpdateOneAfterTheOther(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	text := strings.Replace("# kept\n"+ksctls, admins().RefreshToken.Reveal(), `"0"`, 1)
	put(t, name, text)
	var group sync.WaitGroup
	for range 16 {
		c := process(t, "count", name, 0)
		group.Go(func() {
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	file := open(name)
	file.c.Wait = time.Minute // what is tested is that nothing is lost
	for range 64 {
		group.Go(func() {
			for range 2 {
				if err := file.Update(context.Background(), count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
			if l, err := file.Read(); err != nil || l.Username != "admin" {
				t.Errorf("meanwhile: %v", err)
				reading = false
			}
		}
	}
	<-done
	want := strings.Replace(text, `"0"`, `"256"`, 1)
	if got, _ := content(t, name); got != want {
		t.Errorf("after 16*8 + 64*2 updates: %s", got)
	}
}

func TestAProcessKilledAtAnyStepLeavesTheOldFileOrTheNew(t *testing.T) {
	rotated := strings.Replace(ksctls, admins().RefreshToken.Reveal(), "rotated", 1)
	const damage = "KSCTL_URL: x\nKSCTL_URL: y\n"
	for _, c := range []struct{ job, old, new string }{
		{"rotate", ksctls, rotated},
		{"login", "", ksctls},
		{"login", damage, ksctls},
		{"remove", "# mine\n" + ksctls, "# mine\n"},
		{"remove", ksctls, ""},
	} {
		seen := map[string]bool{}
		last := 0
		for n := 1; ; n++ {
			dir := filepath.Join(t.TempDir(), "state")
			name := filepath.Join(dir, "config.yaml")
			if c.old != "" {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				put(t, name, c.old)
			}
			died := killed(t, process(t, c.job, name, n))
			got, _ := content(t, name)
			if got != c.old && got != c.new || !died && got != c.new {
				t.Fatalf("%s, step %d: %q", c.job, n, got)
			}
			if c.old == damage && got == c.new {
				if kept, _ := content(t, name+".bad-20270115T080000Z"); kept != damage {
					t.Errorf("%s, step %d: the damaged file is lost", c.job, n)
				}
			}
			seen[got] = true
			thenGoesOn(t, name)
			if last = n; !died {
				break
			}
		}
		if last < 3 || len(seen) != 2 {
			t.Errorf("%s over %.10q: %d steps, %d outcomes", c.job, c.old, last, len(seen))
		}
	}
}

// thenGoesOn is the next process: it waits for nobody and clears up.
func thenGoesOn(t *testing.T, name string) {
	t.Helper()
	next := Open(Config{File: name, Check: inifile.CheckSecretFile, Wait: time.Second})
	if _, err := next.Replace(t.Context(), func(Login) (Login, error) { return Login{URL: "https://next"}, nil }); err != nil {
		t.Error(err)
	}
	if _, left := content(t, spare(name)); left {
		t.Error("what the killed process left is still there")
	}
}

func TestAProcessKilledAtAnyMomentLosesNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, strings.Replace(ksctls, admins().RefreshToken.Reveal(), "0", 1))
	last := 0
	for range 25 {
		c := process(t, "count for ever", name, 0)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + rand.N(30*time.Millisecond))
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // killed
		l, err := open(name).Read()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(l.RefreshToken.Reveal())
		if err != nil || n < last {
			t.Fatalf("%d after %d: %v", n, last, err)
		}
		last = n
	}
	if last == 0 {
		t.Error("nothing was ever written")
	}
}

func TestTheLockOfADeadProcessIsTakenAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, ksctls)
	c := process(t, "hold", name, 0)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	waiting := Open(Config{File: name, Check: inifile.CheckSecretFile, Wait: 30 * time.Millisecond})
	err = waiting.Update(t.Context(), rotate)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d,", c.Process.Pid)) {
		t.Errorf("while it lives: %v", err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	waiting.c.Wait = time.Second
	if err := waiting.Update(t.Context(), rotate); err != nil {
		t.Errorf("after its death: %v", err)
	}
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// loggedIn starts a server with those settings and logs marco in to it. It
// returns the environment in which that counts.
func loggedIn(t *testing.T, settings ...string) []string {
	t.Helper()
	env := append(bare(t), settings...)
	dir := homeOf(env)
	add := exec.Command(filepath.Join(programs, "ats-auth-server"), "user", "add", "marco", "--password-stdin")
	add.Env, add.Stdin = env, strings.NewReader("s3cre7\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server, err := startServer(append(env, "ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=off"), filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end(server.cmd) })
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	env = append(env, "ATS_AUTH_URL="+server.url, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"))
	login := client(env, "login", "--username", "marco", "--password-stdin")
	login.Stdin = strings.NewReader("s3cre7\n")
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("login: %v\n%s", err, out)
	}
	return env
}

func homeOf(env []string) string {
	i := slices.IndexFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "HOME=") })
	return strings.TrimPrefix(env[i], "HOME=")
}

// client is ats-auth with those arguments, in that world.
func client(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(programs, "ats-auth"), args...)
	cmd.Env, cmd.Dir = env, homeOf(env)
	return cmd
}

// nothingLeft looks for token files that outlived their commands.
func nothingLeft(t *testing.T, env []string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(homeOf(env), "run"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// background is a command that runs, and what it says line by line.
type background struct {
	*exec.Cmd
	stdout, stderr *lineBuffer
}

// lineBuffer is a file that is written by a child and read while it grows.
type lineBuffer struct{ *os.File }

func (b lineBuffer) String() string {
	text, _ := os.ReadFile(b.Name())
	return string(text)
}

func begin(t *testing.T, cmd *exec.Cmd) background {
	t.Helper()
	open := func(name string) *lineBuffer {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		return &lineBuffer{f}
	}
	b := background{cmd, open("stdout"), open("stderr")}
	cmd.Stdout, cmd.Stderr = b.stdout.File, b.stderr.File
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); b.stdout.Close(); b.stderr.Close() })
	return b
}

// until waits for a text on stdout.
func (b background) until(t *testing.T, text string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(b.stdout.String(), text) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%q never came; stdout %q, stderr %q", text, b.stdout, b.stderr)
}

func TestExecKeepsTheTokenFileFreshForAsLongAsTheChildRuns(t *testing.T) {
	t.Parallel()
	env := loggedIn(t, "ATS_AUTH_SERVER_TOKENS_ACCESS_TTL=5")
	script := `stat -c '%a %F' "$BEARER_TOKEN_FILE" "$(dirname "$BEARER_TOKEN_FILE")" >&2
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "$(date +%s.%N) $(cat "$BEARER_TOKEN_FILE")"; sleep 1; done
echo "env $ATS_AUTH_TOKEN"`
	var stdout, stderr bytes.Buffer
	cmd := client(env, "exec", "--", "sh", "-c", script)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	if stderr.String() != "600 regular file\n700 directory\n" {
		t.Errorf("stderr %q", &stderr)
	}
	seen := map[string]bool{}
	var first string
	for line := range strings.Lines(stdout.String()) {
		when, raw, _ := strings.Cut(strings.TrimSpace(line), " ")
		if when == "env" {
			if raw != first {
				t.Error("ATS_AUTH_TOKEN is not the first token")
			}
			continue
		}
		if first == "" {
			first = raw
		}
		seen[raw] = true
		decoded, err := token.Decode(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		exp, _, _ := decoded.Claims.NumericDate("exp")
		var at float64
		if _, err := fmt.Sscan(when, &at); err != nil || float64(exp)/1e6 <= at {
			t.Errorf("at %s the file holds a token that ended at %d, %v", when, exp, err)
		}
	}
	if len(seen) < 3 {
		t.Errorf("%d tokens in 12 seconds, each of which lives for 5", len(seen))
	}
	nothingLeft(t, env)
}

func TestExecTakesTheFileAwayWhenTheLoginEnds(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	b := begin(t, client(env, "exec", "--", "sh", "-c", `echo ready
while [ -e "$BEARER_TOKEN_FILE" ]; do sleep 0.1; done; echo gone; exit 5`))
	b.until(t, "ready")
	if out, err := client(env, "logout").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.until(t, "gone")
	endsWith(t, b.Cmd, 5)
	said := b.stderr.String()
	if !regexp.MustCompile(`^ats-auth: the login has ended: [^\n]*; [^\n]*/token is removed\n$`).MatchString(said) {
		t.Errorf("stderr %q", said)
	}
	nothingLeft(t, env)
}

func TestExecPassesSignalsAndTheExitCodeOn(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	for _, s := range []struct {
		name   string
		signal syscall.Signal
	}{{"TERM", syscall.SIGTERM}, {"INT", syscall.SIGINT}, {"HUP", syscall.SIGHUP}, {"QUIT", syscall.SIGQUIT}, {"USR1", syscall.SIGUSR1}, {"WINCH", syscall.SIGWINCH}} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// A session of its own: no terminal.
			b := begin(t, detached(client(env, "exec", "--", "bash", "-c", `trap 'echo caught; exit 42' `+s.name+`; echo ready; while :; do sleep 0.05; done`)))
			b.until(t, "ready")
			signalTo(t, b.Cmd, s.signal)
			endsWith(t, b.Cmd, 42)
			if got := b.stdout.String(); got != "ready\ncaught\n" || b.stderr.String() != "" {
				t.Errorf("stdout %q, stderr %q", got, b.stderr)
			}
			if s.signal == syscall.SIGWINCH {
				return // which kills nobody
			}
			b = begin(t, detached(client(env, "exec", "--", "sh", "-c", "echo ready; exec sleep 60")))
			b.until(t, "ready")
			signalTo(t, b.Cmd, s.signal)
			endsWith(t, b.Cmd, 128+int(s.signal))
		})
	}
	t.Run("a_child_that_kills_itself", func(t *testing.T) {
		t.Parallel()
		b := begin(t, client(env, "exec", "--", "sh", "-c", "kill -9 $$"))
		endsWith(t, b.Cmd, 137)
	})
	t.Cleanup(func() { nothingLeft(t, env) })
}

func TestExecDoesNotDieBeforeAChildThatIgnoresSignals(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	b := begin(t, detached(client(env, "exec", "--", "sh", "-c", `trap '' TERM INT; echo ready; sleep 6; test -s "$BEARER_TOKEN_FILE" && echo still; exit 3`)))
	b.until(t, "ready")
	for range 3 {
		signalTo(t, b.Cmd, syscall.SIGTERM)
		signalTo(t, b.Cmd, syscall.SIGINT)
		time.Sleep(50 * time.Millisecond)
	}
	endsWith(t, b.Cmd, 3)
	if got := b.stdout.String(); got != "ready\nstill\n" {
		t.Errorf("stdout %q", got)
	}
	nothingLeft(t, env)
}

func TestExecLeavesWhatWasIgnoredIgnored(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	sh := exec.Command("sh", "-c", `trap '' HUP; exec ats-auth exec -- sh -c 'grep SigIgn /proc/self/status'`)
	sh.Env, sh.Dir = env, homeOf(env)
	out, err := sh.CombinedOutput()
	if err != nil || !regexp.MustCompile(`SigIgn:\t[0-9a-f]*1\n`).Match(out) {
		t.Errorf("%q, %v", out, err)
	}
}

func detached(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func signalTo(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestExecIsAJobLikeAnyOther types at a bash on a real terminal.
func TestExecIsAJobLikeAnyOther(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	master, slave := openTerminal(t)
	bash := exec.Command("bash", "--norc", "--noprofile", "-i")
	bash.Env, bash.Dir = append(env, "PS1=$ ", "TERM=dumb"), homeOf(env)
	bash.Stdin, bash.Stdout, bash.Stderr = slave, slave, slave
	bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bash.Process.Kill(); _ = bash.Wait() })
	late := time.AfterFunc(40*time.Second, func() { _ = bash.Process.Kill(); slave.Close() }) // ends a read that waits
	t.Cleanup(func() { late.Stop() })
	typed := func(text string) {
		t.Helper()
		if _, err := master.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	// What is typed before a shell is ready for it, behind its prompt, can be lost.
	const prompt = "$ "
	expect(t, master, prompt)
	// Ctrl-C reaches the child once, which then has time to end in its own way.
	typed(`ats-auth exec -- bash -c 'n=0; trap "n=\$((n+1))" INT; echo re""ady; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; echo "caught:$n:"; exit 7'; echo "code:$?:"` + "\n")
	expect(t, master, "ready\r\n")
	typed("\x03")
	expect(t, master, "caught:1:\r\ncode:7:", prompt)
	// One that does not catch it ends, and we say how.
	typed(`ats-auth exec -- sh -c 'echo re""ady; exec sleep 60' || echo "code:$?:"` + "\n")
	expect(t, master, "ready\r\n")
	typed("\x03")
	expect(t, master, "code:130:", prompt)
	// Ctrl-Z stops both, fg continues both.
	typed(`ats-auth exec -- sh -c 'echo re""ady; read line; echo "read:$line:"; exit 9'` + "\n")
	expect(t, master, "ready\r\n")
	typed("\x1a")
	expect(t, master, "Stopped", prompt)
	typed("fg\n")
	expect(t, master, "exec -- sh -c")
	typed("hello\n")
	expect(t, master, "read:hello:", prompt)
	typed(`echo "code:$?:"` + "\n")
	expect(t, master, "code:9:", prompt)
	// The child has the terminal itself.
	typed(`ats-auth exec -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo ter""minal'` + "\n")
	expect(t, master, "terminal\r\n", prompt)
	typed(`echo "en""d:$?:"` + "\n")
	expect(t, master, "end:0:")
	nothingLeft(t, env)
}

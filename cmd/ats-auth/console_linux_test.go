package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestEveryConsoleBlockOfTheDocumentsIsTrue types what stands behind "$ " in
// the ```console blocks, a page at a time, in a bash on a pseudo-terminal, and
// compares what a person would see. … stands for anything within a line; alone
// on a line, for any lines.
func TestEveryConsoleBlockOfTheDocumentsIsTrue(t *testing.T) {
	root := filepath.Join("..", "..")
	pages := []string{filepath.Join(root, "README.md")}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		steps := consoleSteps(string(text))
		if len(steps) == 0 {
			if page == pages[0] {
				t.Error("the README has no console block")
			}
			continue
		}
		t.Run(strings.ReplaceAll(strings.TrimPrefix(page, root+"/"), "/", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			for _, step := range steps {
				if got := s.run(step.command); !sameScreen(step.want, got) {
					t.Errorf("line %d: $ %s\nwant:\n%s\ngot:\n%s", step.line, step.command, step.want, got)
				}
			}
		})
	}
}

// step is one command of a page and what is seen after it.
type step struct {
	line    int
	command string
	want    string
}

func consoleSteps(page string) []step {
	var steps []step
	inside := false
	for i, line := range strings.Split(page, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case len(steps) > 0:
			last := &steps[len(steps)-1]
			if last.want == "" && strings.HasSuffix(last.command, `\`) {
				last.command += "\n" + line
				continue
			}
			last.want += line + "\n"
		}
	}
	return steps
}

func sameScreen(want, got string) bool {
	var b strings.Builder
	b.WriteString("^")
	for line := range strings.Lines(want) {
		if line == "…\n" {
			b.WriteString("(?s:.*?)")
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*?"))
	}
	return regexp.MustCompile(b.String() + "$").MatchString(got)
}

// session is a shell on a terminal of its own, beside a server with a user.
type session struct {
	t        *testing.T
	terminal *os.File
	shell    *os.File // what is typed
	screen   chan []byte
}

func newSession(t *testing.T) *session {
	t.Helper()
	dir := t.TempDir()
	env := []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir + "/config",
		"XDG_STATE_HOME=" + dir + "/state", "ATS_AUTH_SERVER_STORE_URL=sqlite:" + dir + "/store/store.db", "TERM=dumb", "USER=marco",
	}
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
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	master, slave := openTerminal(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	bash := exec.Command("bash", "--norc", "--noprofile", "-s")
	bash.Dir, bash.Env = work, append(env, "ATS_AUTH_URL="+server.url)
	bash.Stdin, bash.Stdout, bash.Stderr = read, slave, slave
	bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	read.Close()
	s := &session{t: t, terminal: master, shell: write, screen: make(chan []byte, 64)}
	go func() {
		defer close(s.screen)
		for {
			b := make([]byte, 4096)
			n, err := master.Read(b)
			if n > 0 {
				s.screen <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		write.Close()
		_ = bash.Process.Kill()
		_ = bash.Wait()
	})
	return s
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() }) // and is not collected before, which would hang up
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

const done = "\x1eDONE\x1e"

// run types a command and returns what the screen shows until it is done. It
// answers prompts for a password.
func (s *session) run(command string) string {
	s.t.Helper()
	quoted := "'" + strings.ReplaceAll(command, "'", `'\''`) + "'"
	if _, err := fmt.Fprintf(s.shell, "eval %s </dev/tty; printf '\\036DONE\\036'\n", quoted); err != nil {
		s.t.Fatal(err)
	}
	var seen []byte
	answered := 0
	limit := time.After(30 * time.Second)
	for {
		select {
		case part, open := <-s.screen:
			seen = append(seen, part...)
			if before, _, ok := bytes.Cut(seen, []byte(done)); ok {
				return strings.ReplaceAll(string(before), "\r\n", "\n")
			}
			if !open {
				s.t.Fatalf("the shell ended at $ %s\n%s", command, seen)
			}
			if prompts := len(passwordPrompt.FindAll(seen, -1)); prompts > answered {
				answered = prompts
				if _, err := s.terminal.WriteString("s3cre7\n"); err != nil {
					s.t.Fatal(err)
				}
			}
		case <-limit:
			s.t.Fatalf("$ %s is not done after 30 s; so far:\n%s", command, seen)
		}
	}
}

var passwordPrompt = regexp.MustCompile(`Password for user [^\n]*: `)

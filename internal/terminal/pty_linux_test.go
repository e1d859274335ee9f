package terminal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// role makes the test binary play the program that asks, or the shell that
// program was started from, in a session of its own.
const role = "TERMINAL_TEST_ROLE"

// prompt is what the program asks with.
const prompt = "Password for user marco: "

// noWait saves a second at the end of every program under the race detector.
const noWait = "GORACE=atexit_sleep_ms=0"

// patience bounds every wait; nothing takes as long unless it hangs.
const patience = 20 * time.Second

// slave is the descriptor of the pseudo-terminal in the program.
const slave = 3

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "shell":
		playShell()
	default:
		playProgram(os.Getenv(role))
	}
}

// playProgram asks and tells on standard output what it got, and whether echo
// is on at that very moment.
func playProgram(part string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	asks := 1
	switch part {
	case "twice":
		asks = 2
	case "deadline":
		timed, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		ctx = timed
	case "hangup":
		signal.Ignore(unix.SIGHUP)
	case "canceled":
		stop()
	}
	for range asks {
		text, err := ReadPassword(ctx, prompt)
		fmt.Printf("%q error=%v echo=%v\n", text, err, echo(slave))
	}
}

// playShell runs the program as a job, and when it stops says so and resumes it.
func playShell() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{role + "=program", noWait}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(slave, "slave")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: slave}
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		return
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil {
			fmt.Println(err)
			return
		}
		if !status.Stopped() {
			return
		}
		fmt.Printf("stopped by %v echo=%v\n", status.StopSignal(), echo(slave))
		if err := unix.Kill(-cmd.Process.Pid, unix.SIGCONT); err != nil {
			fmt.Println(err)
			return
		}
	}
}

// echo reports whether a terminal shows what is typed.
func echo(fd int) bool {
	state, err := unix.IoctlGetTermios(fd, getTermios)
	return err == nil && state.Lflag&unix.ECHO != 0
}

// session is a program on a pseudo-terminal, and the person before it.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File
	said   bytes.Buffer // on standard output
	errors bytes.Buffer // on standard error
	screen []byte
}

// start runs a role. Its standard input holds text that nobody must read.
func start(t *testing.T, part string) *session {
	t.Helper()
	s := &session{t: t, cmd: exec.Command(os.Args[0])}
	s.master, s.slave = openPTY(t)
	s.cmd.Env = []string{role + "=" + part, noWait}
	s.cmd.Stdin = strings.NewReader("from standard input\n")
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.errors
	s.cmd.ExtraFiles = []*os.File{s.slave}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: slave}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// openPTY makes a pseudo-terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "master")
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = master.Close(), slave.Close() })
	return master, slave
}

// echo reports whether the terminal shows what is typed now.
func (s *session) echo() bool { return echo(int(s.slave.Fd())) }

// expect reads the screen until the text has come.
func (s *session) expect(text string) {
	s.t.Helper()
	if err := s.master.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 1024)
	for !bytes.Contains(s.screen, []byte(text)) {
		n, err := s.master.Read(buf)
		s.screen = append(s.screen, buf[:n]...)
		if err != nil {
			s.t.Fatalf("%q has not come, the screen shows %q: %v", text, s.screen, err)
		}
	}
}

// enter presses keys.
func (s *session) enter(keys string) {
	s.t.Helper()
	if err := s.master.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// finish waits for the program to end and returns what it said.
func (s *session) finish() string {
	s.t.Helper()
	hung := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	err := s.cmd.Wait()
	if !hung.Stop() {
		s.t.Fatalf("the program hangs, the screen shows %q: %v", s.screen, err)
	}
	return s.said.String()
}

// want checks what the program said.
func (s *session) want(said string) {
	s.t.Helper()
	if got := s.finish(); got != said {
		s.t.Fatalf("it said %.200q, want %.200q; the screen shows %.200q; stderr %s", got, said, s.screen, &s.errors)
	}
}

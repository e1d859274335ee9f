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
	cmd.Env = []string{role + "=program"}
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
	s.cmd.Env = []string{role + "=" + part}
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

func TestAPasswordIsReadFromTheTerminalWithoutShowingIt(t *testing.T) {
	s := start(t, "program")
	before, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil || !s.echo() {
		t.Fatalf("echo %v before the prompt, %v", s.echo(), err)
	}
	s.expect(prompt)
	if s.echo() {
		t.Fatal("echo is on while typing")
	}
	s.enter("wrong\x15s3cret\r")
	s.expect(prompt + "\r\n")
	s.want(`"s3cret" error=<nil> echo=true` + "\n")
	after, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil || *after != *before {
		t.Errorf("the terminal is left as %+v, was %+v, %v", after, before, err)
	}
	if string(s.screen) != prompt+"\r\n" {
		t.Errorf("the screen shows %q", s.screen)
	}
}

func TestAnEmptyLineIsAnEmptyPassword(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	s.enter("\r")
	s.want(`"" error=<nil> echo=true` + "\n")
}

func TestCtrlCRestoresTheTerminalBeforeReadPasswordReturns(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	s.enter("half\x03")
	s.want(`"" error=context canceled echo=true` + "\n")
	s.expect(prompt + "\r\n")
	if bytes.Contains(s.screen, []byte("half")) {
		t.Errorf("the screen shows %q", s.screen)
	}
}

func TestTheEndOfTheContextRestoresTheTerminal(t *testing.T) {
	s := start(t, "deadline")
	s.expect(prompt)
	s.want(`"" error=context deadline exceeded echo=true` + "\n")
}

func TestAnEndedContextAsksNothing(t *testing.T) {
	s := start(t, "canceled")
	s.want(`"" error=context canceled echo=true` + "\n")
	if len(s.screen) != 0 {
		t.Errorf("the screen shows %q", s.screen)
	}
}

func TestCtrlDOnAnEmptyLineIsAnError(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	s.enter("\x04")
	s.want(`"" error=EOF echo=true` + "\n")
}

func TestAClosedWindowIsTheEndOfInput(t *testing.T) {
	s := start(t, "hangup")
	s.expect(prompt)
	s.slave.Close()
	s.master.Close()
	if got := s.finish(); !strings.HasPrefix(got, `"" error=EOF`) {
		t.Fatalf("it said %q; stderr %s", got, &s.errors)
	}
}

func TestAPasteLongerThanATerminalsLineIsReadWhole(t *testing.T) {
	paste := strings.Repeat("0123456789", 2000)
	s := start(t, "program")
	s.expect(prompt)
	s.enter(paste + "\r")
	s.want(fmt.Sprintf("%q error=<nil> echo=true\n", paste))
}

func TestWhatNobodyWouldTypeIsRefusedInsteadOfCut(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	go func() { // the terminal takes no more once nobody reads
		_, _ = s.master.WriteString(strings.Repeat("x", maxPassword+2))
	}()
	s.want(`"" error=` + ErrTooLong.Error() + " echo=true\n")
}

func TestWhatIsTypedAheadBelongsToTheNextPrompt(t *testing.T) {
	s := start(t, "twice")
	s.expect(prompt)
	s.enter("one\rtwo\r")
	s.want(`"one" error=<nil> echo=true` + "\n" + `"two" error=<nil> echo=true` + "\n")
}

func TestCtrlZGivesTheTerminalBackAndTheJobAsksAgain(t *testing.T) {
	s := start(t, "shell")
	s.expect(prompt)
	s.enter("half\x1a")
	s.expect(prompt + "\r\n" + prompt)
	if s.echo() {
		t.Fatal("echo is on while typing again")
	}
	s.enter("s3cret\r")
	s.want("stopped by stopped echo=true\n" + `"s3cret" error=<nil> echo=true` + "\n")
}

func TestCtrlZWithNoShellToReturnToDoesNotStop(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	s.enter("\x1a")
	s.expect(prompt + "\r\n" + prompt)
	s.enter("s3cret\r")
	s.want(`"s3cret" error=<nil> echo=true` + "\n")
}

func TestCtrlBackslashLeavesATerminalWithEcho(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	s.enter("\x1c")
	if got := s.finish(); got != "" || !s.echo() || s.cmd.ProcessState.Success() {
		t.Fatalf("it said %q, echo %v, %v", got, s.echo(), s.cmd.ProcessState)
	}
}

func TestASignalFromElsewhereThatResumesKeepsEchoOff(t *testing.T) {
	s := start(t, "program")
	s.expect(prompt)
	state, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil {
		t.Fatal(err)
	}
	state.Lflag |= unix.ECHO | unix.ICANON
	if err := unix.IoctlSetTermios(int(s.slave.Fd()), setTermios, state); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); s.echo(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("echo stays on")
		}
	}
	s.enter("s3cret\r")
	s.want(`"s3cret" error=<nil> echo=true` + "\n")
}

func TestWithoutATerminalThereIsNobodyToAsk(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{role + "=program"}
	cmd.Stdin = strings.NewReader("from standard input\n")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), `"" error=`+ErrNoTerminal.Error()+": open /dev/tty: ") {
		t.Fatalf("it said %q, %v", out, err)
	}
}

func TestAStreamIsATerminalOnlyIfItIsOne(t *testing.T) {
	_, tty := openPTY(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	defer null.Close()
	for name, check := range map[string]struct {
		stream any
		want   bool
	}{"tty": {tty, true}, "null": {null, false}, "closed": {closed, false}, "buffer": {&bytes.Buffer{}, false}, "nothing": {nil, false}, "no file": {(*os.File)(nil), false}} {
		if got := IsTerminal(check.stream); got != check.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

func TestAReadOfNothingIsTheEndOfInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Close()
	c := console{fd: int(r.Fd())}
	if _, ready, err := c.readByte(); ready || err != io.EOF {
		t.Fatalf("ready %v, %v", ready, err)
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
	cmd.Env = []string{role + "=program", noWait}
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

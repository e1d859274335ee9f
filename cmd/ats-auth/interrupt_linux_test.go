package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bare is an environment with nothing of the person's who runs the tests.
func bare(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_STATE_HOME=" + dir,
		"ATS_AUTH_SERVER_STORE_URL=sqlite:" + dir + "/store.db", "ATS_AUTH_URL=http://127.0.0.1:1",
	}
}

func TestCtrlCAtThePromptIsExitCode130AndEchoIsOnAgain(t *testing.T) {
	for _, line := range []string{
		"ats-auth token create --username marco",
		"ats-auth token revoke-all --as-user marco",
		"ats-auth-server user add marco",
	} {
		t.Run(strings.Fields(line)[0]+"_"+strings.Fields(line)[2], func(t *testing.T) {
			t.Parallel()
			master, slave := openTerminal(t)
			before := localFlags(t, slave)
			words := strings.Fields(line)
			cmd := exec.Command(filepath.Join(programs, words[0]), words[1:]...)
			var stdout, stderr bytes.Buffer
			cmd.Dir, cmd.Env = t.TempDir(), bare(t)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, &stdout, &stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			expect(t, master, "user marco: ")
			if localFlags(t, slave)&unix.ECHO != 0 {
				t.Error("echo is on at the prompt")
			}
			if _, err := master.WriteString("half a passw\x03"); err != nil {
				t.Fatal(err)
			}
			endsWith(t, cmd, 130)
			if stdout.Len() > 0 || strings.Contains(stderr.String(), "half") {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
			if after := localFlags(t, slave); after != before {
				t.Errorf("the terminal's local flags are %#x, were %#x", after, before)
			}
		})
	}
}

func TestCtrlCEndsAWaitForStandardInput(t *testing.T) {
	for _, line := range []string{
		"ats-auth token verify -",
		"ats-auth token revoke -",
		"ats-auth token show -",
		"ats-auth token create --username marco --password-stdin",
		"ats-auth-server user add marco --password-stdin",
		"ats-auth-server key import -",
	} {
		t.Run(strings.ReplaceAll(line, " ", "_"), func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(line)
			cmd := exec.Command(filepath.Join(programs, words[0]), words[1:]...)
			cmd.Dir, cmd.Env = t.TempDir(), append(bare(t), "ATS_AUTH_JWT_SECRET=qV7mZ2xK9wLr4TnB8cYd3HsJ6gFp1AuE5iOoX0zQ")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // until it waits
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			endsWith(t, cmd, 130)
		})
	}
}

// endsWith waits for the end of a command, but not for ever.
func endsWith(t *testing.T, cmd *exec.Cmd, code int) {
	t.Helper()
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("ended with %v, want exit code %d", cmd.ProcessState, code)
	}
}

// expect reads a terminal until texts were seen, one behind the other.
func expect(t *testing.T, terminal *os.File, texts ...string) {
	t.Helper()
	if err := terminal.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var seen []byte
	buffer := make([]byte, 1024)
	for !inOrder(seen, texts) {
		n, err := terminal.Read(buffer)
		if err != nil && err != io.EOF {
			t.Fatalf("seen %q, then %v", seen, err)
		}
		seen = append(seen, buffer[:n]...)
	}
}

// inOrder reports whether texts stand one behind the other.
func inOrder(seen []byte, texts []string) bool {
	for _, text := range texts {
		_, after, found := bytes.Cut(seen, []byte(text))
		if !found {
			return false
		}
		seen = after
	}
	return true
}

func localFlags(t *testing.T, terminal *os.File) uint32 {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag
}

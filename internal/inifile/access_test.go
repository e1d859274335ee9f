//go:build unix

package inifile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func refusal(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	return e
}

func descriptorName(f *os.File) string { return "/dev/fd/" + strconv.Itoa(int(f.Fd())) }

// chownToNobody gives a file away; it says loudly where only root can.
func chownToNobody(t *testing.T, path string) bool {
	t.Helper()
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Logf("NOT TESTED, since only root can give files away: %v", err)
		return false
	}
	return true
}

func TestRootsFilesAndMineAreBelieved(t *testing.T) {
	info, err := os.Stat("/")
	if err != nil {
		t.Fatal(err)
	}
	if uid, known := owner(info); !known || uid != 0 {
		t.Fatalf("/ belongs to %d (%v)", uid, known)
	}
	for _, me := range []int{0, 1000} {
		if err := CheckOwner("/", info, me); err != nil {
			t.Errorf("uid %d: %v", me, err)
		}
	}
}

func TestASecretFileLosesOneTrailingNewline(t *testing.T) {
	for text, want := range map[string]string{
		"s": "s", "s\n": "s", "s\r\n": "s", "s\n\n": "s\n", "s\r": "s\r", " s \n": " s ", "a\nb\n": "a\nb", "\n\n": "\n", "\xff\x00\n": "\xff\x00",
	} {
		got, err := ReadSecretFile(write(t, "secret", text))
		if err != nil || got != want {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

func TestASecretFileThatIsEmptyOrTooLongIsRefused(t *testing.T) {
	for text, want := range map[string]string{"": "is empty", "\n": "is empty", "\r\n": "is empty", strings.Repeat("x", MaxSecret+1): "is longer than 65536 bytes"} {
		_, err := ReadSecretFile(write(t, "secret", text))
		if err == nil || !strings.HasSuffix(refusal(t, err).Problem, want) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	if got, err := ReadSecretFile(write(t, "secret", strings.Repeat("x", MaxSecret))); err != nil || len(got) != MaxSecret {
		t.Errorf("the largest: %d bytes, %v", len(got), err)
	}
	for name, want := range map[string]string{t.TempDir(): "is a directory", filepath.Join(t.TempDir(), "missing"): "no such file or directory"} {
		_, err := ReadSecretFile(name)
		if err == nil || !strings.HasSuffix(refusal(t, err).Problem, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASecretFileThatOthersMayReadOrChangeIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o644} {
		path := write(t, "secret", "hunter2\n")
		chmod(t, path, mode)
		_, err := ReadSecretFile(path)
		if err == nil {
			t.Errorf("%04o was taken", mode)
			continue
		}
		if e := refusal(t, err); e.Hint != "chmod 600 "+path || strings.Contains(e.Problem, "hunter2") {
			t.Errorf("%04o: %s (%s)", mode, e.Problem, e.Hint)
		}
	}
	if path := write(t, "secret", "hunter2\n"); chownToNobody(t, path) {
		if _, err := ReadSecretFile(path); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
			t.Errorf("foreign: %v", err)
		}
	}
}

func TestAPipeIsNotWaitedForWhereAFileIsToBe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRegularSecretFile(fifo); err == nil || refusal(t, err).Problem != fifo+" is not a regular file" {
		t.Errorf("a pipe: %v", err)
	}
	if got, err := ReadRegularSecretFile(write(t, "secret", "hunter2\n")); err != nil || got != "hunter2" {
		t.Errorf("a file: %q, %v", got, err)
	}
}

func TestASecretMayComeFromAPipeOrAnOpenDescriptor(t *testing.T) {
	path := write(t, "shared", "handed over\n")
	chmod(t, path, 0o644)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := ReadSecretFile(descriptorName(f)); err != nil || got != "handed over" {
		t.Errorf("descriptor: %q, %v", got, err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := os.WriteFile(fifo, []byte("piped\n"), 0); err != nil {
			t.Error(err)
		}
	}()
	if got, err := ReadSecretFile(fifo); err != nil || got != "piped" {
		t.Errorf("pipe: %q, %v", got, err)
	}
	if handedOver("/dev/fd/../../etc/passwd") || handedOver("/dev/fd/3/x") {
		t.Error("a name that only begins like a descriptor counts as one")
	}
}

func TestNamesInHintsAreSafeToPaste(t *testing.T) {
	for _, name := range []string{"plain.ini", "a b", "it's", "$(touch x)", "`x`", "-rf", "a;b", "a\nb", "\x1b[31m", "*", "", "~", "ü", `\`, "a'\nb\\", "#x", "!x", "a=b"} {
		out, err := exec.Command("bash", "-c", "printf %s "+ShellQuote(name)).Output()
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := strings.TrimPrefix(string(out), "./"); got != name {
			t.Errorf("%q quoted as %s is read as %q", name, ShellQuote(name), got)
		}
		if shown := ShellQuote(name) + ShowName(name); strings.ContainsAny(shown, "\n\x1b") {
			t.Errorf("%q is shown with a control character", fmt.Sprintf("%q", shown))
		}
	}
}

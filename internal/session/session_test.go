//go:build unix

package session

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// open makes a File as the client does.
func open(name string) *File {
	return Open(Config{File: name, Check: inifile.CheckSecretFile, Now: func() time.Time { return time.Unix(1800000000, 0) }})
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// content returns what a file holds; false when there is none.
func content(t *testing.T, name string) (string, bool) {
	t.Helper()
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data), true
}

// rotate is what a refresh does to a login.
func rotate(l Login) (Login, error) {
	l.RefreshToken = secret("rotated")
	return l, nil
}

// count adds one to the number that stands for the refresh token.
func count(l Login) (Login, error) {
	n, err := strconv.Atoi(l.RefreshToken.Reveal())
	if err != nil {
		return l, err
	}
	l.RefreshToken = secret(strconv.Itoa(n + 1))
	return l, nil
}

// names lists a directory, but for the lock file.
func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".lock") {
			all = append(all, f.Name())
		}
	}
	return all
}

func TestTheFirstLoginMakesItsDirectoriesAndIsPrivate(t *testing.T) {
	top := filepath.Join(t.TempDir(), "a")
	file := open(filepath.Join(top, "b", "config.yaml"))
	if _, err := file.Read(); !errors.Is(err, ErrNoLogin) {
		t.Errorf("before: %v", err)
	}
	if err := file.Update(t.Context(), func(Login) (Login, error) { return admins(), nil }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{top: 0o700, top + "/b": 0o700, top + "/b/config.yaml": 0o600, top + "/b/config.yaml.lock": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	l, err := file.Read()
	if err != nil {
		t.Fatal(err)
	}
	sameLogin(t, l, admins())
}

func TestWithoutARefreshTokenNobodyIsLoggedInAndTheRestIsKnown(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, "KSCTL_URL: https://kylo-system\nKSCTL_USERNAME: admin\n")
	l, err := open(name).Read()
	if !errors.Is(err, ErrNoLogin) || l.URL != "https://kylo-system" || l.Username != "admin" || l.Dialect != "ciphertrust" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestAFailedOrNeedlessChangeWritesNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config.yaml")
	put(t, name, ksctls)
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := open(name).Update(t.Context(), func(l Login) (Login, error) { return Login{}, refused }); err != refused {
		t.Errorf("%v", err)
	}
	if err := open(name).Update(t.Context(), func(l Login) (Login, error) { return l, nil }); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(name); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was exchanged: %v", err)
	}
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
}

func TestALinkIsWrittenThroughToItsTargetEvenOneThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real", "config.yaml"), filepath.Join(dir, "config.yaml")
	if err := os.Symlink("second", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real/config.yaml", filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(Login) (Login, error){func(Login) (Login, error) { return admins(), nil }, rotate} {
		if err := open(link).Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if text, _ := content(t, target); !strings.Contains(text, "KSCTL_REFRESHTOKEN: rotated\n") {
		t.Errorf("the target holds %q", text)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(filepath.Join(dir, "loop")).Read(); err == nil || !strings.Contains(err.Error(), "too many symbolic links") {
		t.Errorf("a loop: %v", err)
	}
}

func TestAFileThatOthersCouldReadOrChangeIsRefusedForReadingAndWriting(t *testing.T) {
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o620, 0o602} {
		name := filepath.Join(t.TempDir(), "config.yaml")
		put(t, name, ksctls)
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		var refusal *inifile.Error
		if _, err := open(name).Read(); !errors.As(err, &refusal) || refusal.Hint != "chmod 600 "+name {
			t.Errorf("%04o: %v", mode, err)
		}
		err := open(name).Update(t.Context(), func(l Login) (Login, error) { t.Error("called"); return l, nil })
		if !errors.As(err, &refusal) {
			t.Errorf("%04o: %v", mode, err)
		}
		if text, _ := content(t, name); text != ksctls {
			t.Errorf("%04o: changed to %q", mode, text)
		}
	}
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, ksctls)
	if _, err := Open(Config{File: name}).Read(); !errors.Is(err, errNoCheck) {
		t.Errorf("without a check: %v", err)
	}
	if err := os.Chown(name, 65534, 65534); err != nil {
		t.Logf("NOT TESTED, since only root can give files away: %v", err)
		return
	}
	if _, err := open(name).Read(); os.Geteuid() == 0 && (err == nil || !strings.Contains(err.Error(), "belongs to another user")) {
		t.Errorf("foreign: %v", err)
	}
}

func TestWhatIsNoFileIsRefusedAndNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, fifo} {
		if _, err := open(name).Read(); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	put(t, filepath.Join(dir, "file"), "x")
	var e *Error
	err := open(filepath.Join(dir, "file", "config.yaml")).Update(t.Context(), rotate)
	if !errors.As(err, &e) || !strings.HasSuffix(e.Problem, "not a directory") {
		t.Errorf("below a file: %v", err)
	}
}

func TestADamagedFileStopsAnUpdateAndIsSetAsideByANewLogin(t *testing.T) {
	damaged := []string{"\x00\x00\x00", "- list\n", "KSCTL_URL: x\nKSCTL_URL: y\n", strings.Repeat("#\n", 1<<20)}
	for _, text := range damaged {
		dir := t.TempDir()
		name := filepath.Join(dir, "config.yaml")
		put(t, name, text)
		if _, err := open(name).Read(); !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("read: %v", err)
		}
		err := open(name).Update(t.Context(), func(l Login) (Login, error) { t.Error("called"); return l, nil })
		if kept, _ := content(t, name); !errors.Is(err, ErrDamaged) || kept != text {
			t.Errorf("update: %v", err)
		}
		refused := errors.New("wrong password")
		aside, err := open(name).Replace(t.Context(), func(Login) (Login, error) { return Login{}, refused })
		if kept, _ := content(t, name); err != refused || aside != "" || kept != text || len(names(t, dir)) != 1 {
			t.Errorf("a login that failed: %q, %v", aside, err)
		}
		for _, want := range []string{name + ".bad-20270115T080000Z", name + ".bad-20270115T080000Z-2"} {
			put(t, name, text)
			aside, err := open(name).Replace(t.Context(), func(l Login) (Login, error) {
				sameLogin(t, l, Login{})
				return admins(), nil
			})
			if kept, _ := content(t, want); err != nil || aside != want || kept != text {
				t.Errorf("replace: %q, %v", aside, err)
			}
			if text, _ := content(t, name); text != ksctls {
				t.Errorf("the new file holds %q", text)
			}
		}
	}
}

func TestANewerFileIsNotSetAside(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	const text = "ATS_AUTH_VERSION: 2\nATS_AUTH_LOGINS: {}\n"
	put(t, name, text)
	aside, err := open(name).Replace(t.Context(), rotate)
	if kept, _ := content(t, name); !errors.Is(err, ErrNewer) || aside != "" || kept != text {
		t.Errorf("%q, %v", aside, err)
	}
}

func TestRemoveForgetsTheLoginAndLeavesWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config.yaml")
	put(t, name, ksctls)
	put(t, spare(name), "left by a killed process")
	for range 2 {
		if err := open(name).Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := names(t, dir); len(all) != 0 {
			t.Errorf("left: %v", all)
		}
	}
	put(t, name, "# mine\r\n"+ksctls)
	if err := open(name).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, _ := content(t, name); text != "# mine\r\n" {
		t.Errorf("%q", text)
	}
	if err := open(filepath.Join(dir, "missing", "config.yaml")).Remove(t.Context()); err != nil || len(names(t, dir)) != 1 {
		t.Errorf("where there is no directory: %v", err)
	}
}

func TestTheWaitForTheLockIsBoundedAndNamesTheHolder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, ksctls)
	held, free := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := open(name).Update(context.Background(), func(l Login) (Login, error) { close(held); <-free; return rotate(l) })
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	second := Open(Config{File: name, Check: inifile.CheckSecretFile, Wait: 50 * time.Millisecond})
	err := second.Update(t.Context(), func(l Login) (Login, error) { t.Error("called"); return l, nil })
	if want := name + " is locked by process " + strconv.Itoa(os.Getpid()) + ", gave up after 50ms"; !errors.Is(err, ErrLocked) || err.Error() != want {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := open(name).Update(ctx, rotate); !errors.Is(err, context.Canceled) || errors.Is(err, ErrLocked) {
		t.Errorf("interrupted: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := open(name).Update(ctx, rotate); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrLocked) {
		t.Errorf("out of the caller's time: %v", err)
	}
	if l, err := second.Read(); err != nil || l.RefreshToken.Reveal() != admins().RefreshToken.Reveal() {
		t.Errorf("reading waits for nobody: %v", err)
	}
	close(free)
	group.Wait()
	if err := second.Update(t.Context(), rotate); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestEachWriteIsOnTheDiskBeforeTheNextStep(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config.yaml")
	put(t, name, ksctls)
	var steps []string
	file := open(name)
	file.c.step = func(s string) error { steps = append(steps, s); return nil }
	if err := file.Update(t.Context(), func(l Login) (Login, error) { steps = append(steps, "CHANGE"); return rotate(l) }); err != nil {
		t.Fatal(err)
	}
	want := "remove, create, reserve, sync the reserve, CHANGE, write, truncate, sync, close, rename, sync the directory"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("%s", got)
	}
}

func TestAFailureAtAnyStepLeavesTheOldLoginOrTheNewAndNothingElse(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		name := filepath.Join(dir, "config.yaml")
		put(t, name, ksctls)
		file, at, failed, called := open(name), 0, "", false
		file.c.step = func(s string) error {
			if at++; at == n {
				failed = s
				return &fs.PathError{Op: "write", Path: "somewhere", Err: syscall.ENOSPC}
			}
			return nil
		}
		err := file.Update(t.Context(), func(l Login) (Login, error) { called = true; return rotate(l) })
		if failed == "" {
			if err != nil || n < 10 {
				t.Fatalf("step %d: %v", n, err)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "somewhere") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", failed, err)
		}
		if reserving := n <= 4; called == reserving {
			t.Errorf("%s: called is %v", failed, called)
		}
		if text, _ := content(t, name); (text == ksctls) == (failed == "sync the directory") || len(names(t, dir)) != 1 {
			t.Errorf("%s: %v, %q", failed, names(t, dir), text)
		}
	}
}

func TestAFailureAtAnyStepOfANewLoginKeepsTheDamagedFile(t *testing.T) {
	const damage = "- damaged\n"
	for n := 1; ; n++ {
		name := filepath.Join(t.TempDir(), "config.yaml")
		put(t, name, damage)
		file, at, failed := open(name), 0, ""
		file.c.step = func(s string) error {
			if at++; at == n {
				failed = s
				return syscall.EIO
			}
			return nil
		}
		aside, err := file.Replace(t.Context(), func(Login) (Login, error) { return admins(), nil })
		if failed == "" {
			if err != nil || n < 11 {
				t.Fatalf("step %d: %v", n, err)
			}
			return
		}
		now, _ := content(t, name)
		kept, there := content(t, name+".bad-20270115T080000Z")
		before := now == damage && !there && aside == ""
		after := now == ksctls && kept == damage && aside != "" && failed == "sync the directory"
		if !errors.Is(err, syscall.EIO) || !before && !after {
			t.Errorf("%s: %v, now %q, aside %q with %q", failed, err, now, aside, kept)
		}
	}
}

func TestRoomIsKeptBesideAFileUntilItTakesItsPlace(t *testing.T) {
	target := filepath.Join(t.TempDir(), "rt.txt")
	if err := os.WriteFile(target, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Reserve(target, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(r.Name()); err != nil || info.Size() != 4096 || info.Mode().Perm() != 0o600 {
		t.Errorf("the room: %v, %v", info, err)
	}
	if text, err := os.ReadFile(target); string(text) != "old\n" || err != nil {
		t.Errorf("the file meanwhile: %q, %v", text, err)
	}
	if err := r.Commit([]byte("new\n")); err != nil {
		t.Fatal(err)
	}
	r.Discard() // too late: it has its place
	if text, err := os.ReadFile(target); string(text) != "new\n" || err != nil {
		t.Errorf("the file afterwards: %q, %v", text, err)
	}
	unused, err := Reserve(target, 4096)
	if err != nil {
		t.Fatal(err)
	}
	unused.Discard()
	if names, err := os.ReadDir(filepath.Dir(target)); len(names) != 1 || err != nil {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

package sqlite

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// childLock names the index of a log to a child process, which says who has it open.
const childLock = "ATS_AUTH_TEST_CHILD_LOCK"

func init() { children[childLock] = tellLock }

// openByte is that of the index on which each who has the log open holds a lock: who
// finds none there makes the index anew (https://www.sqlite.org/walformat.html,
// section 2.3).
const openByte = 128

// tellLock says which process holds the lock; 0: none.
func tellLock(path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: openByte, Len: 1}
		err = syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock)
		fmt.Println(lock.Pid)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func wantLocked(t *testing.T, s *Store, when string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childLock+"="+s.path+"-shm")
	out, _ := child.CombinedOutput()
	if got := strings.TrimSpace(string(out)); got != fmt.Sprint(os.Getpid()) {
		t.Errorf("%s the lock is held by %q, want %d", when, got, os.Getpid())
	}
}

// used opens a store, and has it prepare what writes and reads.
func used(t *testing.T, dir string) *Store {
	t.Helper()
	s := openStore(t, dir)
	applied(t, s, revocation("k"))
	_, _ = s.User(t.Context(), "t", "u")
	return s
}

// A process that closes any handle of a file loses all locks that it has on it.
func TestAStoreThatIsClosedLeavesTheLocksOfTheOthersAlone(t *testing.T) {
	dir := t.TempDir()
	first, second := used(t, dir), used(t, dir)
	wantLocked(t, first, "over two stores")
	for range 2 {
		closed(t, used(t, dir))
	}
	closed(t, first)
	wantLocked(t, second, "over one store that is left")
	closed(t, second)
	again := used(t, dir)
	wantLocked(t, again, "over a store that is opened again")
	closed(t, again)
	if open := handles(t, dir); len(open) != 0 {
		t.Errorf("files stay open: %q", open)
	}
}

func TestAStoreThatIsClosedWhileAnotherIsOpenedLeavesItsLocksAlone(t *testing.T) {
	dir := t.TempDir()
	last := used(t, dir)
	for round := range 30 {
		var next *Store
		var wait sync.WaitGroup
		wait.Go(func() { next = used(t, dir) })
		time.Sleep(time.Duration(round) * 200 * time.Microsecond)
		closed(t, last)
		wait.Wait()
		wantLocked(t, next, fmt.Sprint("in round ", round))
		last = next
	}
}

func TestAStoreThatIsClosedWhileItIsCopiedKeepsItsLocksUntilThen(t *testing.T) {
	s := used(t, t.TempDir())
	rows := 0
	err := s.Export(context.Background(), func(all relational.Rows) error {
		for row, err := all.Next(); ; row, err = all.Next() {
			if err != nil || row == nil {
				return err
			}
			if rows++; rows == 1 {
				closed(t, s)
				wantLocked(t, s, "of a store that is copied")
			}
		}
	})
	if err != nil || rows == 0 {
		t.Errorf("%d rows, error %v", rows, err)
	}
	if open := handles(t, filepath.Dir(s.path)); len(open) != 0 {
		t.Errorf("files stay open: %q", open)
	}
}

func TestAStoreThatIsOpenedAgainIsSharedWithAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	closed(t, used(t, dir))
	s := used(t, dir)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+s.path)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		applied(t, s, revocation(fmt.Sprint(i)))
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	var says string
	if err := s.readers.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
		t.Errorf("%s, error %v", says, err)
	}
}

func closed(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// handles are the files beneath a directory that this process has open.
func handles(t *testing.T, dir string) (open []string) {
	t.Helper()
	const all = "/proc/self/fd"
	list, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		if name, err := os.Readlink(filepath.Join(all, entry.Name())); err == nil && strings.HasPrefix(name, dir) {
			open = append(open, name)
		}
	}
	return open
}

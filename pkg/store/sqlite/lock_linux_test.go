package sqlite

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
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

// A process that closes any handle of a file loses all locks that it has on it.
func TestAStoreThatIsClosedLeavesTheLocksOfTheOthersAlone(t *testing.T) {
	dir := t.TempDir()
	first, second := openStore(t, dir), openStore(t, dir)
	holder := func() string {
		t.Helper()
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childLock+"="+first.path+"-shm")
		out, _ := child.CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	want := fmt.Sprint(os.Getpid())
	if got := holder(); got != want {
		t.Fatalf("two stores: the lock is held by %q, want %s", got, want)
	}
	for range 2 {
		if err := openStore(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := holder(); got != want {
		t.Errorf("one store left: the lock is held by %q, want %s", got, want)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(indexes.all, func(i *index) bool { return i.file.Name() == first.path+"-shm" }) {
		t.Error("the index stays open")
	}
}

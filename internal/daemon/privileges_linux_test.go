package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const stranger = 54321

// rootsDir is a directory that everybody may enter and root alone can change.
func rootsDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can become another user")
	}
	dir, err := os.MkdirTemp("", "ats-auth-privileges")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if !rootsAlone(dir) {
		t.Fatalf("%s is not root's alone: these tests can tell nothing there", dir)
	}
	return dir
}

// mkdir makes a directory of uid with a mode, whatever the umask.
func mkdir(t *testing.T, dir string, uid int, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, uid), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
}

func TestRootMakesOneDirectoryWhereRootAloneHasASay(t *testing.T) {
	for name, c := range map[string]struct {
		uid  int
		mode os.FileMode
		dir  string
		made string // empty: nothing
	}{
		"root's":                      {0, 0o755, "home/a", "home/a"},
		"of several, the first":       {0, 0o755, "home/a/b/c", "home/a"},
		"sticky":                      {0, 0o777 | os.ModeSticky, "home/a/b", "home/a"},
		"in root's own in sticky":     {0, 0o777 | os.ModeSticky, "home/roots/a", "home/roots/a"},
		"all may write":               {0, 0o777, "home/a", ""},
		"a group may write":           {0, 0o775, "home/a", ""},
		"root's own, where all may":   {0, 0o777, "home/roots/a", ""},
		"the user's":                  {stranger, 0o700, "home/a/b", ""},
		"root's own in the user's":    {stranger, 0o755, "home/roots/a", ""},
		"another's":                   {4711, 0o755, "home/a", ""},
		"the user's in sticky":        {0, 0o777 | os.ModeSticky, "home/users/a", ""},
		"behind the user's link":      {0, 0o777 | os.ModeSticky, "home/link/a", ""},
		"behind root's link":          {0, 0o755, "link/a", ""},
		"a link to nothing":           {0, 0o755, "home/nothing/a", ""},
		"behind .., which is no link": {0, 0o755, "home/roots/../a", "home/a"},
		"what is there":               {0, 0o755, "home/roots", ""},
	} {
		base := rootsDir(t)
		home, roots := base+"/home", base+"/home/roots"
		mkdir(t, home, c.uid, c.mode)
		mkdir(t, roots, 0, 0o755)
		mkdir(t, home+"/users", stranger, 0o755)
		err := errors.Join(os.Symlink(roots, home+"/link"), os.Lchown(home+"/link", stranger, stranger), os.Symlink(roots, base+"/link"), os.Symlink("absent", home+"/nothing"))
		if err != nil {
			t.Fatal(err)
		}
		before := ownersIn(t, base)
		p := &person{name: "stranger", uid: stranger, gid: stranger}
		if err := p.makeDir(base + "/" + c.dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after := ownersIn(t, base)
		if c.made != "" {
			if got, is := after[filepath.Join(base, c.made)]; !is || got != stranger {
				t.Errorf("%s: %s is of %d, %t", name, c.made, got, is)
			}
			delete(after, filepath.Join(base, c.made))
		}
		for path, uid := range after {
			if was, is := before[path]; !is || was != uid {
				t.Errorf("%s: %s was made or given to %d", name, path, uid)
			}
		}
	}
}

// ownersIn tells whose each file below a directory is.
func ownersIn(t *testing.T, dir string) map[string]int {
	t.Helper()
	owners := make(map[string]int)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owners[path], _, _ = ownerOf(info)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return owners
}

// swap lets one thread be the stranger, who puts a link to a directory of root's in
// the place of home/state whenever there is something in that, and back, until stop.
func swap(home, target string, stop <-chan struct{}, done chan<- error) {
	runtime.LockOSThread() // for ever: the thread ends with the goroutine
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, stranger, stranger, stranger); e != 0 {
		done <- e
		return
	}
	state, link := home+"/state", home+"/link"
	if err := os.Symlink(target, link); err != nil {
		done <- err
		return
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			done <- nil
			return
		default:
		}
		if unix.Access(state+"/ats-auth-server", unix.F_OK) != nil {
			continue
		}
		for range 2 { // there, and back
			_ = unix.Renameat2(unix.AT_FDCWD, state, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			for range 100_000 {
				runtime.KeepAlive(n)
			}
		}
		_ = os.Rename(state, home+"/old"+strconv.Itoa(n))
	}
}

func TestNoLinkThatIsSwappedInMakesRootGiveAwayWhatIsRoots(t *testing.T) {
	base := rootsDir(t)
	for name, c := range map[string]struct {
		uid  int
		mode os.FileMode
	}{"the user's": {stranger, 0o700}, "sticky": {0, 0o777 | os.ModeSticky}, "all may write": {0, 0o777}} {
		t.Run(name, func(t *testing.T) {
			room := filepath.Join(base, strconv.Itoa(int(c.mode.Perm()))+strconv.FormatBool(c.mode&os.ModeSticky != 0))
			mkdir(t, room, 0, 0o755)
			home, etc := room+"/home", room+"/etc"
			mkdir(t, home, c.uid, c.mode)
			mkdir(t, etc, 0, 0o755)
			mkdir(t, etc+"/ats-auth-server", 0, 0o755)
			stop, done := make(chan struct{}), make(chan error)
			go swap(home, etc, stop, done)
			p := &person{name: "stranger", uid: stranger, gid: stranger}
			for end := time.Now().Add(time.Second); time.Now().Before(end); {
				_ = p.makeDir(home + "/state/ats-auth-server")
				_ = unix.Rmdir(home + "/state") // a link it leaves
			}
			close(stop)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for path, uid := range ownersIn(t, etc) {
				if uid != 0 {
					t.Errorf("root has given %s to %d", path, uid)
				}
			}
		})
	}
}

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// stateOf makes a directory for a store, and a configuration that names it.
func stateOf(t *testing.T, uid int) (state, file string) {
	t.Helper()
	dir := openDir(t)
	state = filepath.Join(dir, "state")
	if err := errors.Join(os.Mkdir(state, 0o700), os.Chown(state, uid, uid)); err != nil {
		t.Fatal(err)
	}
	return state, write(t, 0o600, "[server]\nlisten = 127.0.0.1:0\nadmin_listen = off\ntls = self-signed\n[store]\nurl = sqlite:"+state+"/store.db\n", dir, "server.ini")
}

func TestAFileInADirectoryOfOthersIsNotGivenAway(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		uid  int
		mode os.FileMode
	}{{nobody, 0o700}, {4711, 0o711}, {0, 0o777}, {0, 0o775}, {0, 0o777 | os.ModeSticky}} {
		state, file := stateOf(t, c.uid)
		if err := os.Chmod(state, c.mode); err != nil {
			t.Fatal(err)
		}
		store := write(t, 0o600, "", state, "store.db")
		code, complaint := refused(t, exec.Command(program, "-c", file, "-u", "nobody"))
		if want := store + " does not belong to nobody, whom --user names; no command is offered"; code != 3 || !strings.Contains(complaint, want) || strings.Contains(complaint, "chown") {
			t.Errorf("%d %v: %d %q", c.uid, c.mode, code, complaint)
		}
	}
}

func TestWhatIsNoFileInTheDirectoryOfTheStoreIsRefusedAtOnce(t *testing.T) {
	needRoot(t)
	for _, name := range []string{"master.key", "store.db", "store.db-wal", "self-signed.crt", "self-signed.key"} {
		for what, c := range map[string]struct {
			make func(path string) error
			args []string
			want string
		}{
			"a pipe":                    {func(path string) error { return syscall.Mkfifo(path, 0o600) }, []string{"-u", "nobody"}, " is not a regular file"},
			"a pipe, of who stays root": {func(path string) error { return syscall.Mkfifo(path, 0o600) }, nil, " is not a regular file"},
			"a device":                  {func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5) }, []string{"-u", "nobody"}, " is not a regular file"},
			"a link":                    {func(path string) error { return os.Symlink("/etc/shadow", path) }, []string{"-u", "nobody"}, " is a symbolic link: with --user none is followed there"},
			"a link to nothing":         {func(path string) error { return os.Symlink("nowhere", path) }, []string{"-u", "nobody"}, " is a symbolic link: with --user none is followed there"},
			"a pipe, met by a command":  {func(path string) error { return syscall.Mkfifo(path, 0o600) }, []string{"-u", "nobody", "policy", "add", "desk"}, " is not a regular file"},
		} {
			uid := nobody
			if c.args == nil {
				uid = 0
			}
			state, file := stateOf(t, uid)
			path := filepath.Join(state, name)
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(path, uid, uid); err != nil {
				t.Fatal(err)
			}
			code, complaint := refused(t, exec.Command(program, append([]string{"-c", file}, c.args...)...))
			if code != 3 || !strings.HasSuffix(complaint, path+c.want+"\n") {
				t.Errorf("%s is %s: %d %q", name, what, code, complaint)
			}
		}
	}
}

func TestWhoStaysWhoHeIsMayKeepAStoreBehindALink(t *testing.T) {
	needRoot(t)
	state, file := stateOf(t, 0)
	if err := os.Symlink(write(t, 0o600, "", filepath.Dir(state), "elsewhere.db"), filepath.Join(state, "store.db")); err != nil {
		t.Fatal(err)
	}
	start(t, state, "-c", file).says(t, `"msg":"serving"`)
}

func TestRootMakesNothingForAUserInWhatIsNotRootsAlone(t *testing.T) {
	needRoot(t)
	state, file := stateOf(t, nobody)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	configure := func(store string) {
		write(t, 0o600, regexp.MustCompile(`(?m)^url = .*$`).ReplaceAllString(string(text), "url = sqlite:"+store), file)
	}
	// The user makes all in his own, and nothing where he may not.
	configure(state + "/a/b/store.db")
	r := start(t, filepath.Dir(state), "-c", file, "-u", "nobody")
	r.says(t, `"msg":"serving"`)
	r.end()
	roots := filepath.Join(filepath.Dir(state), "roots")
	if err := errors.Join(os.Mkdir(roots, 0o755), os.Symlink(roots, filepath.Join(state, "link"))); err != nil {
		t.Fatal(err)
	}
	configure(state + "/link/a/store.db")
	code, complaint := refused(t, exec.Command(program, "-c", file, "-u", "nobody"))
	if code != 3 || !strings.Contains(complaint, "nobody cannot make the directory "+state+"/link/a in "+state+"/link, and root makes none") {
		t.Errorf("%d %q", code, complaint)
	}
	if list, err := os.ReadDir(roots); err != nil || len(list) > 0 {
		t.Errorf("behind the link: %v %v", list, err)
	}
}

func TestALinkOfAUserDoesNotMakeHisStoreThatOfRoot(t *testing.T) {
	needRoot(t)
	state, file := stateOf(t, nobody)
	link := filepath.Join(state, "store.db")
	if err := errors.Join(os.Symlink(write(t, 0o600, "", filepath.Dir(state), "roots.db"), link), os.Lchown(link, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := administer(t, "-c", file, "user", "list")
	if code != 3 || !strings.HasPrefix(stderr, "ats-auth-server: "+link+" belongs to the user nobody: ") {
		t.Errorf("%d %q", code, stderr)
	}
}

package profile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// world is a directory tree and an environment of a test's own.
type world struct {
	t      *testing.T
	work   string
	home   string
	env    map[string]string
	config Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, work: filepath.Join(root, "work"), home: filepath.Join(root, "home"), env: map[string]string{}}
	for _, dir := range []string{w.work, w.home} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.config = Config{
		Flags:      map[string]string{},
		WorkDir:    w.work,
		HomeDir:    w.home,
		Program:    "/usr/bin/ats-auth",
		systemFile: filepath.Join(root, "etc", "client.ini"),
	}
	w.config.LookupEnv = func(name string) (string, bool) {
		text, ok := w.env[name]
		return text, ok
	}
	return w
}

// write makes a file of mode 0600, relative to the working directory.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := under(w.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) chmod(path string, mode os.FileMode) {
	w.t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) load() *Profile {
	w.t.Helper()
	p, err := Load(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// refusal loads and returns the *Error that Load must give.
func (w *world) refusal() *Error {
	w.t.Helper()
	p, err := Load(w.config)
	if err == nil {
		w.t.Fatalf("loaded %q without an error", p.File)
	}
	return refusal(w.t, err)
}

func refusal(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *Error", err)
	}
	return e
}

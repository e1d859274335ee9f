package session

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// TokenFile holds a child's access token: a file of mode 0600 in a directory of
// its own of mode 0700, whose name goes into BEARER_TOKEN_FILE. It is safe for
// concurrent use.
type TokenFile struct {
	dir string

	mu     sync.Mutex
	closed bool
}

// NewTokenFile makes the directory in the first of those that takes one, such
// as XDG_RUNTIME_DIR and TMPDIR; an empty name is passed over, and none means
// os.TempDir. The file comes with the first Write.
func NewTokenFile(dirs ...string) (*TokenFile, error) {
	var all error
	for _, parent := range append(dirs, os.TempDir()) {
		if parent == "" {
			continue
		}
		dir, err := os.MkdirTemp(parent, "ats-auth-*") // mode 0700
		if err == nil {
			return &TokenFile{dir: dir}, nil
		}
		all = errors.Join(all, fault(parent, err))
	}
	return nil, all
}

// Path returns the file's name.
func (t *TokenFile) Path() string { return filepath.Join(t.dir, "token") }

// Write puts a token in the place of the last, with no newline behind it. A
// reader sees the one or the other, whole. After Close it is fs.ErrClosed.
func (t *TokenFile) Write(access token.Secret) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return fs.ErrClosed
	}
	data := []byte(access.Reveal())
	draft, err := newDraft(t.Path(), t.Path()+".new", len(data), nil)
	if err != nil {
		return fault(t.Path(), err)
	}
	defer draft.discard()
	if err := draft.commit(data); err != nil {
		return fault(t.Path(), err)
	}
	return nil
}

// Remove takes the file away, which tells a child that there is no token any
// more. That there was none is no error; a Write brings it back.
func (t *TokenFile) Remove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := gone(os.Remove(t.Path())); err != nil {
		return fault(t.Path(), err)
	}
	return nil
}

// Close removes the file and its directory.
func (t *TokenFile) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if err := os.RemoveAll(t.dir); err != nil {
		return fault(t.dir, err)
	}
	return nil
}

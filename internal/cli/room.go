package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// roomSize is more than any refresh token takes, in bytes.
const roomSize = token.MaxLength + 1

// room is a place on the disk for a refresh token that is to come, so that a full
// disk, or a directory that cannot be written to, does not cost a login.
type room struct {
	path    string
	foreign bool // another file than the one the old refresh token came from
	file    *os.File
}

// newRoom makes room beside a file, whose place save takes. A file that is none,
// a pipe say, needs no room: the result is nil.
func newRoom(path string, foreign bool) (*room, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, roomError(path, err)
	case !info.Mode().IsRegular() && !foreign:
		return nil, nil
	case !info.Mode().IsRegular():
		return nil, &stateError{problem: inifile.ShowName(path) + " is not a regular file"}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ats-auth-*")
	if err != nil {
		return nil, roomError(path, err)
	}
	r := &room{path, foreign, f}
	_, err = f.Write(make([]byte, roomSize))
	if err = errors.Join(err, f.Sync()); err != nil {
		r.drop()
		return nil, roomError(path, err)
	}
	return r, nil
}

func roomError(path string, err error) error {
	return &stateError{
		problem: fmt.Sprintf("no room for the next refresh token: %v", inifile.FileError(path, err)),
		hint:    "--save-refresh-token FILE keeps it elsewhere, --no-save nowhere",
		cause:   err,
	}
}

// save puts a refresh token in the file's place, durably.
func (r *room) save(refresh token.Secret) error {
	text := refresh.Reveal() + "\n"
	_, err := r.file.WriteAt([]byte(text), 0)
	err = errors.Join(err, r.file.Truncate(int64(len(text))), r.file.Sync(), r.file.Close())
	if err == nil {
		err = os.Rename(r.file.Name(), r.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(r.path))
	}
	kept := r.file.Name()
	r.file = nil // whatever happens, what was written stays
	if err != nil {
		return &stateError{problem: fmt.Sprintf("the new refresh token stands in %s, if anywhere: %v", inifile.ShowName(kept), err), cause: err}
	}
	return nil
}

// drop gives back room that was not needed.
func (r *room) drop() {
	if r != nil && r.file != nil {
		_ = r.file.Close()
		_ = os.Remove(r.file.Name())
		r.file = nil
	}
}

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// roomSize is more than any refresh token takes, in bytes.
const roomSize = token.MaxLength + 1

// room is a place on the disk for a refresh token that is to come, so that a full
// disk, or a directory that cannot be written to, does not cost a login.
type room struct {
	path    string
	foreign bool // another file than the one the old refresh token came from
	reserve *session.Room
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
	reserve, err := session.Reserve(path, roomSize)
	if err != nil {
		return nil, roomError(path, err)
	}
	return &room{path, foreign, reserve}, nil
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
	reserve := r.reserve
	r.reserve = nil // whatever happens, what was written stays
	if err := reserve.Commit([]byte(refresh.Reveal() + "\n")); err != nil {
		return &stateError{problem: fmt.Sprintf("the new refresh token stands in %s, if anywhere: %v", inifile.ShowName(reserve.Name()), err), cause: err}
	}
	return nil
}

// drop gives back room that was not needed.
func (r *room) drop() {
	if r != nil && r.reserve != nil {
		r.reserve.Discard()
		r.reserve = nil
	}
}

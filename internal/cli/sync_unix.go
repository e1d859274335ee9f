//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// lockBeside keeps other processes from trading the refresh token in a file at
// once, which may cost the login. What is locked is the directory: the file itself
// is replaced, and a lock file would stay behind. It waits no longer than patience.
func lockBeside(ctx context.Context, name string, patience time.Duration) (unlock func(), err error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() { // reading it tells
		return func() {}, nil
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, &stateError{problem: inifile.FileError(filepath.Dir(name), err).Error(), cause: err}
	}
	for began := time.Now(); ; {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = d.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return func() { _ = d.Close() }, nil // a file system that has no locks
		case time.Since(began) > patience:
			_ = d.Close()
			return nil, &stateError{problem: fmt.Sprintf("another process has been refreshing by %s for %s", inifile.ShowName(name), patience), cause: err}
		}
		select {
		case <-ctx.Done():
			_ = d.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

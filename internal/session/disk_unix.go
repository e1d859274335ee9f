//go:build unix

package session

import (
	"errors"
	"os"
	"syscall"
)

// rename puts a file in another's place.
func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes the names in a directory durable. A file system that cannot is
// not asked again.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

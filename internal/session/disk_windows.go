package session

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// errSharing is what Windows says of a file that somebody has open.
const errSharing = syscall.Errno(32)

// rename puts a file in another's place. A reader, or a scanner of viruses,
// that has the old one open stands in the way for a moment.
func rename(from, to string) error {
	for i := range 100 {
		err := os.Rename(from, to)
		busy := errors.Is(err, errSharing) || errors.Is(err, syscall.ERROR_ACCESS_DENIED)
		if !busy || i == 99 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// syncDir does nothing: Windows keeps names in a journal and cannot be asked.
func syncDir(string) error { return nil }

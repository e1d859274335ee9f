//go:build !linux && !darwin

package sqlite

import (
	"errors"
	"os"
)

// mapFile is not possible: every record is read.
func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }

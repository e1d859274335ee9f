//go:build linux || darwin

package sqlite

import (
	"os"
	"syscall"
)

// mapFile maps the first bytes of a file, to be read.
func mapFile(file *os.File, bytes int) ([]byte, error) {
	return syscall.Mmap(int(file.Fd()), 0, bytes, syscall.PROT_READ, syscall.MAP_SHARED)
}

func unmapFile(data []byte) error {
	if data == nil {
		return nil
	}
	return syscall.Munmap(data)
}

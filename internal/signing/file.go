package signing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxMasterFile is more than a master key and white space take.
const maxMasterFile = 1024

// LoadMaster reads the master key from a file that holds what ParseMaster
// reads, and makes a random one when there is no such file: mode 0600, durable
// before it returns, and one only, however many processes start at once.
//
// It refuses a file that the group or others may access, and one that is no
// regular file. Windows has no such modes: there the folder's access list is
// what protects it.
//
// Danger: without the file nothing that was sealed under it opens again; back
// it up apart from the store.
func LoadMaster(path string) (*Master, error) {
	m, err := readMaster(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := createMaster(path); err != nil {
		return nil, fmt.Errorf("make a master key file (the base64 of %d random bytes, mode 0600): %w", MasterBytes, err)
	}
	return readMaster(path) // ours, or that of another process that was faster
}

func readMaster(path string) (*Master, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, fmt.Errorf("master key file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, fmt.Errorf("master key file: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("master key file %s is not a regular file", path)
	}
	if err := checkMode(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMasterFile))
	if err != nil {
		return nil, fmt.Errorf("master key file: %w", err)
	}
	m, err := ParseMaster(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// createMaster writes a file of another name and links it to path, which fails
// where there is one already, and that one is good: nobody ever meets a file
// that is half written, after a crash neither.
func createMaster(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.WriteString(f, NewMaster().encode()+"\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

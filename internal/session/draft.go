package session

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// step is told of each write before it is made, and may fail it. Nil: nobody
// is.
type step func(name string) error

func (s step) before(name string) error {
	if s == nil {
		return nil
	}
	return s(name)
}

// draft is a file that is to take another's place.
type draft struct {
	target, temp string
	file         *os.File
	placed       bool // it took the other's place
	step         step
}

// newDraft writes a file of that size under a temporary name, mode 0600, and
// has the disk take it. It is filled with random bytes: blanks would cost a
// file system that compresses nothing, and keep no room.
func newDraft(target, temp string, room int, s step) (*draft, error) {
	d := &draft{target: target, temp: temp, step: s}
	err := d.each(
		stage{"remove", func() error { return gone(os.Remove(temp)) }},
		stage{"create", d.create},
		stage{"reserve", func() error { return d.write(filler(room)) }},
		stage{"sync the reserve", func() error { return d.file.Sync() }},
	)
	if err != nil {
		d.discard()
		return nil, err
	}
	return d, nil
}

// filler is room for that many bytes.
func filler(room int) []byte {
	data := make([]byte, room)
	rand.Read(data) // never fails
	return data
}

// commit writes the data into the room and puts the file in the other's place.
// It is durable, and either not there or whole, at every moment.
func (d *draft) commit(data []byte) error {
	return d.each(
		stage{"write", func() error { return d.write(data) }},
		stage{"truncate", func() error { return d.file.Truncate(int64(len(data))) }},
		stage{"sync", func() error { return d.file.Sync() }},
		stage{"close", func() error { return d.file.Close() }},
		stage{"rename", d.place},
		stage{"sync the directory", func() error { return syncDir(filepath.Dir(d.target)) }},
	)
}

// discard leaves no trace of a draft that was not put in place.
func (d *draft) discard() {
	if d.file == nil || d.placed {
		return
	}
	d.file.Close() // a second time, where a rename failed
	os.Remove(d.temp)
}

func (d *draft) create() (err error) {
	d.file, err = os.OpenFile(d.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func (d *draft) place() error {
	err := rename(d.temp, d.target)
	d.placed = err == nil
	return err
}

func (d *draft) write(data []byte) error {
	_, err := d.file.WriteAt(data, 0)
	return err
}

// stage is one write and its name.
type stage struct {
	name string
	do   func() error
}

// each does one thing after the other, until something fails.
func (d *draft) each(stages ...stage) error {
	for _, s := range stages {
		if err := d.step.before(s.name); err != nil {
			return err
		}
		if err := s.do(); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a directory and those above it, mode 0700, durably.
func makeDir(dir string, s step) error {
	if isDir(dir) {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return fs.ErrNotExist
	}
	if err := makeDir(parent, s); err != nil {
		return err
	}
	if err := s.before("make a directory"); err != nil {
		return err
	}
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist) && !isDir(dir):
		return syscall.ENOTDIR
	case err != nil && !isDir(dir): // where it is one, another process was faster
		return err
	}
	return syncDir(parent)
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// gone forgives that there was nothing to remove.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

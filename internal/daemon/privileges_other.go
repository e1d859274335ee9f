//go:build !unix

package daemon

import (
	"errors"
	"io/fs"
)

func findPerson(string) (*person, error) {
	return nil, errors.New("on this system a server cannot change its user")
}

func (p *person) become() error { return errors.ErrUnsupported }

func (p *person) own(string) error { return errors.ErrUnsupported }

func (p *person) owns(fs.FileInfo) bool { return false }

func ownerOf(fs.FileInfo) (uid, gid int, known bool) { return 0, 0, false }

func (p *person) reaches(*config) error { return nil }

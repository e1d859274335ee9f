package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
)

// person is who the server becomes. Nil: it stays who it is.
type person struct {
	name     string // as it was given
	uid, gid int
	groups   []int // those besides gid
}

// person finds who --user names. It is nil for nobody else than who runs the program.
func (a *app) person(given bool) (*person, error) {
	switch {
	case !given:
		return nil, nil
	case a.user == "":
		return nil, command.Usage("--user names nobody")
	}
	p, err := findPerson(a.user)
	switch {
	case err != nil:
		return nil, refuse("--user %s: %w", a.user, err)
	case p.uid == a.UID && (p.gid == os.Getgid() || !strings.Contains(a.user, ":")):
		return nil, nil
	case a.UID != 0:
		return nil, refuse("--user %s: only root can serve as another user", a.user)
	case p.uid == 0:
		return nil, refuse("--user %s: root can take on any group again", a.user)
	}
	return p, nil
}

// settle makes the directory of the store where there is none, for p, and refuses
// files in it that p could not use.
func (p *person) settle(c *config) error {
	dir, onDisk := c.stateFile("")
	if !onDisk {
		return nil
	}
	if err := p.makeDirs(dir); err != nil {
		return refuse("[store] url: %w", err)
	}
	foreign, err := p.foreign(c.stateFiles())
	if err != nil || len(foreign) == 0 {
		return err
	}
	var quoted []string
	for _, name := range foreign {
		quoted = append(quoted, inifile.ShellQuote(name))
	}
	return &inifile.Error{
		Problem: fmt.Sprintf("%s does not belong to %s, whom --user names", inifile.ShowName(foreign[0]), p.name),
		Hint:    fmt.Sprintf("chown %d:%d %s", p.uid, p.gid, strings.Join(quoted, " ")),
	}
}

// stateFiles are the directory of the store and what the server keeps in it.
func (c *config) stateFiles() []string {
	path := strings.TrimPrefix(c.store, "sqlite:")
	list := []string{filepath.Dir(path), path, path + "-wal", path + "-shm"}
	for _, name := range []string{"master.key", "self-signed.crt", "self-signed.key"} {
		file, _ := c.stateFile(name)
		list = append(list, file)
	}
	return list
}

// makeDirs makes the directories that are missing on the way to one.
func (p *person) makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil || !os.IsNotExist(err) {
		return err
	}
	if err := p.makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return p.own(dir)
}

// foreign are the files, of those that there are, which p could not use. A directory
// that others may enter, /tmp say, is nobody's to give away: reaches tells of it.
func (p *person) foreign(files []string) ([]string, error) {
	var list []string
	for _, name := range files {
		info, err := os.Stat(name)
		switch {
		case os.IsNotExist(err):
		case err != nil:
			return nil, refuse("[store] url: %w", err)
		case !p.owns(info) && (!info.IsDir() || info.Mode().Perm()&0o011 == 0):
			list = append(list, name)
		}
	}
	return list, nil
}

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
)

// person is who the program becomes. Nil: it stays who it is.
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
		return nil, command.Usage("-u is empty: whom? a name, UID or UID:GID")
	}
	p, err := findPerson(a.user)
	switch {
	case err != nil:
		return nil, refuse("--user %s: %w", a.user, err)
	case p.uid == a.UID && (p.gid == os.Getgid() || !strings.Contains(a.user, ":")):
		return nil, nil
	case a.UID != 0:
		return nil, refuse("--user %s: only root can become another user", a.user)
	case p.uid == 0:
		return nil, refuse("--user %s: root can take on any group again", a.user)
	}
	return p, nil
}

// become lets the rest be done by c.person, from the store on.
func (a *app) become(c *config, logger *slog.Logger) error {
	p := c.person
	if err := c.refuseIrregular(); err != nil || p == nil {
		return err
	}
	if err := p.settle(c); err != nil {
		return err
	}
	if err := p.become(); err != nil {
		return refuse("--user %s: %w", p.name, err)
	}
	a.UID, c.person = p.uid, nil
	logger.Info("privileges dropped", "user", p.name, "uid", p.uid, "gid", p.gid, "groups", p.groups)
	if err := p.reaches(c); err != nil {
		return err
	}
	return c.checkMaster(nil)
}

// comeToStore is what a command does before it opens the store: it becomes the user
// of -u, or sees that the store is not another's.
func (a *app) comeToStore(c *config) error {
	if err := a.become(c, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if file, onDisk := strings.CutPrefix(c.store, "sqlite:"); onDisk {
		if err := a.refuseForeign(c, file); err != nil {
			return err
		}
	}
	return a.refuseForeignLog(c)
}

// refuseForeignLog is refuseForeign for the audit log: that of root's making the server
// of another user could not write. Where there is none yet, whose directory it is tells
// whose server that is, and whose the key is.
func (a *app) refuseForeignLog(c *config) error {
	if !filepath.IsAbs(c.auditLog) {
		return nil
	}
	if !absent(os.Lstat, c.auditLog) {
		return a.refuseForeign(c, c.auditLog)
	}
	return errors.Join(a.refuseForeign(c, filepath.Dir(c.auditLog)), a.refuseForeign(c, c.server.MasterKeyFile))
}

// refuseForeign keeps root from what is another user's: what root made beside it, the
// server of that user could not use.
func (a *app) refuseForeign(c *config, file string) error {
	if a.UID != 0 || c.person != nil || file == "" {
		return nil
	}
	uid, gid := foreignOwner(file)
	if uid == 0 {
		return nil
	}
	name := fmt.Sprintf("%d:%d", uid, gid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
	}
	words := []string{inifile.ShellQuote(a.Args[0]), "-u", inifile.ShellQuote(name)}
	for _, arg := range a.Args[1:] {
		bare := strings.TrimLeft(arg, "-")
		words = append(words, arg[:len(arg)-len(bare)]+inifile.ShellQuote(bare))
	}
	return &inifile.Error{
		Problem: fmt.Sprintf("%s belongs to the user %s: root would make files beside it that are not that user's", inifile.ShowName(file), name),
		Hint:    strings.Join(words, " "),
	}
}

// foreignOwner is whose the file is, or the link that leads to it, where that is not
// root; else 0, 0. A file that is not there is nobody's: whoever opens it tells.
func foreignOwner(file string) (uid, gid int) {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(file)
		if err != nil {
			return 0, 0
		}
		if uid, gid, known := ownerOf(info); known && uid != 0 {
			return uid, gid
		}
	}
	return 0, 0
}

// settle makes way for the directory of the store where there is none, for p, and
// refuses files in it that p could not use.
func (p *person) settle(c *config) error {
	dir, onDisk := c.stateFile("")
	if !onDisk {
		return nil
	}
	if err := p.makeDir(dir); err != nil {
		return refuse("[store] url: %w", err)
	}
	// The directory is the last: in what is given away, nothing more is to be done.
	foreign, err := p.foreign(append(c.stateFiles(), dir))
	if err != nil || len(foreign) == 0 {
		return err
	}
	problem := fmt.Sprintf("%s does not belong to %s, whom --user names", inifile.ShowName(foreign[0]), p.name)
	if !mayGive(dir) {
		return refuse("%s; no command is offered, since others than root can write to %s, or rename it", problem, inifile.ShowName(dir))
	}
	var quoted []string
	for _, name := range foreign {
		quoted = append(quoted, inifile.ShellQuote(name))
	}
	return &inifile.Error{Problem: problem, Hint: fmt.Sprintf("chown -h %d:%d -- %s", p.uid, p.gid, strings.Join(quoted, " "))}
}

// stateFiles are what the server keeps in the directory of the store.
func (c *config) stateFiles() []string {
	path := strings.TrimPrefix(c.store, "sqlite:")
	list := []string{path, path + "-wal", path + "-shm"}
	if c.besideStore(c.server.MasterKeyFile) {
		list = append(list, c.server.MasterKeyFile)
	}
	for _, name := range []string{"self-signed.crt", "self-signed.key"} {
		file, _ := c.stateFile(name)
		list = append(list, file)
	}
	return list
}

// besideStore reports whether a file lies in the directory of the store.
func (c *config) besideStore(name string) bool {
	dir, onDisk := c.stateFile("")
	return onDisk && name != "" && filepath.Dir(name) == dir
}

// refuseIrregular refuses what is no file where the server keeps its own: opening a
// pipe would wait for ever. A link, which is good for who stays who he is, is refused
// where root becomes another: what root looked at would not be what the link is of.
func (c *config) refuseIrregular() error {
	if _, onDisk := c.stateFile(""); !onDisk {
		return nil
	}
	look := os.Stat
	if c.person != nil {
		look = os.Lstat
	}
	for _, name := range c.stateFiles() {
		info, err := look(name)
		switch {
		case err != nil: // whoever opens it tells
		case info.Mode().Type() == fs.ModeSymlink:
			return refuse("%s is a symbolic link: with --user none is followed there", inifile.ShowName(name))
		case !info.Mode().IsRegular():
			return refuse("%s is not a regular file", inifile.ShowName(name))
		}
	}
	return nil
}

// makeDir makes the first of the directories that are missing on the way to one, and
// gives it to p. Those below it p makes, with the store: root makes nothing in what is
// p's, where p could put a link in the place of what root has just made.
//
// For the same reason it makes nothing but where rootsAlone holds: there no name
// changes its meaning between two steps. Elsewhere p makes all, if it may.
func (p *person) makeDir(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	missing := ""
	for absent(os.Lstat, dir) {
		missing, dir = dir, filepath.Dir(dir)
	}
	if missing == "" || !rootsAlone(dir) {
		return nil
	}
	if err := os.Mkdir(missing, 0o700); err != nil {
		return err
	}
	return p.own(missing)
}

// absent reports whether there is nothing of that name; a root there is always.
func absent(look func(string) (fs.FileInfo, error), name string) bool {
	_, err := look(name)
	return errors.Is(err, fs.ErrNotExist) && filepath.Dir(name) != name
}

// rootsAlone reports whether root alone says what an absolute name is the directory
// of, and what becomes of root's own entries in it: all directories of the name are
// root's, none is a link, and none is another's to write to, unless it is sticky as
// /tmp is. It looks from the top: what root alone can change stays as it was seen
// while the next is looked at.
func rootsAlone(dir string) bool {
	if up := filepath.Dir(dir); up != dir && !rootsAlone(up) {
		return false
	}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	uid, _, known := ownerOf(info)
	return known && uid == 0 && (!writable(info) || info.Mode()&fs.ModeSticky != 0)
}

// writable reports whether others than the owner can write. The group's bits hold for
// an access control list too.
func writable(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// mayGive reports whether root can give away files in a directory by their names: who
// else can write there could have put a second name of any file in their place.
func mayGive(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil || !rootsAlone(dir) {
		return false
	}
	info, err := os.Lstat(dir)
	return err == nil && !writable(info)
}

// foreign are the files, of those that there are, which p could not use. A directory
// that others may enter, /tmp say, is nobody's to give away: reaches tells of it.
func (p *person) foreign(files []string) ([]string, error) {
	var list []string
	for _, name := range files {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, refuse("[store] url: %w", err)
		case p.owns(info), info.Mode().Type() == fs.ModeSymlink: // what it leads to, reaches tells
		case !info.IsDir() || info.Mode().Perm()&0o011 == 0:
			list = append(list, name)
		}
	}
	return list, nil
}

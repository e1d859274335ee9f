package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// maxFile bounds the ini file, in bytes.
const maxFile = 1 << 20

// place is where an ini file may stand.
type place struct {
	name  string // as it is shown
	path  string // as it is opened
	named string // what named it: "flag --config"; "" when it is searched for
	local bool   // searched for in the current directory
}

// openFile finds, judges and reads the ini file. Where there is none the
// document is empty.
func (r *resolver) openFile() (document, error) {
	p, err := r.findFile()
	if err != nil || p.path == "" {
		return document{}, err
	}
	return p.document()
}

// findFile returns the file that was named, else the first that exists, else
// the zero place.
func (r *resolver) findFile() (place, error) {
	if p, ok := r.namedFile(); ok {
		return p, p.mustExist()
	}
	for _, p := range r.places() {
		info, err := os.Stat(p.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil:
			return place{}, inifile.FileError(p.name, err)
		case !info.Mode().IsRegular(): // opening a pipe would wait for ever
			return place{}, &Error{Problem: inifile.ShowName(p.name) + " is not a regular file"}
		}
		return p, nil
	}
	return place{}, nil
}

// namedFile returns what --config or ATS_AUTH_CONFIG names, spelled as there.
func (r *resolver) namedFile() (place, bool) {
	s, _ := settingNamed("config")
	all := r.candidates(s)
	if len(all) == 0 {
		return place{}, false
	}
	name, given := r.Flags[s.Name]
	if !given {
		name = r.variable(all[0].Source())
	}
	return place{name: name, path: all[0].Reveal(), named: all[0].Source()}, true
}

// mustExist refuses a named file that is not there.
func (p place) mustExist() error {
	if p.path == "" {
		return &Error{Problem: p.named + " names no file"}
	}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
		return &Error{Problem: fmt.Sprintf("%s, named by %s, does not exist", inifile.ShowName(p.name), p.named), Cause: err}
	}
	return nil
}

// Search returns the names of the ini files that Load looks for when none is
// named, in order; the first that exists hides the others.
func (c Config) Search() []string {
	var names []string
	for _, p := range c.places() {
		names = append(names, p.path)
	}
	return names
}

// places lists where to search, in order.
func (c Config) places() []place {
	var all []place
	for _, name := range []string{"ats-auth-client.ini", "auth-client.ini"} {
		if c.NoLocal {
			break
		}
		all = append(all, place{name: name, path: under(c.WorkDir, name), local: true})
	}
	if dir := c.configHome(); dir != "" {
		path := filepath.Join(dir, "ats-auth", "client.ini")
		all = append(all, place{name: path, path: path})
	}
	path := c.systemFile
	if path == "" {
		path = systemFile()
	}
	return append(all, place{name: path, path: path})
}

// configHome is $XDG_CONFIG_HOME, or ~/.config. The specification of base
// directories has a relative one ignored.
func (c Config) configHome() string {
	if c.LookupEnv != nil {
		if dir, _ := c.LookupEnv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			return dir
		}
	}
	if c.HomeDir == "" {
		return ""
	}
	return filepath.Join(c.HomeDir, ".config")
}

// document reads the file and refuses what must not be believed.
func (p place) document() (document, error) {
	data, info, err := p.read()
	if err != nil {
		return document{}, err
	}
	d, err := parseDocument(p.name, data)
	if err != nil {
		return document{}, err
	}
	d.dir, d.local = filepath.Dir(p.path), p.local
	if d.holdsSecret() && info.Mode().IsRegular() {
		if err := inifile.CheckReadable(p.name, info); err != nil {
			return document{}, err
		}
	}
	if key := d.named(); p.local && key != "" {
		return document{}, &Error{Problem: inifile.ShowName(p.name) + ": " + key + " is refused in a file found in the current directory, which may have come with somebody else's repository; it must come from --config, ATS_AUTH_CONFIG, XDG_CONFIG_HOME or /etc"}
	}
	return d, nil
}

// read judges the open file, not its name, and returns what it holds.
func (p place) read() ([]byte, fs.FileInfo, error) {
	if err := p.checkLink(); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(p.path)
	if err != nil {
		return nil, nil, inifile.FileError(p.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, inifile.FileError(p.name, err)
	}
	if err := inifile.CheckFile(p.name, info); err != nil {
		return nil, nil, err
	}
	data, err := inifile.ReadBounded(f, p.name, maxFile)
	return data, info, err
}

// checkLink refuses a foreign symbolic link: in a shared directory it would let
// another user choose which of my files is read.
func (p place) checkLink() error {
	if p.named != "" {
		return nil
	}
	info, err := os.Lstat(p.path)
	if err != nil {
		return inifile.FileError(p.name, err)
	}
	return inifile.CheckOwner(p.name, info, os.Geteuid())
}

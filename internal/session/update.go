package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// growth is how much longer than the old file the new one may become and still
// have its room, in bytes: more than two tokens of the longest kind.
const growth = 32 << 10

// update is Update and Replace.
func (f *File) update(ctx context.Context, replace bool, change func(Login) (Login, error)) (string, error) {
	target, held, err := f.hold(ctx)
	if err != nil {
		return "", err
	}
	defer held.release()
	doc, err := f.load(target)
	aside := setAside{}
	if replace && errors.Is(err, ErrDamaged) {
		if aside, err = f.setAside(target); err == nil {
			doc, err = parse(show(f.c.File), nil)
		}
	}
	if err != nil {
		return "", err
	}
	placed, err := f.rewrite(target, doc, change)
	if placed {
		return aside.name, err
	}
	if undo := aside.undo(); undo != nil {
		return aside.name, errors.Join(err, undo)
	}
	return "", err
}

// hold finds the file to write, makes its directory and takes its lock.
func (f *File) hold(ctx context.Context) (string, *lock, error) {
	target, err := resolve(f.c.File)
	if err != nil {
		return "", nil, err
	}
	if err := makeDir(filepath.Dir(target), f.c.step); err != nil {
		return "", nil, fault(filepath.Dir(f.c.File), err)
	}
	held, err := f.lock(ctx, target)
	return target, held, err
}

// rewrite makes room, lets the login be changed and saves it; true when the new
// file is in its place.
func (f *File) rewrite(target string, doc *document, change func(Login) (Login, error)) (bool, error) {
	draft, err := newDraft(target, spare(target), doc.size()+growth, f.c.step)
	if err != nil {
		return false, &Error{Problem: fmt.Sprintf("no room for a new %s: %v", show(f.c.File), cause(err)), Cause: err}
	}
	defer draft.discard()
	old := doc.login()
	login, err := change(old)
	if err != nil || login.equal(old) {
		return false, err
	}
	data, err := doc.with(login)
	if err != nil {
		return false, err
	}
	if err := draft.commit(data); err != nil {
		return draft.placed, fault(f.c.File, err)
	}
	return true, nil
}

// spare is where the next file is written: one name, since only the holder of
// the lock writes there, and so whoever comes next clears what a killed process
// left.
func spare(target string) string {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".new")
}

// Remove forgets the login: its lines are taken out of the file, and the file
// goes when no other key or comment stands in it. That there was none is no
// error.
func (f *File) Remove(ctx context.Context) error {
	if target, err := resolve(f.c.File); err != nil {
		return err
	} else if missing(target) {
		return nil // a lock would need a directory
	}
	target, held, err := f.hold(ctx)
	if err != nil {
		return err
	}
	defer held.release()
	doc, err := f.load(target)
	if err != nil {
		return err
	}
	rest := doc.without()
	if len(rest) == 0 {
		return f.unlink(target)
	}
	draft, err := newDraft(target, spare(target), len(rest), f.c.step)
	if err != nil {
		return fault(f.c.File, err)
	}
	defer draft.discard()
	if err := draft.commit(rest); err != nil {
		return fault(f.c.File, err)
	}
	return nil
}

// unlink removes the file and what a killed process left of a next one.
func (f *File) unlink(target string) error {
	for _, name := range []string{spare(target), target} {
		if err := f.c.step.before("remove"); err != nil {
			return fault(f.c.File, err)
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault(f.c.File, err)
		}
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return fault(f.c.File, err)
	}
	return nil
}

// setAside is a damaged file under another name.
type setAside struct {
	name, target string
	moved        bool // the file system knows no second names
}

// setAside gives a damaged file a second name, so that at no moment there is
// none; the first goes to the new file. The copy of a name costs no room.
func (f *File) setAside(target string) (setAside, error) {
	stamp := target + ".bad-" + f.c.Now().UTC().Format("20060102T150405Z")
	name := stamp
	for i := 2; !missing(name); i++ {
		name = fmt.Sprintf("%s-%d", stamp, i)
	}
	if err := f.c.step.before("set aside"); err != nil {
		return setAside{}, fault(f.c.File, err)
	}
	if os.Link(target, name) == nil {
		return setAside{name: name, target: target}, nil
	}
	if err := os.Rename(target, name); err != nil {
		return setAside{}, fault(f.c.File, err)
	}
	return setAside{name: name, target: target, moved: true}, nil
}

// missing reports whether there is nothing of that name.
func missing(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// undo leaves the damaged file where it was found.
func (s setAside) undo() error {
	switch {
	case s.name == "":
		return nil
	case s.moved:
		return os.Rename(s.name, s.target)
	}
	return os.Remove(s.name)
}

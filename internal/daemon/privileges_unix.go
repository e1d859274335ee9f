//go:build unix

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// findPerson finds a user by name, uid, or uid:gid, which need not be in the list of
// users.
func findPerson(text string) (*person, error) {
	if id, group, pair := strings.Cut(text, ":"); pair {
		uid, uidErr := number(id)
		gid, gidErr := number(group)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, errors.New("neither a name nor UID nor UID:GID")
		}
		return &person{name: text, uid: uid, gid: gid, groups: []int{}}, nil
	}
	u, err := user.Lookup(text)
	if _, numberErr := number(text); err != nil && numberErr == nil {
		if u, err = user.LookupId(text); err != nil {
			return nil, errors.New("is not in the list of users, so that its group is to be given too: UID:GID")
		}
	}
	if err != nil {
		return nil, errors.New("there is no such user")
	}
	return member(text, u)
}

// number reads a uid or gid. -1, however it is written, stands for nobody: it would
// change nothing.
func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

// member reads a user of the list and the groups that the list says.
func member(text string, u *user.User) (*person, error) {
	uid, uidErr := number(u.Uid)
	gid, gidErr := number(u.Gid)
	ids, err := u.GroupIds()
	if err := errors.Join(uidErr, gidErr, err); err != nil {
		return nil, err
	}
	p := &person{name: text, uid: uid, gid: gid, groups: []int{}}
	for _, id := range ids {
		group, err := number(id)
		if err != nil {
			return nil, err
		}
		if group != gid {
			p.groups = append(p.groups, group)
		}
	}
	return p, nil
}

// become gives up root in all threads, and makes sure that it is given up.
func (p *person) become() error {
	if err := syscall.Setgroups(p.groups); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setgid(p.gid); err != nil {
		return fmt.Errorf("setgid: %w", err)
	}
	if err := syscall.Setuid(p.uid); err != nil {
		return fmt.Errorf("setuid: %w", err)
	}
	switch {
	case syscall.Getuid() != p.uid || syscall.Geteuid() != p.uid || syscall.Getgid() != p.gid || syscall.Getegid() != p.gid:
		return errors.New("the system did not change the user")
	case syscall.Setuid(0) == nil || p.gid != 0 && syscall.Setgid(0) == nil || syscall.Setgroups([]int{0}) == nil:
		return errors.New("root could be had back")
	}
	return nil
}

// own gives p a directory that was just made. It is opened first, so that no other
// file that somebody puts in its place is given away.
func (p *person) own(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chown(p.uid, p.gid), f.Close())
}

func (p *person) owns(info fs.FileInfo) bool {
	uid, _, known := ownerOf(info)
	return p != nil && known && uid == p.uid
}

func ownerOf(info fs.FileInfo) (uid, gid int, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// reaches reports why p, by whom it is asked, cannot use the directory of the store, or
// make it.
func (p *person) reaches(c *config) error {
	const readWriteEnter = 7
	dir, onDisk := c.stateFile("")
	if !onDisk {
		return nil
	}
	there := dir
	for absent(os.Stat, there) {
		there = filepath.Dir(there)
	}
	err := syscall.Access(there, readWriteEnter)
	switch {
	case err != nil && there != dir:
		return refuse("[store] url: %s cannot make the directory %s in %s, and root makes none where others have a say, or behind a link: %w", p.name, dir, there, err)
	case err != nil:
		return refuse("[store] url: %s cannot use the directory %s, of which the store has need: %w", p.name, dir, err)
	}
	return nil
}

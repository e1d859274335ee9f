// Package session keeps what outlives a command: the saved login in
// config.yaml, which ksctl may share, the cache of short-lived access tokens,
// and the token file of a running child.
//
// A login is changed under a lock, after it was read again, by one rename: a
// process that is killed, or a disk that is full, leaves the old login or the
// new one, whole. Room for the new one is made before the change that could
// use the old one up.
//
// It asks no server, decides nothing about a token, and prints nothing. No
// error of it holds a value of a file.
//
//	file := session.Open(session.Config{File: path, Check: inifile.CheckSecretFile})
//	err := file.Update(ctx, func(old session.Login) (session.Login, error) {
//		...
//	})
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// What may stand in the way; each comes wrapped in an *Error that names the
// file.
var (
	// ErrNoLogin says that there is no file, or no refresh token in it.
	ErrNoLogin = errors.New("not logged in")
	// ErrLocked says that another process had the lock for too long.
	ErrLocked = errors.New("locked")
	// ErrDamaged says that a file cannot be understood.
	ErrDamaged = errors.New("damaged")
	// ErrNewer says that a later version of the program wrote the file.
	ErrNewer = errors.New("newer")
)

// errNoCheck keeps a forgotten Check from meaning that all is well.
var errNoCheck = errors.New("session: Check is required")

// Error is what went wrong with a state file: exit code 10, but for ErrNoLogin.
type Error struct {
	// Problem names the file, lower case, with no full stop and no secret.
	Problem string
	// Cause is one of the errors above, or what the operating system said.
	Cause error
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Login is what is known between two commands. A zero field was not saved.
type Login struct {
	Verbosity    bool   // tell the story
	Resp         string // the format of results
	URL          string // of the service, which alone may see the tokens
	Username     string
	RefreshToken token.Secret
	ClientID     string
	NoSSLVerify  bool // danger: any certificate is taken

	// Dialect that the service speaks; "ciphertrust" where a file that ksctl
	// shares does not say.
	Dialect string
	Tenant  string
	Backend string // where a wazo service looks the user up
	// LoginID is what the service calls a login that is a token in itself, a personal
	// one of AWX: it is in the place of the RefreshToken. Empty for all others.
	LoginID string
	// What an oauth2 service must be told again at every refresh.
	Issuer, Scope, Resource string // Resource: URIs separated by blanks
	AuthMethod              string // how the application proves itself
	ClientKeyID             string
	// Files, by absolute names.
	ClientSecretFile, ClientKey, DPoPKey, CACert, Cert, Key string
	// ExpiresAt is when the login ends, to the second; zero: not known.
	ExpiresAt time.Time
}

// Config says where a login is saved.
type Config struct {
	// File is config.yaml, which need not exist. Required. A symbolic link is
	// written through to what it points to.
	File string
	// Check judges the open file, by its name and its owner and mode, and refuses
	// one that others could read or change. Required.
	Check func(name string, info fs.FileInfo) error
	// Wait bounds the wait for the lock. Default 15 s.
	Wait time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time

	step step // told of each write before it is made; for tests
}

// File is a saved login. It is safe for concurrent use, by processes too.
type File struct{ c Config }

// Open makes a File; it touches no disk.
func Open(c Config) *File {
	if c.Wait == 0 {
		c.Wait = 15 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &File{c}
}

// Read returns the login. It takes no lock: what it sees is whole, as files are
// exchanged by a rename. Where no refresh token is saved it returns what else
// there is with an *Error that is ErrNoLogin. Other errors: what Check says,
// an *Error that is ErrDamaged or ErrNewer, an *Error about reading.
func (f *File) Read() (Login, error) {
	target, err := resolve(f.c.File)
	if err != nil {
		return Login{}, err
	}
	doc, err := f.load(target)
	if err != nil {
		return Login{}, err
	}
	login := doc.login()
	if login.RefreshToken.IsZero() {
		return login, &Error{Problem: "no login is saved in " + show(f.c.File), Cause: ErrNoLogin}
	}
	return login, nil
}

// load reads the file as it stands; one that is not there is an empty document.
func (f *File) load(target string) (*document, error) {
	data, err := f.bytes(target)
	if errors.Is(err, fs.ErrNotExist) {
		return parse(show(f.c.File), nil)
	}
	if err != nil {
		return nil, err
	}
	return parse(show(f.c.File), data)
}

// bytes judges the open file, not its name, and returns what it holds.
func (f *File) bytes(target string) ([]byte, error) {
	if info, err := os.Stat(target); err != nil {
		return nil, fault(f.c.File, err)
	} else if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, &Error{Problem: show(f.c.File) + " is not a regular file", Cause: errors.ErrUnsupported}
	}
	file, err := os.Open(target)
	if err != nil {
		return nil, fault(f.c.File, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fault(f.c.File, err)
	}
	if f.c.Check == nil {
		return nil, errNoCheck
	}
	if err := f.c.Check(f.c.File, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fault(f.c.File, err)
	}
	return data, nil
}

// maxLinks is how many symbolic links may follow one another.
const maxLinks = 40

// resolve follows symbolic links by the name's last part, also to a file that
// is not there yet, so that a link stays one when its target is exchanged.
func resolve(name string) (string, error) {
	target := name
	for range maxLinks {
		info, err := os.Lstat(target)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return target, nil // whoever opens it says what is wrong
		}
		next, err := os.Readlink(target)
		if err != nil {
			return "", fault(name, err)
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(target), next)
		}
		target = next
	}
	return "", &Error{Problem: show(name) + ": too many symbolic links", Cause: fs.ErrInvalid}
}

// fault tells what happened to a file, without naming it twice.
func fault(name string, err error) *Error {
	return &Error{Problem: fmt.Sprintf("%s: %v", show(name), cause(err)), Cause: err}
}

// cause is what the operating system said, without the name of a file.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// show prints a file's name so that it cannot move the cursor.
func show(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// Update changes the login: it takes the lock, reads, makes room for what is to
// be written, calls change, and puts what that returns in the file's place,
// durably. Missing directories are made, mode 0700. An error of change is
// returned as it is and nothing is written; so it is when change returns what
// it was given.
//
// Where the disk is full change is not called. A login that outgrows the old
// one by more than 32 KiB may not fit all the same. An end of ctx stops the
// wait for the lock; what change then does about ctx is its own affair. A
// damaged file is refused and left alone.
func (f *File) Update(ctx context.Context, change func(Login) (Login, error)) error {
	_, err := f.update(ctx, false, change)
	return err
}

// Replace is Update for a new login: a damaged file does not stand in its way,
// but is set aside beside it under the name that is returned, and change gets
// the zero Login. Empty: nothing was set aside.
func (f *File) Replace(ctx context.Context, change func(Login) (Login, error)) (aside string, err error) {
	return f.update(ctx, true, change)
}

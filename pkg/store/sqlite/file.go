package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// makeFile makes an empty database file, and its directories, when missing.
// Files that SQLite adds take the mode of this one. A file that exists is not
// touched: closing any handle of it would drop the locks that this process
// holds on it through another Store.
func makeFile(path string) error {
	if path == "" {
		return errors.New("no path given")
	}
	dir := filepath.Dir(path)
	if err := makeDirectory(dir); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), syncDirectory(dir))
}

// makeDirectory makes dir and its parents, durably: a store lost with its
// directory is lost all the same.
func makeDirectory(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDirectory(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(dir))
}

func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" { // has no such notion
		return nil
	}
	return flush(dir)
}

func flush(path string) error {
	handle, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}

// connect gives a pool of connections to the file, with further pragmas.
func (s *Store) connect(pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(s.path)
	if err != nil {
		return nil, err
	}
	all := append([]string{
		"busy_timeout(" + strconv.FormatInt(s.busy.Milliseconds(), 10) + ")",
		"synchronous(FULL)",
	}, pragmas...)
	// The path goes through url.URL so that ? % # in it stay its own.
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_pragma":   all,
		"_error_rc": {"1"}, // else errors of the open carry a stale text
	}.Encode()}
	connector, err := driver.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// prepare makes the file ready for use: log mode and schema.
func (s *Store) prepare(ctx context.Context) error {
	db, err := s.connect()
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	return errors.Join(s.setLogMode(ctx, db), migrate(ctx, db), db.Close())
}

// setLogMode switches to the write-ahead log. SQLite does not wait for other
// processes when it switches, so the waiting is ours.
func (s *Store) setLogMode(ctx context.Context, db *sql.DB) error {
	for deadline := time.Now().Add(s.busy); ; {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode(WAL)").Scan(&mode)
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return fmt.Errorf("journal mode is %s: this file system has no shared memory", mode)
		case code(err) != lib.SQLITE_BUSY || time.Now().After(deadline):
			return err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// code is the primary result code of an error of SQLite, 0 for another one.
func code(err error) int {
	var answer *driver.Error
	if !errors.As(err, &answer) {
		return 0
	}
	return answer.Code() & 0xff
}

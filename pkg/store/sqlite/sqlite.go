// Package sqlite keeps the store in one SQLite file: durable (write-ahead log,
// synchronous=FULL: what Apply answered has been flushed to the disk), fast
// (group commit), and open to several processes of one machine at once, such
// as a server and its command line.
//
// It never shares a file between machines: the log needs shared memory, so a
// network file system is no place for it. It never goes back to an older
// schema, and never opens a newer one than it knows.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Config says what to open.
type Config struct {
	// Path of the database file. It is made when missing, readable by its owner
	// alone, and so are its missing directories. SQLite keeps two files beside
	// it, with -wal and -shm behind the name; whoever copies or removes the one
	// without the others loses data: use Backup. Required.
	Path string
	// BusyTimeout is how long a write waits for one of another process before
	// it is ErrUnavailable. Default 10 s.
	BusyTimeout time.Duration
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	*relational.Reader
	path    string
	file    os.FileInfo // what path named when it was opened
	busy    time.Duration
	readers *readers
	writer  *writer
	group   *store.Group
	closing sync.Once

	index        *index
	version      versions
	applications relational.Recent[version, store.Application]
	users        relational.Recent[version, store.User]
}

// Open opens the database, makes it when it is missing, and brings its schema
// up to date. A schema newer than this program is refused, and so is a file that was
// left for another store (Leave). An error wraps store.ErrUnavailable and names the
// file.
func Open(ctx context.Context, config Config) (*Store, error) {
	s, err := open(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := s.notLeft(ctx); err != nil {
		return nil, errors.Join(s.unavailable(err), s.Close())
	}
	return s, nil
}

// open is Open for whatever became of the file.
func open(ctx context.Context, config Config) (*Store, error) {
	path := config.Path
	if path != "" { // so that all mean the same file, wherever links and dots lead
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return nil, relational.Unavailable(config.Path, err)
		}
	}
	s := &Store{path: path, busy: cmp.Or(config.BusyTimeout, 10*time.Second)}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(s.unavailable(err), s.release())
	}
	s.group = store.NewGroup(s.writer.commitGroup)
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := makeFile(s.path); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	s.file = info
	s.index = useIndex(s.path)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	writer, err := openWriter(ctx, s)
	if err != nil {
		return err
	}
	s.writer = writer
	s.readers, err = s.openReaders(ctx)
	if err != nil {
		return err
	}
	s.Reader = relational.NewReader(s.path, dialect(), s.readers.query)
	s.version.follow(s.index.data())
	return nil
}

// moved tells that path no longer names the file that is open: somebody removed
// or replaced it, and what is written would be gone at the next start.
func (s *Store) moved() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if !os.SameFile(info, s.file) {
		return fmt.Errorf("%s: replaced by another file", s.path)
	}
	return nil
}

// Apply is store.Writer.
func (s *Store) Apply(ctx context.Context, commands ...store.Command) error {
	return s.group.Apply(ctx, commands...)
}

// WatchCommits lets commits be watched from now on, by one at a time.
func (s *Store) WatchCommits(watch store.CommitWatch) { s.group.Watch(watch) }

// Durable is true.
func (s *Store) Durable() bool { return true }

// Ping takes the right to write and gives it back, in its turn among the writes
// under way.
func (s *Store) Ping(ctx context.Context) error { return s.group.Apply(ctx) }

// Backup writes a copy of the database as it is at this moment to path, which
// must not exist, readable by its owner alone, and flushes it. Others read and
// write meanwhile.
func (s *Store) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s: %w", path, store.ErrExists))
	}
	if err := makeFile(path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	index := useIndex(s.path) // the store may be closed meanwhile
	defer func() { _ = index.release() }()
	db, err := s.connect()
	if err != nil {
		return s.unavailable(err)
	}
	db.SetMaxOpenConns(1)
	if err := errors.Join(copyInto(ctx, db, path), db.Close()); err != nil {
		return errors.Join(s.unavailable(err), os.Remove(path))
	}
	return flush(path)
}

// copyInto makes the copy, and begins a history in it.
func copyInto(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "ATTACH ? AS copied", path); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "UPDATE copied.history SET epoch = randomblob(16)")
	return err
}

// Close carries out what is queued and releases the file. Whatever comes later
// is store.ErrUnavailable.
func (s *Store) Close() error {
	s.group.Close()
	var err error
	s.closing.Do(func() { err = s.release() })
	return err
}

func (s *Store) release() error {
	var all []error
	s.version.follow(nil)
	if s.readers != nil {
		all = append(all, s.readers.close())
	}
	if s.writer != nil {
		all = append(all, s.writer.close())
	}
	if s.index != nil {
		all = append(all, s.index.release())
	}
	return errors.Join(all...)
}

// unavailable is what a caller is told of an error of the database.
func (s *Store) unavailable(err error) error {
	return relational.Unavailable(s.path, err)
}

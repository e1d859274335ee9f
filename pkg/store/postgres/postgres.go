// Package postgres keeps the store in a PostgreSQL database, for any number of
// programs on any number of machines at once: durable (synchronous_commit: what Apply
// answered has been flushed to the disk, and to a synchronous standby where there is
// one), in one order (each sees at once what any of them was answered), and there
// again by itself when the server is.
//
// It never works with a standby, whose records may be old, with a server that does not
// flush, or through a pooler such as PgBouncer, which lends one connection to several:
// statements that are kept, locks and LISTEN are a connection's own. It never goes back
// to an older schema, and never opens a newer one than it knows.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Config says what to open.
type Config struct {
	// URL of the database, postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS.
	// There may be several hosts, HOST:PORT,HOST:PORT: the one that is no standby is
	// taken, and looked for again when it is lost. The parameters are those of libpq:
	// without sslmode=verify-full nobody knows who answers. pool_max_conns is
	// Connections. Required. No error of this package has it in it.
	URL string
	// Connections are how many there are at once, besides those that follow the facts,
	// three at most; more reads and writes wait. Default 10.
	Connections int
	// Timeout is how long a read or a write may take before it is ErrUnavailable.
	// Default 10 s.
	Timeout time.Duration
	// Now is the clock of the machine. Default time.Now.
	Now func() time.Time
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	*relational.Reader
	name    string // in errors
	config  *pgx.ConnConfig
	db      *sql.DB
	texts   *texts
	timeout time.Duration
	machine func() time.Time

	following *sql.DB // reads facts

	ahead atomic.Int64   // nanoseconds by which the server's clock is
	plain []*store.Group // this and the next two: see Apply
	facts *store.Group
	alone *store.Group

	opened  time.Time
	changes atomic.Int64 // of applications, through this store
	recent  relational.Recent[moment, store.Application]

	closing    context.Context // over when the store is closed
	close      context.CancelFunc
	background sync.WaitGroup
}

// Open connects to the database and brings its schema up to date. A server that is a
// standby or does not flush is refused, and so is a schema newer than this program. An
// error wraps store.ErrUnavailable and names the server.
func Open(ctx context.Context, config Config) (*Store, error) {
	parsed, connections, err := parse(config)
	if err != nil {
		return nil, relational.Unavailable("postgresql", err)
	}
	s := &Store{name: nameOf(parsed), config: parsed, texts: newTexts(), timeout: cmp.Or(config.Timeout, 10*time.Second), machine: config.Now}
	if s.machine == nil {
		s.machine = time.Now
	}
	s.opened = s.machine()
	if err := s.prepare(ctx); err != nil {
		return nil, s.unavailable(err)
	}
	s.db = stdlib.OpenDB(*parsed)
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	s.following = stdlib.OpenDB(*parsed)
	s.following.SetMaxOpenConns(followers)
	s.following.SetMaxIdleConns(followers)
	s.Reader = relational.NewReader(s.name, dialect(), s.queryBy(s.db)).Within(s.timeout)
	if err := s.readClock(ctx); err != nil {
		return nil, errors.Join(s.unavailable(err), s.db.Close(), s.following.Close())
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.startGroups()
	s.background.Go(s.followClock)
	return s, nil
}

// prepare makes the schema ready for use. What it takes may take long.
func (s *Store) prepare(ctx context.Context) error {
	patient := s.config.Copy()
	for _, name := range []string{"statement_timeout", "lock_timeout"} {
		patient.RuntimeParams[name] = "0"
	}
	db := stdlib.OpenDB(*patient)
	db.SetMaxOpenConns(1)
	return errors.Join(migrate(ctx, db), db.Close())
}

// queryBy makes a relational.QueryFunc. A connection that was lost meanwhile is no
// reason to fail: nothing was changed.
func (s *Store) queryBy(db *sql.DB) relational.QueryFunc {
	return func(ctx context.Context, read func(*sql.Rows) error, query string, args ...any) (err error) {
		text, args := s.texts.of(query), values(args)
		rows, err := db.QueryContext(ctx, text, args...)
		if err != nil && lost(err) && ctx.Err() == nil {
			rows, err = db.QueryContext(ctx, text, args...)
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		return read(rows)
	}
}

// Name is what errors call the database: where it is and what it is called there,
// without user and password.
func (s *Store) Name() string { return s.name }

// WatchCommits lets commits be watched from now on, by several at once.
func (s *Store) WatchCommits(watch store.CommitWatch) {
	for _, group := range s.groups() {
		group.Watch(watch)
	}
}

// Durable is true: the database would not have been opened.
func (s *Store) Durable() bool { return true }

// Ping takes the right to write and gives it back.
func (s *Store) Ping(ctx context.Context) error { return s.Apply(ctx) }

// Close carries out what is queued and closes the connections. Whatever comes later is
// store.ErrUnavailable.
func (s *Store) Close() error {
	for _, group := range s.groups() {
		group.Close()
	}
	s.close()
	s.background.Wait()
	return errors.Join(s.db.Close(), s.following.Close())
}

// unavailable is what a caller is told of an error of the database.
func (s *Store) unavailable(err error) error { return relational.Unavailable(s.name, err) }

// lost tells that the connection is of no use any more, or has led to a server that
// takes no changes: another one may be better.
func lost(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, sql.ErrConnDone)
	}
	switch answer.Code {
	case "25006", // read_only_sql_transaction
		"57P01", "57P02", "57P03", // admin_shutdown, crash_shutdown, cannot_connect_now
		"25P03", "57P05": // idle_in_transaction_session_timeout, idle_session_timeout
		return true
	}
	return answer.Code[:2] == "08" // connection_exception
}

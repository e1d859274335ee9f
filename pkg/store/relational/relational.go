// Package relational keeps the records of a store in SQL tables: what the stores
// over SQLite and PostgreSQL have in common, that is nearly every statement.
//
// It never opens a connection, begins or ends a transaction, makes a table or
// judges an error of a database: that is the business of the store that uses it.
//
// Statements are written as SQLite reads them: ? stands for an argument, and
// INDEXED BY names an index. Another database is given them translated. What
// cannot be said in one way is in a Dialect.
package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Dialect is what databases write differently.
type Dialect struct {
	// Names is a query that gives the names of a list, one a row, from the one
	// argument that holds them: a JSON array of texts in hexadecimal digits.
	Names string
	// Union gives a condition on the column number, that it is of the access tokens of a
	// Union, and its arguments.
	Union func(Union) (condition string, args []any)
	// Holds is a condition: the column client holds the argument, whatever the case
	// of ASCII letters.
	Holds string
	// Purge gives a statement that removes rows of a table, whose key and whose end
	// are columns of it: those that ended before the first argument, the earliest
	// first, at most as many as the second one says. Those that somebody else has in
	// hand may be left out.
	Purge func(table, key, end string) string
	// Head is a query that gives the members of a store.Head; empty where Reader.Head is
	// not what is asked.
	Head string
	// RetireKey is the statement of store.RetireKey, which asks for State,
	// LastSigned, Least and ID. What ends after the last instant ends at it.
	RetireKey string
	// StretchKey is the same of store.StretchKey: TTL, At, TTL and ID.
	StretchKey string
}

// Union asks for the access tokens of several subjects and clients, up to Limit with
// numbers after After, and may give more.
type Union struct {
	Tenant            string
	Subjects, Clients int    // how many there are of each
	SubjectList       string // as Names reads it
	ClientList        string
	FromSubject       string // what follows FROM, up to a condition on the subject: asks for the tenant
	FromClient        string // the same for a condition on the client
	After             int64
	Limit             int
}

// QueryFunc runs a query outside of any transaction, and closes its rows when they have
// been read.
type QueryFunc func(ctx context.Context, read func(*sql.Rows) error, query string, args ...any) error

// Reader is all that a store reads.
type Reader struct {
	name    string
	dialect *Dialect
	query   QueryFunc
	within  time.Duration // 0: as long as it takes
}

// NewReader reads by query. Errors call the database by its name.
func NewReader(name string, dialect *Dialect, query QueryFunc) *Reader {
	return &Reader{name: name, dialect: dialect, query: query}
}

// Within sets how long a read may take, and gives the reader.
func (r *Reader) Within(d time.Duration) *Reader {
	r.within = d
	return r
}

// Unavailable is what a caller is told of an error of the database called name.
func Unavailable(name string, err error) error {
	return fmt.Errorf("%s: %w: %w", name, store.ErrUnavailable, err)
}

// one reads a single record, called what in the answer when there is none.
func one[T any](ctx context.Context, r *Reader, scan func(*sql.Rows) (T, error), what, query string, args ...any) (T, error) {
	all, err := list(ctx, r, scan, query, args...)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

func list[T any](ctx context.Context, r *Reader, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	all, err := collect(ctx, r, scan, query, args...)
	switch {
	case err == nil:
		return all, nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil, fmt.Errorf("%s: %w", r.name, err)
	default:
		return nil, Unavailable(r.name, err)
	}
}

func collect[T any](ctx context.Context, r *Reader, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	if r.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.within)
		defer cancel()
	}
	var all []T
	err := r.query(ctx, func(rows *sql.Rows) error {
		for rows.Next() {
			record, err := scan(rows)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			all = append(all, record)
		}
		return rows.Err()
	}, query, args...)
	return all, err
}

// Tx is a transaction under way. Its errors wrap store.ErrUnavailable, and end it.
type Tx interface {
	// Exec runs a statement and counts the rows it changed.
	Exec(query string, args ...any) (int64, error)
	// Row runs a query that answers one row or none.
	Row(query string, args []any, into ...any) (found bool, err error)
	// Revoke records a fact, as store.Revoke says.
	Revoke(fact store.Revoke) error
}

// Writer carries out commands in a transaction.
type Writer struct {
	Tx
	Dialect *Dialect
}

// must runs a statement that changes a row, else the answer is the refusal.
func (w *Writer) must(refusal error, what, name, query string, args ...any) error {
	rows, err := w.Exec(query, args...)
	if err != nil || rows > 0 {
		return err
	}
	return fmt.Errorf("%s %s: %w", what, name, refusal)
}

// exists runs a query that answers true or false.
func (w *Writer) exists(query string, args ...any) (found bool, err error) {
	_, err = w.Row(query, args, &found)
	return found, err
}

// conflict tells why a compare-and-set changed nothing.
func (w *Writer) conflict(what string, found bool, err error) error {
	switch {
	case err != nil:
		return err
	case found:
		return fmt.Errorf("%s: %w", what, store.ErrConflict)
	}
	return fmt.Errorf("%s: %w", what, store.ErrNotFound)
}

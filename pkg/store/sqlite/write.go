package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// writer is the one connection that changes the database. Only the goroutine of
// the group uses it.
type writer struct {
	store    *Store
	db       *sql.DB
	conn     *sql.Conn
	kept     *statements
	commands *relational.Writer
}

func openWriter(ctx context.Context, s *Store) (*writer, error) {
	// A flood of random keys touches many pages: they are better cached, and
	// carried from the log (16 MB) to the file rarely.
	db, err := s.connect("cache_size(-8000)", "wal_autocheckpoint(4000)")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w := &writer{store: s, db: db, conn: conn, kept: newStatements(conn.PrepareContext)}
	w.commands = &relational.Writer{Tx: w, Dialect: dialect()}
	return w, nil
}

func (w *writer) close() error {
	return errors.Join(w.kept.close(), w.conn.Close(), w.db.Close())
}

// commitGroup is a store.CommitFunc.
func (w *writer) commitGroup(group [][]store.Command, answers []error) error {
	if _, err := w.Exec("BEGIN IMMEDIATE"); err != nil {
		return told(answers, err)
	}
	for i, commands := range group {
		answers[i] = w.operation(commands)
		if errors.Is(answers[i], store.ErrUnavailable) {
			w.rollback()
			return told(answers, answers[i])
		}
	}
	_, err := w.run("COMMIT")
	if err == nil {
		return w.store.moved()
	}
	w.rollback()
	// A full disk is found out while the log is written, before the flush: the
	// frames without their commit mark are void, and space may come back.
	if code(err) == lib.SQLITE_FULL {
		return told(answers, w.store.unavailable(err))
	}
	return fmt.Errorf("%s: %w", w.store.path, err)
}

// told gives all of a group the same answer.
func told(answers []error, err error) error {
	for i := range answers {
		answers[i] = err
	}
	return nil
}

// rollback ends a transaction that failed. SQLite may have ended it already, so
// its answer tells nothing; if one were left open, the next BEGIN would fail.
func (w *writer) rollback() { _, _ = w.Exec("ROLLBACK") }

// operation carries out the commands of one Apply within the transaction of the
// group. One command alone changes nothing when it is refused.
func (w *writer) operation(commands []store.Command) error {
	if len(commands) == 1 {
		return w.commands.Command(commands[0])
	}
	if len(commands) == 0 {
		return w.ping()
	}
	if _, err := w.Exec("SAVEPOINT operation"); err != nil {
		return err
	}
	for _, command := range commands {
		if err := w.commands.Command(command); err != nil {
			return w.undo(err)
		}
	}
	_, err := w.Exec("RELEASE operation")
	return err
}

// ping changes nothing, but takes the right to. BEGIN IMMEDIATE does not where the file
// or its disk is read-only.
func (w *writer) ping() error {
	_, err := w.Exec("DELETE FROM revocations WHERE 0")
	return err
}

// undo takes back an operation that was refused for the given reason.
func (w *writer) undo(reason error) error {
	if errors.Is(reason, store.ErrUnavailable) {
		return reason
	}
	if _, err := w.Exec("ROLLBACK TO operation"); err != nil {
		return err
	}
	if _, err := w.Exec("RELEASE operation"); err != nil {
		return err
	}
	return reason
}

// Exec is relational.Tx.
func (w *writer) Exec(query string, args ...any) (int64, error) {
	rows, err := w.run(query, args...)
	if err != nil {
		return 0, w.store.unavailable(err)
	}
	return rows, nil
}

// run knows no context: a statement cut short would take the whole group with
// it.
func (w *writer) run(query string, args ...any) (int64, error) {
	ctx := context.Background()
	statement, err := w.kept.get(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Row is relational.Tx.
func (w *writer) Row(query string, args []any, into ...any) (found bool, err error) {
	ctx := context.Background()
	statement, err := w.kept.get(ctx, query)
	if err != nil {
		return false, w.store.unavailable(err)
	}
	err = statement.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, w.store.unavailable(err)
	}
	return true, nil
}

// Revoke is relational.Tx. The first statement is enough for all but the facts that
// exist; the second replaces one by itself merged, under a new number, if that is
// another.
func (w *writer) Revoke(c store.Revoke) error {
	r := c.Revocation
	const add = `INSERT INTO revocations (kind, key, at, until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	key := []byte(r.Key)
	rows, err := w.Exec(add, r.Kind, key, r.At, r.Until)
	if err != nil || rows > 0 {
		return err
	}
	const merge = `INSERT OR REPLACE INTO revocations (kind, key, at, until)
		SELECT kind, key, max(at, ?), CASE WHEN until = 0 OR ? = 0 THEN 0 ELSE max(until, ?) END
		FROM revocations WHERE kind = ? AND key = ?
		AND (at < ? OR (until <> 0 AND (? = 0 OR until < ?)))`
	_, err = w.Exec(merge, r.At, r.Until, r.Until, r.Kind, key, r.At, r.Until, r.Until)
	return err
}

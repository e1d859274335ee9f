package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// left is where the facts are kept in a file that was left. In the place of their table
// is a view of one that is not there and has the new store in its name: so that
// programs that have the file open cannot follow the facts any more, vouch for nothing
// soon, and say why.
const left = "left_revocations"

// leftFor is how the name of that table begins.
const leftFor = "this store was left for "

// Leaving is a store that is left for another one, for good. It is the source of a copy.
type Leaving struct {
	s    *Store
	to   string
	mark string // of the file: the store it was left for; empty: none yet
}

// Leave opens a store that is there, to copy it to another one, called to. A file that
// was left for that one already is opened once more, since the copy may have failed at
// its very end; one that was left for another one is store.ErrExists.
func Leave(ctx context.Context, config Config, to string) (*Leaving, error) {
	s, err := open(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &Leaving{s: s, to: to}
	if l.mark, err = leftTo(ctx, s.readers.db); err == nil && l.mark != "" && l.mark != to {
		err = fmt.Errorf("it was left for %s: %w", l.mark, store.ErrExists)
	}
	if err != nil {
		return nil, errors.Join(s.unavailable(err), s.Close())
	}
	return l, nil
}

// Keys is store.Keys.
func (l *Leaving) Keys(ctx context.Context) ([]store.Key, error) { return l.s.Keys(ctx) }

// Left tells whether the file is marked: no program will use it any more.
func (l *Leaving) Left() bool { return l.mark != "" }

// Close releases the file.
func (l *Leaving) Close() error { return l.s.Close() }

// Export is relational.Source. From its beginning nobody writes to the store: those who
// try wait, and are told in the end that it is unavailable. When all was taken the file
// is marked, durably, before Export returns: what nobody was answered cannot be lost,
// and what anybody was answered is in the copy. A copy that is not kept after that has
// to be made again.
func (l *Leaving) Export(ctx context.Context, take func(relational.Rows) error) error {
	conn, err := l.s.writer.db.Conn(ctx)
	if err != nil {
		return l.s.unavailable(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return l.s.unavailable(err)
	}
	err = l.export(ctx, conn, take)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
			l.mark = l.to
			return nil
		}
		err = l.s.unavailable(err)
	}
	_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // the file is closed next
	return err
}

func (l *Leaving) export(ctx context.Context, conn *sql.Conn, take func(relational.Rows) error) error {
	if l.Left() {
		return l.s.exportFrom(ctx, conn, left, take)
	}
	if err := l.s.exportFrom(ctx, conn, facts, take); err != nil {
		return err
	}
	for _, statement := range markFor(l.to) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return l.s.unavailable(err)
		}
	}
	return nil
}

// markFor are the statements that mark a file. The triggers refuse what programs write
// that have it open.
func markFor(to string) (statements []string) {
	name := leftFor + to
	refuse := "SELECT RAISE(ABORT, '" + strings.ReplaceAll(name, "'", "''") + "'); END"
	for _, table := range relational.Tables() {
		if table == relational.Head {
			continue
		}
		for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
			statements = append(statements, "CREATE TRIGGER left_"+table+"_"+change+" BEFORE "+change+" ON "+table+" BEGIN "+refuse)
		}
	}
	return append(statements, "ALTER TABLE "+facts+" RENAME TO "+left, "CREATE VIEW "+facts+" AS SELECT * FROM "+quoted(name))
}

// leftTo is the store that the file was left for; empty: none.
func leftTo(ctx context.Context, db *sql.DB) (to string, err error) {
	const query = "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = '" + facts + "'"
	var text string
	err = db.QueryRowContext(ctx, query).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	_, name, _ := strings.Cut(text, `"`+leftFor)
	return strings.ReplaceAll(strings.TrimSuffix(name, `"`), `""`, `"`), err
}

// notLeft refuses a file that was left.
func (s *Store) notLeft(ctx context.Context) error {
	to, err := leftTo(ctx, s.readers.db)
	if err == nil && to != "" {
		err = errors.New(leftFor + to)
	}
	return err
}

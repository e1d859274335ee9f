package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Create makes a store of all records of another one, with their numbers, and counts
// them. The file must not exist; after an error there is none.
func Create(ctx context.Context, config Config, source relational.Source) (counts relational.Counts, err error) {
	if _, err := os.Lstat(config.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", config.Path, store.ErrExists))
	}
	s, err := Open(ctx, config)
	if err != nil {
		return nil, err
	}
	counts, err = s.importAll(ctx, source)
	if err := errors.Join(err, s.Close()); err != nil { // the last one to close it leaves one file
		return nil, errors.Join(err, os.Remove(config.Path))
	}
	return counts, flush(config.Path)
}

func (s *Store) importAll(ctx context.Context, source relational.Source) (relational.Counts, error) {
	tx, err := s.writer.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, s.unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, "DELETE FROM tenants"); err != nil {
		return nil, s.unavailable(err)
	}
	counts := relational.Counts{}
	err = source.Export(ctx, func(rows relational.Rows) error {
		n, err := s.importTable(ctx, tx, rows)
		counts.Add(rows.Table, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, s.unavailable(err)
	}
	return counts, nil
}

func (s *Store) importTable(ctx context.Context, tx *sql.Tx, rows relational.Rows) (n int64, err error) {
	columns, err := columnsOf(ctx, tx, rows.Table, facts)
	if err != nil {
		return 0, s.unavailable(err)
	}
	isText := map[string]bool{}
	for _, c := range columns {
		isText[strings.Trim(c.name, `"`)] = c.isText
	}
	if rows.Table == relational.Head {
		// Whatever the facts have made of it.
		if _, err := tx.ExecContext(ctx, "DELETE FROM sqlite_sequence"); err != nil {
			return 0, s.unavailable(err)
		}
	}
	insert, err := tx.PrepareContext(ctx, insertInto(rows))
	if err != nil {
		return 0, s.unavailable(err)
	}
	defer func() { _ = insert.Close() }()
	for ; ; n++ {
		row, err := rows.Next()
		if err != nil || row == nil {
			return n, err
		}
		for i, value := range row {
			if b, ok := value.([]byte); ok && isText[strings.Trim(rows.Columns[i], `"`)] {
				row[i] = string(b)
			}
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return n, s.unavailable(err)
		}
	}
}

// insertInto is the statement that adds one row. That of the head is a number that
// SQLite is to remember.
func insertInto(rows relational.Rows) string {
	if rows.Table == relational.Head {
		return "INSERT INTO sqlite_sequence (seq, name) SELECT ?, '" + facts + "' WHERE ? = 1"
	}
	return "INSERT INTO " + rows.Table + " (" + strings.Join(rows.Columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(rows.Columns)-1) + ")"
}

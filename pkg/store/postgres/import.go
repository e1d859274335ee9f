package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Source is a store that can be copied, such as one in a file.
type Source = relational.Source

// Import copies all records of another store, with their numbers, into this one, all
// or none, and counts them. Nobody else can write meanwhile. A store that has any is
// store.ErrExists. After store.ErrUnavailable it may have taken place: then the next
// one is ErrExists.
func (s *Store) Import(ctx context.Context, source Source) (counts relational.Counts, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, s.unavailable(err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(driver any) error {
		tx, err := driver.(*stdlib.Conn).Conn().Begin(ctx)
		if err != nil {
			return s.unavailable(err)
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
		if counts, err = s.importAll(ctx, tx, source); err != nil {
			return err
		}
		return s.commitImport(ctx, tx)
	})
	return counts, err
}

// commitImport is tx.commit for an import.
func (s *Store) commitImport(ctx context.Context, tx pgx.Tx) error {
	err := tx.Commit(ctx)
	if warned := takeWarning(tx.Conn().PgConn()); err == nil {
		err = warned
	}
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

func (s *Store) importAll(ctx context.Context, tx pgx.Tx, source Source) (relational.Counts, error) {
	for _, statement := range []string{patience, turnstile} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return nil, s.unavailable(err)
		}
	}
	if err := s.clear(ctx, tx); err != nil {
		return nil, err
	}
	counts := relational.Counts{}
	err := source.Export(ctx, func(rows relational.Rows) error {
		columns := make([]string, len(rows.Columns))
		for i, column := range rows.Columns {
			columns[i] = strings.Trim(column, `"`)
		}
		n, err := tx.CopyFrom(ctx, pgx.Identifier{rows.Table}, columns, pgx.CopyFromFunc(rows.Next))
		if err != nil {
			return s.unavailable(err)
		}
		counts.Add(rows.Table, n)
		return nil
	})
	return counts, err
}

// clear removes what an empty store has, and refuses one that has more. Nobody can
// write from here on.
func (s *Store) clear(ctx context.Context, tx pgx.Tx) error {
	all := strings.Join(relational.Tables(), ", ")
	if _, err := tx.Exec(ctx, "LOCK TABLE "+all+" IN EXCLUSIVE MODE"); err != nil {
		return s.unavailable(err)
	}
	for _, table := range relational.Tables() {
		query := "SELECT EXISTS (SELECT 1 FROM " + table + ")"
		switch table {
		case "tenants":
			query = "SELECT EXISTS (SELECT 1 FROM tenants WHERE name <> 'default' OR updated_at <> 0)"
		case relational.Head:
			query = "SELECT EXISTS (SELECT 1 FROM " + table + " WHERE seq <> 0)"
		}
		var full bool
		if err := tx.QueryRow(ctx, query).Scan(&full); err != nil {
			return s.unavailable(err)
		}
		if full {
			return fmt.Errorf("%s is not empty: there is a record in table %s: %w", s.name, table, store.ErrExists)
		}
	}
	_, err := tx.Exec(ctx, "DELETE FROM tenants; DELETE FROM "+relational.Head)
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

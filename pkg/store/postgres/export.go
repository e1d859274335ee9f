package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Export is relational.Source. Others read and write meanwhile.
func (s *Store) Export(ctx context.Context, take func(relational.Rows) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return s.unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	if _, err := tx.ExecContext(ctx, patience); err != nil {
		return s.unavailable(err)
	}
	for _, table := range relational.Tables() {
		columns, err := columnsOf(ctx, tx, table)
		if err != nil {
			return s.unavailable(err)
		}
		if err := relational.ExportTable(ctx, tx, table, columns, table, take); err != nil {
			return fmt.Errorf("%s: table %s: %w", s.name, table, err)
		}
	}
	return nil
}

// patience is for a transaction that may take long, also between two rows.
const patience = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

// columnsOf are those that are not made of others, as they are to be written.
func columnsOf(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	const query = `SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`
	var all string
	err := tx.QueryRowContext(ctx, query, table).Scan(&all)
	return strings.Split(all, ","), err
}

package relational

import (
	"context"
	"database/sql"
	"strings"
)

// Tables are those that make up a store, in no order that matters. What a database
// keeps for itself, such as counts, is not among them.
func Tables() []string {
	return []string{
		"tenants", "numbers", "users", "applications", "service_accounts", "organisations", "memberships",
		"policies", "properties", "keys", "sessions", "refresh_tokens", "tickets", "once", "access_tokens",
		"revocations", Head,
	}
}

// Head is the table of the last number that a fact was given: seq, and one, which is 1.
// A database need not have it as a table.
const Head = "revocation_head"

// Rows are all rows of a table.
type Rows struct {
	Table   string
	Columns []string
	// Next gives a row, the columns as int64 or as []byte, and nil after the last one.
	// It is to be called until then.
	Next func() ([]any, error)
}

// Counts are how many records were copied, by table.
type Counts map[string]int64

// Add counts the rows of a table. Head has no records.
func (c Counts) Add(table string, rows int64) {
	if table != Head {
		c[table] += rows
	}
}

// Source is a store that can be copied.
type Source interface {
	// Export gives all tables, as they were at one instant, in the order of Tables. An
	// error means that what was taken is not to be kept.
	Export(ctx context.Context, take func(Rows) error) error
}

// Querier is a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// ExportTable gives all rows of a table: of what follows FROM, which may be another
// name for it.
func ExportTable(ctx context.Context, db Querier, table string, columns []string, from string, take func(Rows) error) error {
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+from)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // an error there was, Next has given
	next := func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return scanRow(rows, len(columns))
	}
	return take(Rows{Table: table, Columns: columns, Next: next})
}

// scanRow makes bytes of texts, and none of nil, which is how none are read.
func scanRow(rows *sql.Rows, columns int) ([]any, error) {
	row, into := make([]any, columns), make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	err := rows.Scan(into...)
	for i, value := range row {
		switch value := value.(type) {
		case string:
			row[i] = []byte(value)
		case []byte:
			row[i] = append([]byte{}, value...)
		}
	}
	return row, err
}

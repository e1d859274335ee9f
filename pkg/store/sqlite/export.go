package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Export is relational.Source. Others read and write meanwhile.
func (s *Store) Export(ctx context.Context, take func(relational.Rows) error) error {
	index := useIndex(s.path) // the store may be closed meanwhile
	defer func() { _ = index.release() }()
	tx, err := s.readers.db.BeginTx(ctx, nil) // what it sees is what the first read saw
	if err != nil {
		return s.unavailable(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	return s.exportFrom(ctx, tx, facts, take)
}

// facts is the table of the facts.
const facts = "revocations"

// exportFrom gives all tables, with the facts from where they are kept.
func (s *Store) exportFrom(ctx context.Context, db relational.Querier, facts string, take func(relational.Rows) error) error {
	for _, table := range relational.Tables() {
		columns, err := columnsOf(ctx, db, table, facts)
		if err == nil {
			err = relational.ExportTable(ctx, db, table, names(columns), rowsOf(table, facts), take)
		}
		if err != nil {
			return fmt.Errorf("%s: table %s: %w", s.path, table, err)
		}
	}
	return nil
}

// rowsOf is where the rows of a table are. The head is no table here: SQLite remembers
// it.
func rowsOf(table, facts string) string {
	switch table {
	case relational.Head:
		return "(SELECT coalesce(max(seq), 0) AS seq, 1 AS one FROM sqlite_sequence WHERE name = '" + facts + "')"
	case "revocations":
		return facts
	}
	return table
}

// column is one that is not made of others.
type column struct {
	name   string // as it is to be written
	isText bool
}

func columnsOf(ctx context.Context, db relational.Querier, table, facts string) (columns []column, err error) {
	if table == relational.Head {
		return []column{{name: "seq"}, {name: "one"}}, nil
	}
	const query = `SELECT '"' || name || '"', type = 'TEXT' FROM pragma_table_info(?)` // has no generated ones
	rows, err := db.QueryContext(ctx, query, rowsOf(table, facts))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.isText); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, rows.Err()
}

func names(columns []column) (all []string) {
	for _, c := range columns {
		all = append(all, c.name)
	}
	return all
}

// quoted is a name as it is to be written.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

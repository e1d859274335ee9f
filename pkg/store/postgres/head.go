package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// followers is how many connections there are for reading facts alone: whoever follows
// them must not wait for those who change something.
const followers = 2

// mark is written to the log and nowhere else.
const mark = "pg_logical_emit_message(true, 'ats-auth', '')"

// history is a query for a store.Head. A standby that takes over goes on with a
// timeline of its own, the first eight digits of the name of the file that it logs to;
// tables that are made or filled anew have files of other numbers.
//
// Where a commit waits for a standby it commits a mark: a server whose standby has taken
// over without its knowing answers reads as ever, and that is what it cannot do any
// more, since the standby acknowledges only what comes from the server that it follows.
const history = `SELECT encode(epoch, 'hex') || left(pg_walfile_name(pg_current_wal_lsn()), 8)
	|| pg_relation_filenode('revocation_head'), seq,
	(SELECT ` + mark + ` WHERE current_setting('synchronous_standby_names') <> '')::text
	FROM history, revocation_head AS head WHERE history.one = 1 AND head.one = 1`

// Head is store.Revocations.
func (s *Store) Head(ctx context.Context) (head store.Head, err error) {
	err = s.follow(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var marked *string
		return conn.QueryRow(ctx, history).Scan(&head.Epoch, &head.Seq, &marked)
	})
	if err != nil && !errors.Is(err, store.ErrUnavailable) { // the mark may be what took too long
		err = s.unavailable(err)
	}
	return head, err
}

// Revocations is store.Revocations. A process that begins reads millions of rows: what
// database/sql does for each takes longer than all else.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (facts []store.Revocation, err error) {
	const query = "SELECT seq, kind, key, at, until FROM revocations WHERE seq > $1 ORDER BY seq LIMIT $2"
	formats := pgx.QueryResultFormats{pgx.BinaryFormatCode, pgx.BinaryFormatCode, pgx.BinaryFormatCode, pgx.BinaryFormatCode, pgx.BinaryFormatCode}
	err = s.follow(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		mode := pgx.QueryExecModeCacheStatement // whatever the URL says: others give text
		if conn.Config().StatementCacheCapacity == 0 {
			mode = pgx.QueryExecModeDescribeExec
		}
		rows, err := conn.Query(ctx, query, mode, formats, after, max(limit, 0))
		if err != nil {
			return err
		}
		defer rows.Close()
		facts = nil
		var f store.Revocation
		for rows.Next() {
			columns := rows.RawValues()
			if f.Kind != string(columns[1]) { // mostly as in the row before
				f.Kind = string(columns[1])
			}
			f.Seq, f.Key, f.At, f.Until = number(columns[0]), string(columns[2]), number(columns[3]), number(columns[4])
			facts = append(facts, f)
		}
		return rows.Err()
	})
	return facts, err
}

// number reads a BIGINT as it is sent.
func number(column []byte) int64 { return int64(binary.BigEndian.Uint64(column)) }

// follow does something on a connection of the followers, and once more on another one
// where that was lost meanwhile. What it changes may be changed twice.
func (s *Store) follow(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.followOnce(within, do)
	if err != nil && lost(err) && within.Err() == nil {
		err = s.followOnce(within, do)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return s.unavailable(err)
}

func (s *Store) followOnce(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	conn, err := s.following.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error {
		conn := driver.(*stdlib.Conn).Conn()
		err := do(ctx, conn)
		return errors.Join(err, takeWarning(conn.PgConn()))
	})
}

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// followers is how many connections there are for reading facts alone: whoever follows
// them must not wait for those who change something.
const followers = 2

// history is a query for a store.Head. A standby that takes over goes on with a
// timeline of its own, the first eight digits of the name of the file that it logs to;
// tables that are made or filled anew have files of other numbers.
const history = `SELECT encode(epoch, 'hex') || left(pg_walfile_name(pg_current_wal_lsn()), 8)
	|| pg_relation_filenode('revocation_head'), seq
	FROM history, revocation_head AS head WHERE history.one = 1 AND head.one = 1`

// Head is store.Revocations. A server whose standby has taken over without its knowing
// answers reads as ever: what it cannot do any more is to commit.
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	if err := s.prove(ctx); err != nil {
		return store.Head{}, s.unavailable(err)
	}
	return s.follower.Head(ctx)
}

// Revocations is store.Revocations.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	return s.follower.Revocations(ctx, after, limit)
}

// prove commits something where a commit waits for a standby. The standby acknowledges
// it only to the server that it follows.
func (s *Store) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := s.following.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const query = "SELECT " + mark + " WHERE current_setting('synchronous_standby_names') <> ''"
	_, err = conn.ExecContext(ctx, query)
	return errors.Join(err, conn.Raw(func(driver any) error {
		return takeWarning(driver.(*stdlib.Conn).Conn().PgConn())
	}))
}

// mark is written to the log and nowhere else.
const mark = "pg_logical_emit_message(true, 'ats-auth', '')"

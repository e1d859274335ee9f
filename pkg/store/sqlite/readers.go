package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// readers are the connections that read. Each keeps the statements that were prepared
// on it; what was used last is used next, so that few have anything to keep.
type readers struct {
	db    *sql.DB
	turns chan struct{} // holds one for each read under way

	mu   sync.Mutex
	idle []*reader
}

type reader struct {
	conn *sql.Conn
	kept *statements
}

// mostReaders is how many reads run at once; more wait. They hold a page cache each.
const mostReaders = 4

func (s *Store) openReaders(ctx context.Context) (*readers, error) {
	db, err := s.connect("query_only(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(mostReaders + 1) // and one that reads everything (Export)
	db.SetMaxIdleConns(1)
	return &readers{db: db, turns: make(chan struct{}, mostReaders)}, db.PingContext(ctx)
}

// query is a relational.QueryFunc. It waits for its turn no longer than ctx lasts; a
// query that has begun is carried out, since what it costs to watch the context is as
// much as the query.
func (r *readers) query(ctx context.Context, read func(*sql.Rows) error, query string, args ...any) (err error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
	}
	if err = ctx.Err(); err != nil {
		return err
	}
	one, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer r.give(one)
	ctx = context.WithoutCancel(ctx)
	statement, err := one.kept.get(ctx, query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return read(rows)
}

func (r *readers) take(ctx context.Context) (*reader, error) {
	r.mu.Lock()
	if last := len(r.idle) - 1; last >= 0 {
		one := r.idle[last]
		r.idle = r.idle[:last]
		r.mu.Unlock()
		return one, nil
	}
	r.mu.Unlock()
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &reader{conn, newStatements(conn.PrepareContext)}, nil
}

func (r *readers) give(one *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, one)
}

// close waits for the reads under way.
func (r *readers) close() error {
	var all []error
	for range mostReaders {
		r.turns <- struct{}{}
	}
	for _, one := range r.idle {
		all = append(all, one.kept.close(), one.conn.Close())
	}
	r.idle = nil
	all = append(all, r.db.Close())
	for range mostReaders { // what comes now finds the pool closed
		<-r.turns
	}
	return errors.Join(all...)
}

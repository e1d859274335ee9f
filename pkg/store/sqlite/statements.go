package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statements keeps what was prepared on a connection or a pool, by its text.
// They are to be closed before what they were prepared on: SQLite keeps a connection
// that has statements, with its files.
type statements struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)

	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

func newStatements(prepare func(context.Context, string) (*sql.Stmt, error)) *statements {
	return &statements{prepare: prepare, kept: map[string]*sql.Stmt{}}
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	statement := s.kept[query]
	s.mu.RUnlock()
	if statement != nil {
		return statement, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if statement := s.kept[query]; statement != nil {
		return statement, nil
	}
	statement, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	s.kept[query] = statement
	return statement, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, statement := range s.kept {
		all = append(all, statement.Close())
	}
	clear(s.kept)
	return errors.Join(all...)
}

// Package measured watches a store: how long changes take, how many are committed
// together, and how often the store fails.
//
// It changes nothing of what the store answers, and counts no answer that is none
// of the store's failing: not found, exists already, changed meanwhile.
package measured

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/histogram"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// Store is a store that is watched.
type Store struct {
	store.Store
	applies    *histogram.Histogram
	commits    *histogram.Histogram
	operations *histogram.Histogram
	writes     atomic.Uint64
	reads      atomic.Uint64
}

// committer is a store that commits in groups.
type committer interface {
	WatchCommits(watch store.CommitWatch)
}

// New watches a store. Closing it closes that one.
func New(s store.Store) *Store {
	m := &Store{Store: s, applies: times(), commits: times(), operations: histogram.New(1, 2, 4, 8, 16, 32, 64, 128, 256)}
	if c, ok := s.(committer); ok {
		c.WatchCommits(func(operations int, took time.Duration) {
			m.operations.Observe(int64(operations))
			m.commits.Observe(took.Nanoseconds())
		})
	}
	return m
}

func times() *histogram.Histogram {
	const us, ms = int64(time.Microsecond), int64(time.Millisecond)
	return histogram.New(100*us, 250*us, 500*us, ms, 2500*us, 5*ms, 10*ms, 25*ms, 100*ms, 500*ms, 2500*ms, 10_000*ms)
}

// Stats are the counts since New. Times are in seconds.
type Stats struct {
	Applies    histogram.Reading // how long a caller waited for a change
	Commits    histogram.Reading // how long a commit took; none where the store has no groups
	Operations histogram.Reading // how many changes a commit had
	// WriteErrors and ReadErrors count what wraps store.ErrUnavailable. Of the reads
	// those count that requests stand on.
	WriteErrors, ReadErrors uint64
}

// Stats returns the counts.
func (m *Store) Stats() Stats {
	return Stats{
		Applies: m.applies.Read(1e-9), Commits: m.commits.Read(1e-9), Operations: m.operations.Read(1),
		WriteErrors: m.writes.Load(), ReadErrors: m.reads.Load(),
	}
}

func counted(err error, n *atomic.Uint64) error {
	if err != nil && errors.Is(err, store.ErrUnavailable) {
		n.Add(1)
	}
	return err
}

// Apply is store.Writer.
func (m *Store) Apply(ctx context.Context, commands ...store.Command) error {
	began := time.Now()
	err := m.Store.Apply(ctx, commands...)
	m.applies.Observe(time.Since(began).Nanoseconds())
	return counted(err, &m.writes)
}

// Watch is store.Hinter. Where the store that is watched is none, it never tells
// anything.
func (m *Store) Watch(ctx context.Context) <-chan struct{} {
	if h, ok := m.Store.(store.Hinter); ok {
		return h.Watch(ctx)
	}
	return nil
}

// Ping is store.Store.
func (m *Store) Ping(ctx context.Context) error { return counted(m.Store.Ping(ctx), &m.writes) }

// Revocations is store.Revocations.
func (m *Store) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	list, err := m.Store.Revocations(ctx, after, limit)
	return list, counted(err, &m.reads)
}

// Head is store.Revocations.
func (m *Store) Head(ctx context.Context) (store.Head, error) {
	head, err := m.Store.Head(ctx)
	return head, counted(err, &m.reads)
}

// User is store.Users.
func (m *Store) User(ctx context.Context, tenant, name string) (store.User, error) {
	u, err := m.Store.User(ctx, tenant, name)
	return u, counted(err, &m.reads)
}

// Application is store.Applications.
func (m *Store) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	a, err := m.Store.Application(ctx, tenant, id)
	return a, counted(err, &m.reads)
}

// RecentApplication is store.Recent, or store.Applications where the store that is
// watched is none.
func (m *Store) RecentApplication(ctx context.Context, tenant, id string) (store.Application, error) {
	r, ok := m.Store.(store.Recent)
	if !ok {
		return m.Application(ctx, tenant, id)
	}
	a, err := r.RecentApplication(ctx, tenant, id)
	return a, counted(err, &m.reads)
}

// Session is store.Sessions.
func (m *Store) Session(ctx context.Context, id store.ID) (store.Session, error) {
	s, err := m.Store.Session(ctx, id)
	return s, counted(err, &m.reads)
}

// Keys is store.Keys.
func (m *Store) Keys(ctx context.Context) ([]store.Key, error) {
	keys, err := m.Store.Keys(ctx)
	return keys, counted(err, &m.reads)
}

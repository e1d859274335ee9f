package sqlite

import (
	"context"
	"slices"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// mostRecent is how many records of a kind are kept.
const mostRecent = 1024

// recent keeps the records of a kind that were read since the last commit, of whatever
// process: what it gives is what a read would.
type recent[T any] struct {
	mu    sync.RWMutex
	as    version // of the database, of which they were read
	known map[name]T
}

// name is the key of a record.
type name struct{ tenant, id string }

// of gives a record, by reading it if it must.
func (r *recent[T]) of(ctx context.Context, s *Store, key name, read func(ctx context.Context, tenant, id string) (T, error)) (T, error) {
	as, ok := s.version.now() // before the read: what is committed meanwhile has another one
	if !ok || ctx.Err() != nil {
		return read(ctx, key.tenant, key.id)
	}
	if found, ok := r.find(as, key); ok {
		return found, nil
	}
	found, err := read(ctx, key.tenant, key.id)
	if err == nil {
		r.keep(as, key, found)
	}
	return found, err
}

func (r *recent[T]) find(as version, key name) (T, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.as != as {
		var none T
		return none, false
	}
	found, ok := r.known[key]
	return found, ok
}

func (r *recent[T]) keep(as version, key name, found T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.as != as || len(r.known) >= mostRecent {
		clear(r.known)
		r.as = as
	}
	if r.known == nil {
		r.known = map[name]T{}
	}
	r.known[key] = found
}

// Application is store.Applications.
func (s *Store) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	a, err := s.applications.of(ctx, s, name{tenant, id}, s.Reader.Application)
	a.SecretMAC = slices.Clone(a.SecretMAC)
	for _, list := range []*[]string{&a.Grants, &a.RedirectURIs, &a.Scopes, &a.Audiences} {
		*list = slices.Clone(*list)
	}
	return a, err
}

// User is store.Users.
func (s *Store) User(ctx context.Context, tenant, id string) (store.User, error) {
	u, err := s.users.of(ctx, s, name{tenant, id}, s.Reader.User)
	for _, list := range []*[]string{&u.Roles, &u.ACL, &u.Policies} {
		*list = slices.Clone(*list)
	}
	return u, err
}

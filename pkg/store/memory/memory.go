// Package memory keeps the store in maps: for tests, for a server that may
// forget, and as the model that the other stores are compared with.
//
// It never writes anything down: Durable is false, and what it holds is gone
// with the process.
package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Store is a store in memory. It is safe for concurrent use.
type Store struct {
	mu            sync.RWMutex
	closed        bool
	tenants       map[string]store.Tenant
	users         map[nameKey]store.User
	applications  map[nameKey]store.Application
	services      map[nameKey]store.ServiceAccount
	numbers       map[nameKey]int64 // the last one given, by tenant and kind
	organisations map[numberKey]store.Organisation
	memberships   map[store.Membership]struct{}
	accessTokens  map[numberKey]store.AccessToken
	families      map[numberKey]int64 // the number of the access token of each
	tickets       map[store.ID]store.Ticket
	userCodes     map[string]store.ID // of tickets that have one
	once          map[string]int64    // until when, by value
	refreshTokens map[refreshKey]store.RefreshToken
	refreshIDs    map[store.ID]refreshKey
	policies      map[nameKey]store.Policy // by UUID
	sessions      map[store.ID]store.Session
	accessor      map[string]store.ID
	properties    map[nameKey]store.Property
	keys          map[string]store.Key
	facts         map[factKey]store.Revocation
	log           []store.Revocation // by Seq; void where facts knows a later one, or none
	epoch         string
	seq           int64
}

type (
	nameKey struct{ tenant, name string }
	factKey struct{ kind, key string }
)

// New makes a store that is empty but for store.DefaultTenant.
func New() *Store {
	return &Store{
		epoch:         rand.Text(),
		tenants:       map[string]store.Tenant{store.DefaultTenant: {Name: store.DefaultTenant}},
		users:         map[nameKey]store.User{},
		applications:  map[nameKey]store.Application{},
		services:      map[nameKey]store.ServiceAccount{},
		numbers:       map[nameKey]int64{},
		organisations: map[numberKey]store.Organisation{},
		memberships:   map[store.Membership]struct{}{},
		accessTokens:  map[numberKey]store.AccessToken{},
		families:      map[numberKey]int64{},
		tickets:       map[store.ID]store.Ticket{},
		userCodes:     map[string]store.ID{},
		once:          map[string]int64{},
		refreshTokens: map[refreshKey]store.RefreshToken{},
		refreshIDs:    map[store.ID]refreshKey{},
		policies:      map[nameKey]store.Policy{},
		sessions:      map[store.ID]store.Session{},
		accessor:      map[string]store.ID{},
		properties:    map[nameKey]store.Property{},
		keys:          map[string]store.Key{},
		facts:         map[factKey]store.Revocation{},
	}
}

// Durable is false.
func (s *Store) Durable() bool { return false }

// Ping answers nil until Close.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func() error { return nil })
}

// Close ends the use of the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// User is store.Users.
func (s *Store) User(ctx context.Context, tenant, name string) (u store.User, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.users[nameKey{tenant, name}]
		u = store.CopyUser(found)
		return known(ok, "user "+name)
	})
	return u, err
}

// ListUsers is store.Users.
func (s *Store) ListUsers(ctx context.Context, tenant, after string, limit int) (all []store.User, err error) {
	err = s.read(ctx, func() error {
		for key, u := range s.users {
			if key.tenant == tenant && key.name > after {
				all = append(all, store.CopyUser(u))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.User) int { return cmp.Compare(a.Name, b.Name) }), err
}

// Session is store.Sessions.
func (s *Store) Session(ctx context.Context, id store.ID) (found store.Session, err error) {
	err = s.read(ctx, func() (err error) {
		found, err = s.session(id)
		return err
	})
	return found, err
}

// SessionByAccessor is store.Sessions.
func (s *Store) SessionByAccessor(ctx context.Context, accessor string) (found store.Session, err error) {
	err = s.read(ctx, func() error {
		id, ok := s.accessor[accessor]
		found = copySession(s.sessions[id])
		return known(ok, "session "+accessor)
	})
	return found, err
}

// ListSessions is store.Sessions.
func (s *Store) ListSessions(ctx context.Context, tenant, subject, after string, limit int) (all []store.Session, err error) {
	err = s.read(ctx, func() error {
		for _, one := range s.sessions {
			if one.Tenant == tenant && one.Subject == subject && one.Accessor > after {
				all = append(all, copySession(one))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.Session) int { return cmp.Compare(a.Accessor, b.Accessor) }), err
}

// Revocations is store.Revocations.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (all []store.Revocation, err error) {
	err = s.read(ctx, func() error {
		start, _ := slices.BinarySearchFunc(s.log, after, func(r store.Revocation, after int64) int {
			if r.Seq > after {
				return 1
			}
			return -1
		})
		for _, r := range s.log[start:] {
			if len(all) >= limit {
				break
			}
			if s.facts[factKey{r.Kind, r.Key}].Seq == r.Seq {
				all = append(all, r)
			}
		}
		return nil
	})
	return all, err
}

// Head is store.Revocations.
func (s *Store) Head(ctx context.Context) (head store.Head, err error) {
	err = s.read(ctx, func() error {
		head = store.Head{Epoch: s.epoch, Seq: s.seq}
		return nil
	})
	return head, err
}

// Keys is store.Keys.
func (s *Store) Keys(ctx context.Context) (all []store.Key, err error) {
	err = s.read(ctx, func() error {
		for _, k := range s.keys {
			all = append(all, copyKey(k))
		}
		return nil
	})
	return page(all, len(all), func(a, b store.Key) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), err
}

func (s *Store) read(ctx context.Context, look func() error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	return look()
}

func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if s.closed {
		return fmt.Errorf("memory: %w: closed", store.ErrUnavailable)
	}
	return nil
}

func (s *Store) session(id store.ID) (store.Session, error) {
	found, ok := s.sessions[id]
	return copySession(found), known(ok, "session")
}

func known(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %w", what, store.ErrNotFound)
}

// page sorts what was found and cuts it at limit.
func page[T any](all []T, limit int, order func(a, b T) int) []T {
	slices.SortFunc(all, order)
	return all[:min(len(all), max(limit, 0))]
}

func copySession(s store.Session) store.Session {
	s.Labels = append([]string(nil), s.Labels...)
	s.Opaque = copyOpaque(s.Opaque)
	return s
}

func copyKey(k store.Key) store.Key {
	k.Sealed = append([]byte(nil), k.Sealed...)
	return k
}

package sqlite

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// Application is store.Applications.
func (s *Store) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	a, err := recent(ctx, s, &s.applications, s.Reader.Application, tenant, id)
	return store.CopyApplication(a), err
}

// User is store.Users.
func (s *Store) User(ctx context.Context, tenant, name string) (store.User, error) {
	u, err := recent(ctx, s, &s.users, s.Reader.User, tenant, name)
	return store.CopyUser(u), err
}

// recent gives what a read would give now, by what was read since the last commit of
// whatever process where it can.
func recent[T any](
	ctx context.Context, s *Store, kept *relational.Recent[version, T], read func(ctx context.Context, tenant, id string) (T, error), tenant, id string,
) (T, error) {
	as, ok := s.version.now() // before the read: what is committed meanwhile has another one
	if !ok || ctx.Err() != nil {
		return read(ctx, tenant, id)
	}
	name := relational.Name{Tenant: tenant, ID: id}
	if record, ok := kept.Find(as, name); ok {
		return record, nil
	}
	record, err := read(ctx, tenant, id)
	if err == nil {
		kept.Keep(as, name, record)
	}
	return record, err
}

package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// moment is what applications are kept for: until a second is over by either clock, of
// which one stands still while the machine sleeps and the other one can be set, or until
// an application is changed through this store.
type moment struct{ ran, wall, changes int64 }

func (s *Store) moment() moment {
	now := s.machine()
	return moment{int64(now.Sub(s.opened) / time.Second), now.Unix(), s.changes.Load()}
}

// RecentApplication is store.Recent.
func (s *Store) RecentApplication(ctx context.Context, tenant, id string) (store.Application, error) {
	as, name := s.moment(), relational.Name{Tenant: tenant, ID: id} // before the read: it is as old as that
	if a, ok := s.recent.Find(as, name); ok && ctx.Err() == nil && s.closing.Err() == nil {
		return store.CopyApplication(a), nil
	}
	a, err := s.Application(ctx, tenant, id)
	if err == nil {
		s.recent.Keep(as, name, store.CopyApplication(a))
	}
	return a, err
}

// changed is to be called when a group of commands was carried out, or may have been.
func (s *Store) changed(group [][]store.Command) {
	if slices.ContainsFunc(group, func(commands []store.Command) bool { return slices.ContainsFunc(commands, changesApplication) }) {
		s.changes.Add(1)
	}
}

func changesApplication(command store.Command) bool {
	switch command.(type) {
	case store.CreateApplication, store.UpdateApplication, store.DeleteApplication, store.DeleteUser: // whose applications have no owner then
		return true
	}
	return false
}

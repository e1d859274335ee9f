package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Application is store.Applications.
func (s *Store) Application(ctx context.Context, tenant, id string) (a store.Application, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.applications[nameKey{tenant, id}]
		a = store.CopyApplication(found)
		return known(ok, "application "+id)
	})
	return a, err
}

// ListApplications is store.Applications.
func (s *Store) ListApplications(ctx context.Context, tenant, after string, limit int) (all []store.Application, err error) {
	err = s.read(ctx, func() error {
		for key, a := range s.applications {
			if key.tenant == tenant && key.name > after {
				all = append(all, store.CopyApplication(a))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.Application) int { return cmp.Compare(a.ID, b.ID) }), err
}

func (c *change) createApplication(a store.Application) error {
	key := nameKey{a.Tenant, a.ID}
	if _, ok := c.users[nameKey{a.Tenant, a.Owner}]; a.Owner != "" && !ok {
		return known(ok, "user "+a.Owner)
	}
	if c.named(key) {
		return fmt.Errorf("application %s: %w", a.ID, store.ErrExists)
	}
	a.Number = c.number(a.Tenant, "application")
	set(c, c.applications, key, a)
	return nil
}

func (c *change) updateApplication(a store.Application, read int64) error {
	key := nameKey{a.Tenant, a.ID}
	before, ok := c.applications[key]
	if !ok {
		return known(ok, "application "+a.ID)
	}
	if before.UpdatedAt != read {
		return fmt.Errorf("application %s: %w", a.ID, store.ErrConflict)
	}
	a.CreatedAt, a.Number, a.Owner = before.CreatedAt, before.Number, before.Owner
	set(c, c.applications, key, a)
	return nil
}

// deleteApplication leaves the access tokens that were made without an application:
// they are not of that without an ID.
func (c *change) deleteApplication(key nameKey) error {
	if _, ok := c.applications[key]; !ok {
		return known(ok, "application "+key.name)
	}
	drop(c, c.applications, key)
	c.dropAccessTokens(func(t store.AccessToken) bool {
		return t.Tenant == key.tenant && t.Client == key.name && t.Client != ""
	})
	return nil
}

// disown leaves the applications of a user to nobody.
func (c *change) disown(key nameKey) {
	for at, a := range c.applications {
		if a.Tenant == key.tenant && a.Owner == key.name {
			a.Owner = ""
			set(c, c.applications, at, a)
		}
	}
}

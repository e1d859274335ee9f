package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// ServiceAccount is store.ServiceAccounts.
func (s *Store) ServiceAccount(ctx context.Context, tenant, name string) (a store.ServiceAccount, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.services[nameKey{tenant, name}]
		a = copyService(found)
		return known(ok, "service account "+name)
	})
	return a, err
}

// ListServiceAccounts is store.ServiceAccounts.
func (s *Store) ListServiceAccounts(ctx context.Context, tenant, after string, limit int) (all []store.ServiceAccount, err error) {
	err = s.read(ctx, func() error {
		for key, a := range s.services {
			if key.tenant == tenant && key.name > after {
				all = append(all, copyService(a))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.ServiceAccount) int { return cmp.Compare(a.Name, b.Name) }), err
}

func (c *change) createService(a store.ServiceAccount) error {
	key := nameKey{a.Tenant, a.Name}
	if _, taken := c.services[key]; taken {
		return fmt.Errorf("service account %s: %w", a.Name, store.ErrExists)
	}
	set(c, c.services, key, a)
	return nil
}

func (c *change) updateService(a store.ServiceAccount, read int64) error {
	key := nameKey{a.Tenant, a.Name}
	before, ok := c.services[key]
	if !ok {
		return known(ok, "service account "+a.Name)
	}
	if before.UpdatedAt != read {
		return fmt.Errorf("service account %s: %w", a.Name, store.ErrConflict)
	}
	a.CreatedAt = before.CreatedAt
	set(c, c.services, key, a)
	return nil
}

func (c *change) deleteService(key nameKey) error {
	_, ok := c.services[key]
	drop(c, c.services, key)
	return known(ok, "service account "+key.name)
}

func copyService(a store.ServiceAccount) store.ServiceAccount {
	a.MayMint = append([]string(nil), a.MayMint...)
	return a
}

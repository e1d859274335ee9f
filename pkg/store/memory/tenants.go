package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Tenants is store.Tenants.
func (s *Store) Tenants(ctx context.Context) (all []store.Tenant, err error) {
	err = s.read(ctx, func() error {
		for _, t := range s.tenants {
			all = append(all, t)
		}
		return nil
	})
	return page(all, len(all), func(a, b store.Tenant) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Name, b.Name))
	}), err
}

func (c *change) createTenant(t store.Tenant) error {
	if _, taken := c.tenants[t.Name]; taken {
		return fmt.Errorf("tenant %s: %w", t.Name, store.ErrExists)
	}
	set(c, c.tenants, t.Name, t)
	return nil
}

func (c *change) updateTenant(t store.Tenant, read int64) error {
	before, ok := c.tenants[t.Name]
	if !ok {
		return known(ok, "tenant "+t.Name)
	}
	if before.UpdatedAt != read {
		return fmt.Errorf("tenant %s: %w", t.Name, store.ErrConflict)
	}
	t.CreatedAt = before.CreatedAt
	set(c, c.tenants, t.Name, t)
	return nil
}

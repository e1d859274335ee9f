package memory

import (
	"cmp"
	"context"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Property is store.Properties.
func (s *Store) Property(ctx context.Context, tenant, name string) (p store.Property, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.properties[nameKey{tenant, name}]
		p = found
		return known(ok, "property "+name)
	})
	return p, err
}

// Properties is store.Properties.
func (s *Store) Properties(ctx context.Context, tenant string) (all []store.Property, err error) {
	err = s.read(ctx, func() error {
		for key, p := range s.properties {
			if key.tenant == tenant {
				all = append(all, p)
			}
		}
		return nil
	})
	return page(all, len(all), func(a, b store.Property) int { return cmp.Compare(a.Name, b.Name) }), err
}

func (c *change) putProperty(p store.Property) {
	set(c, c.properties, nameKey{p.Tenant, p.Name}, p)
}

func (c *change) deleteProperty(key nameKey) error {
	_, ok := c.properties[key]
	drop(c, c.properties, key)
	return known(ok, "property "+key.name)
}

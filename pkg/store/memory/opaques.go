package memory

import (
	"cmp"
	"context"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// ListOpaque is store.Opaques.
func (s *Store) ListOpaque(ctx context.Context, tenant string, q store.OpaqueQuery) (all []store.Session, err error) {
	err = s.read(ctx, func() error {
		for _, one := range s.sessions {
			if opaque(tenant, q, one) {
				all = append(all, copySession(one))
			}
		}
		return nil
	})
	return window(all, q.Offset, q.Limit, func(a, b store.Session) int { return cmp.Compare(a.Accessor, b.Accessor) }), err
}

// CountOpaque is store.Opaques.
func (s *Store) CountOpaque(ctx context.Context, tenant string, q store.OpaqueQuery) (count int64, err error) {
	err = s.read(ctx, func() error {
		for _, one := range s.sessions {
			if opaque(tenant, q, one) {
				count++
			}
		}
		return nil
	})
	return count, err
}

// opaque tells whether a session is among those that are meant.
func opaque(tenant string, q store.OpaqueQuery, s store.Session) bool {
	over := s.RevokedAt != 0 || s.ExpiresAt != 0 && s.ExpiresAt <= q.At
	return s.Opaque != nil && s.Tenant == tenant && (q.Subject == "" || s.Subject == q.Subject) && !over
}

// room tells whether the subject of a session has fewer opaque sessions than most.
func (c *change) room(s store.Session, most int) bool {
	count := 0
	for _, one := range c.sessions {
		if one.Subject == s.Subject && opaque(s.Tenant, store.OpaqueQuery{At: s.CreatedAt}, one) {
			count++
		}
	}
	return count < most
}

func copyOpaque(o *store.Opaque) *store.Opaque {
	if o == nil {
		return nil
	}
	other := *o
	other.ACL = append([]string(nil), o.ACL...)
	return &other
}

// window is page without the first records, so many as offset says.
func window[T any](all []T, offset, limit int, order func(a, b T) int) []T {
	all = page(all, len(all), order)
	all = all[min(len(all), max(offset, 0)):]
	return all[:min(len(all), max(limit, 0))]
}

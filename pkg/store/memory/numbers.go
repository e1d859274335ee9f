package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// numberKey is the key of what is called by a number.
type numberKey struct {
	tenant string
	number int64
}

// number gives the next number of a kind.
func (c *change) number(tenant, kind string) int64 {
	key := nameKey{tenant, kind}
	next := c.numbers[key] + 1
	set(c, c.numbers, key, next)
	return next
}

// tell gives a number to whoever asked for it.
func tell(told *int64, number int64) {
	if told != nil {
		*told = number
	}
}

// UserByNumber is store.Numbered.
func (s *Store) UserByNumber(ctx context.Context, tenant string, number int64) (u store.User, err error) {
	all, err := s.ListUsersByNumber(ctx, tenant, number-1, 1)
	if err != nil {
		return u, err
	}
	if len(all) == 0 || all[0].Number != number {
		return u, known(false, fmt.Sprint("user ", number))
	}
	return all[0], nil
}

// ApplicationByNumber is store.Numbered.
func (s *Store) ApplicationByNumber(ctx context.Context, tenant string, number int64) (a store.Application, err error) {
	all, err := s.ListApplicationsByNumber(ctx, tenant, number-1, 1)
	if err != nil {
		return a, err
	}
	if len(all) == 0 || all[0].Number != number {
		return a, known(false, fmt.Sprint("application ", number))
	}
	return all[0], nil
}

// ListUsersByNumber is store.Numbered.
func (s *Store) ListUsersByNumber(ctx context.Context, tenant string, after int64, limit int) (all []store.User, err error) {
	err = s.read(ctx, func() error {
		for key, u := range s.users {
			if key.tenant == tenant && u.Number > after {
				all = append(all, store.CopyUser(u))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.User) int { return cmp.Compare(a.Number, b.Number) }), err
}

// ListApplicationsByNumber is store.Numbered.
func (s *Store) ListApplicationsByNumber(ctx context.Context, tenant string, after int64, limit int) (all []store.Application, err error) {
	err = s.read(ctx, func() error {
		for key, a := range s.applications {
			if key.tenant == tenant && a.Number > after {
				all = append(all, store.CopyApplication(a))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.Application) int { return cmp.Compare(a.Number, b.Number) }), err
}

package memory

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// refreshKey is the key of a refresh token.
type refreshKey struct{ tenant, subject, client string }

// RefreshToken is store.RefreshTokens.
func (s *Store) RefreshToken(ctx context.Context, tenant, subject, client string) (t store.RefreshToken, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.refreshTokens[refreshKey{tenant, subject, client}]
		t = found
		return known(ok, "refresh token of "+client)
	})
	return t, err
}

// RefreshTokenByID is store.RefreshTokens.
func (s *Store) RefreshTokenByID(ctx context.Context, id store.ID) (t store.RefreshToken, err error) {
	err = s.read(ctx, func() error {
		key, ok := s.refreshIDs[id]
		if ok {
			t = s.refreshTokens[key]
		}
		return known(ok, "refresh token")
	})
	return t, err
}

// ListRefreshTokens is store.RefreshTokens.
func (s *Store) ListRefreshTokens(ctx context.Context, tenant string, q store.RefreshTokenQuery) ([]store.RefreshToken, error) {
	all, err := s.searched(ctx, tenant, q)
	return window(all, q.Offset, q.Limit, refreshOrder(q)), err
}

// CountRefreshTokens is store.RefreshTokens.
func (s *Store) CountRefreshTokens(ctx context.Context, tenant string, q store.RefreshTokenQuery) (int64, error) {
	all, err := s.searched(ctx, tenant, q)
	return int64(len(all)), err
}

// searched is all that is meant, in no order.
func (s *Store) searched(ctx context.Context, tenant string, q store.RefreshTokenQuery) (all []store.RefreshToken, err error) {
	search := fold(q.Search)
	err = s.read(ctx, func() error {
		for key, t := range s.refreshTokens {
			if key.tenant == tenant && (q.Subject == "" || key.subject == q.Subject) && strings.Contains(fold(key.client), search) {
				all = append(all, t)
			}
		}
		return nil
	})
	return all, err
}

// fold makes capital letters of ASCII small ones and leaves every other byte.
func fold(text string) string {
	folded := []byte(text)
	for i, b := range folded {
		if 'A' <= b && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}
	return string(folded)
}

func refreshOrder(q store.RefreshTokenQuery) func(a, b store.RefreshToken) int {
	return func(a, b store.RefreshToken) int {
		if q.Descending {
			a, b = b, a
		}
		return cmp.Or(refreshBy(q.Order, a, b), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Client, b.Client))
	}
}

func refreshBy(order string, a, b store.RefreshToken) int {
	switch {
	case order == store.RefreshByClient:
		return cmp.Compare(a.Client, b.Client)
	case order != store.RefreshByMobile:
		return cmp.Compare(a.CreatedAt, b.CreatedAt)
	case a.Mobile == b.Mobile:
		return 0
	case b.Mobile:
		return -1
	}
	return 1
}

// refreshTokenCommand carries out the commands of refresh tokens, and hands on the
// others.
func (c *change) refreshTokenCommand(command store.Command) error {
	switch v := command.(type) {
	case store.CreateRefreshToken:
		return c.createRefreshToken(v.RefreshToken)
	case store.DeleteRefreshTokens:
		tell(v.Removed, c.dropRefreshTokens(func(t store.RefreshToken) bool { return endsRefresh(v, t) }))
		return nil
	default:
		return c.policyCommand(command)
	}
}

func (c *change) createRefreshToken(t store.RefreshToken) error {
	if _, ok := c.users[nameKey{t.Tenant, t.Subject}]; !ok {
		return known(ok, "user "+t.Subject)
	}
	key := refreshKey{t.Tenant, t.Subject, t.Client}
	_, keyTaken := c.refreshTokens[key]
	_, idTaken := c.refreshIDs[t.ID]
	if keyTaken || idTaken {
		return fmt.Errorf("refresh token of %s: %w", t.Client, store.ErrExists)
	}
	set(c, c.refreshTokens, key, t)
	set(c, c.refreshIDs, t.ID, key)
	return nil
}

// endsRefresh tells whether a refresh token is among those to remove.
func endsRefresh(v store.DeleteRefreshTokens, t store.RefreshToken) bool {
	switch {
	case t.Tenant != v.Tenant:
		return false
	case v.Client != "":
		return t.Subject == v.Subject && t.Client == v.Client
	case v.Subject == "":
		return t.CreatedAt <= v.At
	case v.Mobile:
		return t.Subject == v.Subject && t.Mobile
	}
	return t.Subject == v.Subject && t.CreatedAt <= v.At
}

// dropRefreshTokens removes those that are meant, and counts them.
func (c *change) dropRefreshTokens(meant func(store.RefreshToken) bool) (count int64) {
	for key, t := range c.refreshTokens {
		if meant(t) {
			drop(c, c.refreshTokens, key)
			drop(c, c.refreshIDs, t.ID)
			count++
		}
	}
	return count
}

package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// AccessToken is store.AccessTokens.
func (s *Store) AccessToken(ctx context.Context, tenant string, number int64) (t store.AccessToken, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.accessTokens[numberKey{tenant, number}]
		t = found
		return known(ok, accessToken(number))
	})
	return t, err
}

// AccessTokenOf is store.AccessTokens.
func (s *Store) AccessTokenOf(ctx context.Context, tenant string, family int64) (t store.AccessToken, err error) {
	err = s.read(ctx, func() error {
		number, ok := s.families[numberKey{tenant, family}]
		t = s.accessTokens[numberKey{tenant, number}]
		return known(ok, fmt.Sprint("access token of family ", family))
	})
	return t, err
}

// ListAccessTokens is store.AccessTokens.
func (s *Store) ListAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter, after int64, limit int) (all []store.AccessToken, err error) {
	err = s.read(ctx, func() error {
		var numbers []int64
		for key, t := range s.accessTokens {
			if key.tenant == tenant && key.number > after && meant(f, t) {
				numbers = append(numbers, key.number)
			}
		}
		for _, number := range page(numbers, limit, cmp.Compare[int64]) {
			all = append(all, s.accessTokens[numberKey{tenant, number}])
		}
		return nil
	})
	return all, err
}

// CountAccessTokens is store.AccessTokens.
func (s *Store) CountAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter) (count int64, err error) {
	err = s.read(ctx, func() error {
		for key, t := range s.accessTokens {
			if key.tenant == tenant && meant(f, t) {
				count++
			}
		}
		return nil
	})
	return count, err
}

// meant tells whether a filter means a token. One made without an application is of
// none, not of that without a name.
func meant(f store.AccessTokenFilter, t store.AccessToken) bool {
	personal := t.Client == ""
	if f.Personal && !personal || f.Application && personal {
		return false
	}
	everybody := len(f.Subjects) == 0 && len(f.Clients) == 0
	return everybody || slices.Contains(f.Subjects, t.Subject) || !personal && slices.Contains(f.Clients, t.Client)
}

// accessToken is what one is called in answers.
func accessToken(number int64) string { return fmt.Sprint("access token ", number) }

// accessTokenCommand carries out the commands of access tokens, and hands on the
// others.
func (c *change) accessTokenCommand(command store.Command) error {
	switch v := command.(type) {
	case store.CreateAccessToken:
		v.AccessToken.Family, v.AccessToken.Generation = 0, 0
		c.addAccessToken(v.AccessToken, v.Number)
	case store.ReplaceAccessToken:
		return c.replaceAccessToken(v)
	case store.UpdateAccessToken:
		return c.updateAccessToken(v)
	case store.DeleteAccessTokens:
		tell(v.Removed, c.dropAccessTokens(func(t store.AccessToken) bool { return ends(v, t) }))
	default:
		return c.refreshTokenCommand(command)
	}
	return nil
}

// addAccessToken gives it a number, and a family of its own where it has none.
func (c *change) addAccessToken(t store.AccessToken, told *int64) {
	t.Number = c.number(t.Tenant, "access token")
	t.Family = cmp.Or(t.Family, t.Number)
	tell(told, t.Number)
	set(c, c.accessTokens, numberKey{t.Tenant, t.Number}, t)
	set(c, c.families, numberKey{t.Tenant, t.Family}, t.Number)
}

func (c *change) replaceAccessToken(v store.ReplaceAccessToken) error {
	t := v.AccessToken
	before, ok := c.accessTokens[numberKey{t.Tenant, v.Number}]
	if !ok {
		return known(ok, accessToken(v.Number))
	}
	if before.UpdatedAt != v.Read {
		return fmt.Errorf("%s: %w", accessToken(v.Number), store.ErrConflict)
	}
	c.dropAccessToken(before)
	t.Family, t.Generation = before.Family, before.Generation+1
	c.addAccessToken(t, v.Given)
	return nil
}

func (c *change) updateAccessToken(v store.UpdateAccessToken) error {
	key := numberKey{v.Tenant, v.Number}
	t, ok := c.accessTokens[key]
	if !ok {
		return known(ok, accessToken(v.Number))
	}
	if t.UpdatedAt != v.Read {
		return fmt.Errorf("%s: %w", accessToken(v.Number), store.ErrConflict)
	}
	t.Scope, t.Description, t.UpdatedAt = v.Scope, v.Description, v.UpdatedAt
	set(c, c.accessTokens, key, t)
	return nil
}

// ends tells whether a token is among those to remove.
func ends(v store.DeleteAccessTokens, t store.AccessToken) bool {
	switch {
	case t.Tenant != v.Tenant:
		return false
	case v.Number != 0:
		return t.Number == v.Number
	case v.Family != 0:
		return t.Family == v.Family
	case t.CreatedAt > v.At:
		return false
	case v.Subject != "":
		return t.Subject == v.Subject
	}
	return v.Client == "" || t.Client == v.Client
}

// dropAccessTokens removes those that are meant, and counts them.
func (c *change) dropAccessTokens(meant func(store.AccessToken) bool) (count int64) {
	for _, t := range c.accessTokens {
		if meant(t) {
			c.dropAccessToken(t)
			count++
		}
	}
	return count
}

func (c *change) dropAccessToken(t store.AccessToken) {
	drop(c, c.accessTokens, numberKey{t.Tenant, t.Number})
	drop(c, c.families, numberKey{t.Tenant, t.Family})
}

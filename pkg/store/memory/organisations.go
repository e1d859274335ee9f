package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Organisation is store.Organisations.
func (s *Store) Organisation(ctx context.Context, tenant string, number int64) (o store.Organisation, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.organisations[numberKey{tenant, number}]
		o = found
		return known(ok, organisation(number))
	})
	return o, err
}

// ListOrganisations is store.Organisations.
func (s *Store) ListOrganisations(ctx context.Context, tenant string, after int64, limit int) (all []store.Organisation, err error) {
	err = s.read(ctx, func() error {
		for key, o := range s.organisations {
			if key.tenant == tenant && key.number > after {
				all = append(all, o)
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.Organisation) int { return cmp.Compare(a.Number, b.Number) }), err
}

// Memberships is store.Organisations.
func (s *Store) Memberships(ctx context.Context, tenant, user string) ([]store.Membership, error) {
	return s.membershipsOf(ctx, func(m store.Membership) bool { return m.Tenant == tenant && m.User == user })
}

// Members is store.Organisations.
func (s *Store) Members(ctx context.Context, tenant string, organisation int64) ([]store.Membership, error) {
	return s.membershipsOf(ctx, func(m store.Membership) bool { return m.Tenant == tenant && m.Organisation == organisation })
}

func (s *Store) membershipsOf(ctx context.Context, meant func(store.Membership) bool) (all []store.Membership, err error) {
	err = s.read(ctx, func() error {
		for m := range s.memberships {
			if meant(m) {
				all = append(all, m)
			}
		}
		return nil
	})
	return page(all, len(all), func(a, b store.Membership) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.User, b.User), cmp.Compare(a.Role, b.Role))
	}), err
}

// organisation is what one is called in answers.
func organisation(number int64) string { return fmt.Sprint("organisation ", number) }

// organisationCommand carries out the commands of organisations, and hands on the
// others.
func (c *change) organisationCommand(command store.Command) error {
	switch v := command.(type) {
	case store.CreateOrganisation:
		return c.createOrganisation(v)
	case store.UpdateOrganisation:
		return c.updateOrganisation(v)
	case store.DeleteOrganisation:
		return c.deleteOrganisation(numberKey{v.Tenant, v.Number})
	case store.PutMembership:
		return c.putMembership(v.Membership)
	case store.DeleteMembership:
		_, ok := c.memberships[v.Membership]
		drop(c, c.memberships, v.Membership)
		return known(ok, "membership of "+v.Membership.User)
	default:
		return c.accessTokenCommand(command)
	}
}

func (c *change) createOrganisation(v store.CreateOrganisation) error {
	o := v.Organisation
	o.Number = 0
	if c.organisationNamed(o) {
		return fmt.Errorf("organisation %s: %w", o.Name, store.ErrExists)
	}
	o.Number = c.number(o.Tenant, "organisation")
	tell(v.Number, o.Number)
	set(c, c.organisations, numberKey{o.Tenant, o.Number}, o)
	return nil
}

// organisationNamed tells whether another organisation of the tenant has the name.
func (c *change) organisationNamed(o store.Organisation) bool {
	for _, other := range c.organisations {
		if other.Tenant == o.Tenant && other.Name == o.Name && other.Number != o.Number {
			return true
		}
	}
	return false
}

func (c *change) updateOrganisation(v store.UpdateOrganisation) error {
	o := v.Organisation
	key := numberKey{o.Tenant, o.Number}
	before, ok := c.organisations[key]
	switch {
	case !ok:
		return known(ok, organisation(o.Number))
	case c.organisationNamed(o):
		return fmt.Errorf("organisation %s: %w", o.Name, store.ErrExists)
	case before.UpdatedAt != v.Read:
		return fmt.Errorf("organisation %s: %w", o.Name, store.ErrConflict)
	}
	o.CreatedAt = before.CreatedAt
	set(c, c.organisations, key, o)
	return nil
}

func (c *change) deleteOrganisation(key numberKey) error {
	if _, ok := c.organisations[key]; !ok {
		return known(ok, organisation(key.number))
	}
	for _, a := range c.applications {
		if a.Tenant == key.tenant && a.Organisation == key.number {
			return fmt.Errorf("%s: %w", organisation(key.number), store.ErrConflict)
		}
	}
	drop(c, c.organisations, key)
	c.dropMemberships(func(m store.Membership) bool { return m.Tenant == key.tenant && m.Organisation == key.number })
	return nil
}

func (c *change) putMembership(m store.Membership) error {
	_, body := c.organisations[numberKey{m.Tenant, m.Organisation}]
	_, user := c.users[nameKey{m.Tenant, m.User}]
	if !body || !user {
		return known(false, "user "+m.User+" or "+organisation(m.Organisation))
	}
	set(c, c.memberships, m, struct{}{})
	return nil
}

func (c *change) dropMemberships(meant func(store.Membership) bool) {
	for m := range c.memberships {
		if meant(m) {
			drop(c, c.memberships, m)
		}
	}
}

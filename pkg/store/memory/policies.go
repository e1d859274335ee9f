package memory

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Policy is store.Policies.
func (s *Store) Policy(ctx context.Context, tenant, uuid string) (p store.Policy, err error) {
	err = s.read(ctx, func() error {
		found, ok := s.policies[nameKey{tenant, uuid}]
		p = copyPolicy(found)
		return known(ok, "policy "+uuid)
	})
	return p, err
}

// PolicyByName is store.Policies.
func (s *Store) PolicyByName(ctx context.Context, tenant, name string) (p store.Policy, err error) {
	err = s.read(ctx, func() error {
		for _, found := range s.policies {
			if found.Tenant == tenant && found.Name == name {
				p = copyPolicy(found)
				return nil
			}
		}
		return known(false, "policy "+name)
	})
	return p, err
}

// ListPolicies is store.Policies.
func (s *Store) ListPolicies(ctx context.Context, tenant, after string, limit int) (all []store.Policy, err error) {
	err = s.read(ctx, func() error {
		for _, p := range s.policies {
			if p.Tenant == tenant && p.Name > after {
				all = append(all, copyPolicy(p))
			}
		}
		return nil
	})
	return page(all, limit, func(a, b store.Policy) int { return cmp.Compare(a.Name, b.Name) }), err
}

// policyCommand carries out the commands of policies, the last there are.
func (c *change) policyCommand(command store.Command) error {
	switch v := command.(type) {
	case store.CreatePolicy:
		return c.createPolicy(copyPolicy(v.Policy))
	case store.UpdatePolicy:
		return c.updatePolicy(copyPolicy(v.Policy), v.Read)
	case store.DeletePolicy:
		return c.deletePolicy(v)
	default:
		return fmt.Errorf("command %T: not known", command)
	}
}

func (c *change) createPolicy(p store.Policy) error {
	key := nameKey{p.Tenant, p.UUID}
	if _, taken := c.policies[key]; taken || c.policyNamed(p) {
		return fmt.Errorf("policy %s: %w", p.Name, store.ErrExists)
	}
	set(c, c.policies, key, p)
	return nil
}

// policyNamed tells whether another policy of the tenant has the name.
func (c *change) policyNamed(p store.Policy) bool {
	for _, other := range c.policies {
		if other.Tenant == p.Tenant && other.Name == p.Name && other.UUID != p.UUID {
			return true
		}
	}
	return false
}

func (c *change) updatePolicy(p store.Policy, read int64) error {
	key := nameKey{p.Tenant, p.UUID}
	before, ok := c.policies[key]
	switch {
	case !ok:
		return known(ok, "policy "+p.UUID)
	case c.policyNamed(p):
		return fmt.Errorf("policy %s: %w", p.Name, store.ErrExists)
	case before.UpdatedAt != read:
		return fmt.Errorf("policy %s: %w", p.Name, store.ErrConflict)
	}
	p.CreatedAt = before.CreatedAt
	set(c, c.policies, key, p)
	return nil
}

func (c *change) deletePolicy(v store.DeletePolicy) error {
	key := nameKey{v.Tenant, v.UUID}
	before, ok := c.policies[key]
	if ok && v.Read != 0 && v.Read != before.UpdatedAt {
		return fmt.Errorf("policy %s: %w", v.UUID, store.ErrConflict)
	}
	drop(c, c.policies, key)
	return known(ok, "policy "+v.UUID)
}

func copyPolicy(p store.Policy) store.Policy {
	p.Templates = append([]string(nil), p.Templates...)
	return p
}

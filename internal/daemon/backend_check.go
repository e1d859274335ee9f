package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// reachBackends asks each directory for somebody that nobody is. The error tells of
// every one that cannot be asked.
func (c *config) reachBackends(ctx context.Context) error {
	asked := *c
	closeBackends, err := asked.openBackends(nil)
	if err != nil {
		return err
	}
	var all []error
	for _, b := range asked.server.Backends {
		if b.Directory == nil {
			continue
		}
		_, err := b.Directory.Find(ctx, "nobody-"+strings.ToLower(rand.Text()))
		if err != nil && !errors.Is(err, token.ErrUnknown) {
			all = append(all, fmt.Errorf("backend %s: %w", b.Name, err))
		}
	}
	return errors.Join(errors.Join(all...), closeBackends())
}

// strangersOfBackends warn of what backends name and the store does not have.
func (c *config) strangersOfBackends(ctx context.Context, s *server.Server) ([]string, error) {
	var list []string
	for _, p := range c.places {
		tenant := cmp.Or(p.Tenant, store.DefaultTenant)
		_, err := s.Tenant(ctx, tenant)
		if errors.Is(err, store.ErrNotFound) {
			list = append(list, fmt.Sprintf("[%s] is for the tenant %q, but there is none of that name yet: ats-auth-server tenant add %s", p.section(), tenant, tenant))
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, policy := range p.policies() {
			_, err := s.PolicyByName(ctx, tenant, policy)
			switch {
			case errors.Is(err, store.ErrNotFound):
				list = append(list, fmt.Sprintf("[%s] names the policy %q, but there is none of that name in the tenant %s: it allows nothing", p.section(), policy, tenant))
			case err != nil:
				return nil, err
			}
		}
	}
	return list, nil
}

// policies are all that logins by a backend may give.
func (p place) policies() []string {
	list := p.Policies
	if p.ldap != nil {
		list = slices.Concat(list, slices.Sorted(maps.Keys(p.ldap.Policies)))
	}
	return list
}

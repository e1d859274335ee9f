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

// reachBackends asks each directory for what the configuration names, and for
// somebody that nobody is. warnings tell of what is not there. The error tells of every
// one by which nobody could log in.
func (c *config) reachBackends(ctx context.Context) (warnings []string, err error) {
	var all []error
	for _, p := range c.places {
		if p.ldap == nil {
			continue
		}
		directory, err := p.open(nil)
		if err != nil {
			return nil, err
		}
		doubts, probeErr := directory.Probe(ctx)
		if probeErr == nil {
			_, probeErr = directory.Find(ctx, "nobody-"+strings.ToLower(rand.Text()))
		}
		for _, d := range doubts {
			warnings = append(warnings, "["+p.section()+"] "+d)
		}
		if probeErr != nil && !errors.Is(probeErr, token.ErrUnknown) {
			err = fmt.Errorf("backend %s: %w", p.Name, probeErr)
		}
		all = append(all, err, directory.Close())
	}
	return warnings, errors.Join(all...)
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
				list = append(list, p.strange(policy, tenant))
			case err != nil:
				return nil, err
			}
		}
	}
	return list, nil
}

// strange warns of a policy that is not there.
func (p place) strange(policy, tenant string) string {
	return fmt.Sprintf("[%s] names the policy %q, but there is none of that name in the tenant %s: it allows nothing", p.section(), policy, tenant)
}

// strangersToNothing are those where there is no store yet.
func (c *config) strangersToNothing() (list []string) {
	for _, p := range c.places {
		for _, policy := range p.policies() {
			list = append(list, p.strange(policy, cmp.Or(p.Tenant, store.DefaultTenant)))
		}
	}
	return list
}

// idleRights warn of rights in the store that give nobody anything: access strings of
// policies and users, and policies of users that are not there.
func idleRights(ctx context.Context, s *server.Server) (list []string, err error) {
	tenants, err := tenantNames(ctx, s, "")
	if err != nil {
		return nil, err
	}
	for _, tenant := range tenants {
		policies, policiesErr := s.Policies(ctx, tenant)
		users, usersErr := allUsers(ctx, s, tenant)
		missing, missingErr := missingPolicies(ctx, s, tenant)
		if err := errors.Join(policiesErr, usersErr, missingErr); err != nil {
			return nil, err
		}
		for _, p := range policies {
			for _, fault := range server.DroppedTemplates(p.Templates) {
				list = append(list, fmt.Sprintf("policy %s of the tenant %s: %s", oneLine(p.Name), tenant, fault))
			}
		}
		for _, u := range users {
			for _, fault := range server.DroppedTemplates(u.ACL) {
				list = append(list, fmt.Sprintf("user %s of the tenant %s: %s", u.Name, tenant, fault))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(missing)) {
			list = append(list, ofUsers(name, tenant, missing[name]))
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

// doubts warn of what is most likely not meant in a section.
func (p place) doubts() (list []string) {
	if p.ldap == nil {
		return nil
	}
	for _, d := range p.ldap.Doubts() {
		list = append(list, fmt.Sprintf("[%s] %s", p.section(), d))
	}
	if p.cacert != "" && !p.ldap.StartTLS && !strings.Contains(p.ldap.URL, "ldaps://") {
		list = append(list, fmt.Sprintf("[%s] cacert has no effect without TLS: start_tls = true, or ldaps:// in url", p.section()))
	}
	return list
}

package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// grant is what membership of a group gives.
type grant struct {
	name  string // of a role or a policy
	group *ldap.DN
}

// given lists what the groups give, sorted, each once.
func given(grants []grant, groups []*ldap.DN) []string {
	var names []string
	for _, g := range grants {
		if slices.ContainsFunc(groups, g.group.EqualFold) {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// groups asks for somebody's groups, by memberOf and, where groups have a base, by
// a search.
func (l *LDAP) groups(ctx context.Context, p Person) ([]*ldap.DN, error) {
	if len(l.roles)+len(l.policies) == 0 {
		return nil, nil
	}
	var texts []string
	err := l.asService(ctx, func(ctx context.Context, c *conn) error {
		named, err := memberOf(ctx, c, p)
		if err != nil || l.GroupBase == "" {
			texts = named
			return err
		}
		searched, err := l.searchGroups(ctx, c, p)
		texts = append(named, searched...)
		return err
	})
	return l.parseGroups(texts), err
}

func memberOf(ctx context.Context, c *conn, p Person) ([]string, error) {
	found, err := c.search(ctx, searchRequest(ctx, p.DN, ldap.ScopeBaseObject, "(objectClass=*)", "memberOf"))
	if err != nil {
		return nil, fmt.Errorf("memberOf of %s: %w", p.DN, err)
	}
	var groups []string
	for _, e := range found.Entries {
		groups = append(groups, e.GetEqualFoldAttributeValues("memberOf")...)
	}
	return groups, nil
}

func (l *LDAP) searchGroups(ctx context.Context, c *conn, p Person) ([]string, error) {
	// "1.1" asks for no attributes: RFC 4511 section 4.5.1.8.
	found, err := c.search(ctx, searchRequest(ctx, l.GroupBase, ldap.ScopeWholeSubtree, l.groupFilter(p), "1.1"))
	if err != nil {
		return nil, fmt.Errorf("groups of %s under %s: %w", p.DN, l.GroupBase, err)
	}
	var groups []string
	for _, e := range found.Entries {
		groups = append(groups, e.DN)
	}
	return groups, nil
}

// groupFilter replaces both places in one pass: a name may hold the text {dn}.
func (l *LDAP) groupFilter(p Person) string {
	return strings.NewReplacer("{dn}", ldap.EscapeFilter(p.DN), "{name}", ldap.EscapeFilter(p.Name)).Replace(l.GroupFilter)
}

// parseGroups leaves out what is no DN: such a group gives nothing.
func (l *LDAP) parseGroups(texts []string) []*ldap.DN {
	var groups []*ldap.DN
	for _, text := range texts {
		dn, err := ldap.ParseDN(text)
		if err != nil {
			l.Log.Warn("a group of the directory has no readable name: it gives nothing", "dn", text, "error", err)
			continue
		}
		groups = append(groups, dn)
	}
	return groups
}

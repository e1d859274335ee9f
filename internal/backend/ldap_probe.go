package backend

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Probe asks the directory for what the configuration names. err is what keeps people
// from logging in: that no server lets the service in, or that a base is not there.
// doubts tell of what is likely a mistake: a server that cannot be asked while another
// can, a group that is not there, an attribute that nobody has.
func (l *LDAP) Probe(ctx context.Context) (doubts []string, err error) {
	if doubts, err = l.probeServers(ctx); err != nil {
		return nil, err
	}
	for _, base := range []keyed{{"user_base", l.UserBase}, {"group_base", l.GroupBase}} {
		if base.dn != "" && !l.there(ctx, base.dn, "(objectClass=*)", ldap.ScopeBaseObject, &err) && err == nil {
			err = fmt.Errorf("%s = %s: there is no such entry, or it may not be read", base.key, base.dn)
		}
		if err != nil {
			return doubts, err
		}
	}
	for _, g := range l.named() {
		if !l.there(ctx, g.dn, "(objectClass=*)", ldap.ScopeBaseObject, &err) && err == nil {
			doubts = append(doubts, fmt.Sprintf("%s: there is no group %s, or it may not be read", g.key, g.dn))
		}
	}
	return append(doubts, l.probeAttributes(ctx, &err)...), err
}

// probeServers logs in at each server by itself.
func (l *LDAP) probeServers(ctx context.Context) (doubts []string, err error) {
	for _, s := range l.servers {
		var one error
		busy := l.within(ctx, func(ctx context.Context) error {
			c, err := l.open(ctx, s)
			if err == nil {
				c.leave()
			}
			one = err
			return nil
		})
		if one = cmp.Or(one, busy); ldap.IsErrorWithCode(one, ldap.LDAPResultInvalidCredentials) {
			one = fmt.Errorf("the directory refuses bind_dn = %s with the password of bind_password_file", l.BindDN)
		}
		if one != nil {
			err = fmt.Errorf("%s: %w", s.url, one)
			doubts = append(doubts, "url: "+err.Error())
		}
	}
	if len(doubts) < len(l.servers) {
		return doubts, nil
	}
	return nil, err
}

// there reports whether a search finds anything. What goes wrong otherwise is put in
// err, unless there is something already.
func (l *LDAP) there(ctx context.Context, base, filter string, scope int, err *error) (found bool) {
	failed := l.within(ctx, func(ctx context.Context) error {
		return l.asService(ctx, func(ctx context.Context, c *conn) error {
			request := searchRequest(ctx, base, scope, filter, "1.1")
			request.SizeLimit, request.EnforceSizeLimit = 1, true
			answer, err := c.search(ctx, request)
			found = answer != nil && len(answer.Entries) > 0
			absent := ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject)
			if found || absent {
				return nil
			}
			return err
		})
	})
	if failed != nil && *err == nil {
		*err = fmt.Errorf("search of %s under %s: %w", filter, base, failed)
	}
	return found
}

// keyed is an entry that a key of the configuration names.
type keyed struct{ key, dn string }

func (c LDAPConfig) named() (list []keyed) {
	for prefix, groups := range map[string]map[string][]string{"role_": c.Roles, "policy_": c.Policies} {
		for name, dns := range groups {
			for _, dn := range dns {
				list = append(list, keyed{prefix + name, dn})
			}
		}
	}
	slices.SortFunc(list, func(a, b keyed) int { return strings.Compare(a.key+" "+a.dn, b.key+" "+b.dn) })
	return list
}

// Doubts tell of what can be seen in a configuration without the directory: a DN that
// looks like several with a comma in the place of the semicolon between them.
func (c LDAPConfig) Doubts() (list []string) {
	for _, g := range c.named() {
		if dn, err := ldap.ParseDN(g.dn); err == nil && severalIn(dn) {
			list = append(list, fmt.Sprintf("%s: %s looks like more than one DN: between two stands ; and not a comma", g.key, g.dn))
		}
	}
	return list
}

// severalIn reports whether another DN begins behind the end of one: a name of
// anything else behind one of a domain.
func severalIn(dn *ldap.DN) bool {
	domain := false
	for _, rdn := range dn.RDNs {
		is := slices.ContainsFunc(rdn.Attributes, func(a *ldap.AttributeTypeAndValue) bool { return strings.EqualFold(a.Type, "dc") })
		if domain && !is {
			return true
		}
		domain = is
	}
	return false
}

// probeAttributes tells of attributes that no entry has.
func (l *LDAP) probeAttributes(ctx context.Context, err *error) (doubts []string) {
	look := func(key, attribute string) {
		absent := !l.there(ctx, l.UserBase, "("+attribute+"=*)", ldap.ScopeWholeSubtree, err)
		if absent && *err == nil {
			doubts = append(doubts, fmt.Sprintf("%s: no entry under %s has an attribute %s", key, l.UserBase, attribute))
		}
	}
	// Without anybody there, nobody has anything.
	if !l.there(ctx, l.UserBase, "(objectClass=person)", ldap.ScopeWholeSubtree, err) || *err != nil {
		return nil
	}
	look("name_attribute", l.NameAttribute)
	if !strings.EqualFold(l.IDAttribute, "dn") {
		look("id_attribute", l.IDAttribute)
	}
	for _, attribute := range l.filterAttributes() {
		if !strings.EqualFold(attribute, l.NameAttribute) {
			look("user_filter", attribute)
		}
	}
	return doubts
}

// filterAttributes are those that UserFilter asks for, sorted, each once. What stands
// behind a "!" need not be there.
func (l *LDAP) filterAttributes() []string {
	var list []string
	depth, denied := 0, 0 // denied is the depth of the outermost "!"
	for i, r := range l.UserFilter {
		switch r {
		case '(': // those of a value are escaped: RFC 4515 section 3
			depth++
			rest := l.UserFilter[i+1:]
			if denied == 0 && strings.HasPrefix(rest, "!") {
				denied = depth
			}
			if m := asked.FindStringSubmatch(rest); m != nil && denied == 0 {
				list = append(list, m[1])
			}
		case ')':
			if depth == denied {
				denied = 0
			}
			depth--
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// asked is the beginning of what compares an attribute: RFC 4515 section 3.
var asked = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*)[~<>]?=`)

// GroupDNs are the DNs of the groups of somebody that Find found, sorted, whatever they
// give: token.ErrUnavailable when they could not be learnt.
func (l *LDAP) GroupDNs(ctx context.Context, p Person) (list []string, err error) {
	err = l.within(ctx, func(ctx context.Context) error {
		return l.asService(ctx, func(ctx context.Context, c *conn) error {
			named, err := memberOf(ctx, c, p)
			if err != nil || l.GroupBase == "" {
				list = named
				return err
			}
			searched, err := l.searchGroups(ctx, c, p)
			list = append(named, searched...)
			return err
		})
	})
	slices.Sort(list)
	return slices.Compact(list), err
}

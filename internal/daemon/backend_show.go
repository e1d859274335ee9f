package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) backendCommand() *cobra.Command {
	c := &cobra.Command{Use: "backend", Short: "Look at the backends, where passwords are checked"}
	c.AddCommand(a.backendList(), a.backendTry())
	return c
}

// backendView is what is shown of a backend.
type backendView struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`   // local or ldap
	Tenant   string   `json:"tenant"` // empty: every one
	Role     string   `json:"role"`   // empty: none is demanded
	Policies []string `json:"policies"`
	URL      string   `json:"url"`
}

func viewBackend(p place) backendView {
	v := backendView{Name: p.Name, Type: "local", Tenant: p.Tenant, Role: p.Role, Policies: append([]string{}, p.policies()...)}
	if p.ldap != nil {
		v.Type, v.URL = "ldap", p.ldap.URL
	}
	return v
}

func (a *app) backendList() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the backends in the order in which they are asked",
		RunE: func(*cobra.Command, []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			views := make([]backendView, len(config.places))
			for i, p := range config.places {
				views[i] = viewBackend(p)
			}
			return a.answer(views, backendTable(views))
		},
	})
}

func backendTable(views []backendView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTYPE\tTENANT\tROLE\tPOLICIES\tURL")
	for _, v := range views {
		fmt.Fprintln(w, strings.Join([]string{
			v.Name, v.Type, cmp.Or(v.Tenant, "every"), orDash(v.Role), oneLine(orDash(strings.Join(v.Policies, ","))), oneLine(orDash(v.URL)),
		}, "\t"))
	}
	w.Flush()
	return b.String()
}

// entrant is what a login by a backend would make of somebody.
type entrant struct {
	Backend  string   `json:"backend"`
	Name     string   `json:"name"`
	DN       string   `json:"dn"` // with ID and Groups empty at a local backend
	ID       string   `json:"id"`
	Groups   []string `json:"groups"`
	Roles    []string `json:"roles"`
	Policies []string `json:"policies"` // the backend's own too
	Missing  []string `json:"missing_policies"`
	ACL      []string `json:"acl"`
	Warnings []string `json:"warnings"` // why it would be refused, or be another's
}

func (e entrant) text() string {
	rows := [][2]string{{"backend", e.Backend}, {"name", oneLine(e.Name)}}
	if e.DN != "" {
		rows = append(rows, [2]string{"dn", oneLine(e.DN)}, [2]string{"id", oneLine(e.ID)})
		rows = appendList(rows, "groups", lines(e.Groups))
	}
	rows = append(rows, [2]string{"roles", orDash(strings.Join(e.Roles, ", "))})
	rows = appendList(rows, "policies", marked(e.Policies, e.Missing))
	rows = appendList(rows, "acl", lines(e.ACL))
	for _, w := range e.Warnings {
		rows = append(rows, [2]string{"warning", w})
	}
	return aligned(rows)
}

// marked are policies for a person to read.
func marked(policies, missing []string) []string {
	shown := lines(policies)
	for i, name := range policies {
		if slices.Contains(missing, name) {
			shown[i] += " (missing)"
		}
	}
	return shown
}

func (a *app) backendTry() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "test NAME USER", Short: "Show what a login by a backend would give, without a password", Args: cobra.ExactArgs(2),
		Long: `Show what a login of USER by the backend NAME would give: roles, policies and
access strings, and of a directory the entry and its groups. The password is not
asked for, and nothing is changed.`,
		RunE: func(c *cobra.Command, args []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			p, err := config.placeOf(args[0])
			if err != nil {
				return err
			}
			who, e, err := a.ask(c.Context(), p, args[1])
			if err != nil {
				return err
			}
			look := func(s *server.Server) error {
				if err := complete(c.Context(), s, p, who, &e); err != nil {
					return err
				}
				return a.answer(e, e.text())
			}
			if config.haveStore() != nil {
				return a.over(c.Context(), config.empty(), look)
			}
			return a.withStore(c.Context(), config, look)
		},
	})
}

// placeOf is a backend that is asked.
func (c *config) placeOf(name string) (place, error) {
	var names []string
	for _, p := range c.places {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return place{}, fmt.Errorf("there is no backend %q in [server] backends%s", name, inifile.DidYouMean(name, names))
}

// ask looks somebody up in the directory of a place, where that has one.
func (a *app) ask(ctx context.Context, p place, name string) (who backend.Person, e entrant, err error) {
	e = entrant{Backend: p.Name, Name: name}
	if p.ldap == nil {
		return backend.Person{Name: name}, e, nil
	}
	logger, _ := a.newLog(a.config)
	directory, err := p.open(logger)
	if err != nil {
		return who, e, err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	who, err = directory.Find(ctx, name)
	if errors.Is(err, token.ErrUnknown) {
		return who, e, fmt.Errorf("backend %s: user_filter %s finds nobody called %q under %s", p.Name, p.ldap.UserFilter, name, p.ldap.UserBase)
	}
	if err == nil {
		e.Groups, err = directory.GroupDNs(ctx, who)
	}
	if err == nil {
		who, err = directory.Groups(ctx, who)
	}
	if err != nil {
		return who, e, fmt.Errorf("backend %s: %w", p.Name, err)
	}
	e.Name, e.DN, e.ID = who.Name, who.DN, who.ID
	return who, e, nil
}

// complete adds what the store makes of who was found.
func complete(ctx context.Context, s *server.Server, p place, who backend.Person, e *entrant) error {
	tenant := cmp.Or(p.Tenant, store.DefaultTenant)
	u, err := s.User(ctx, tenant, who.Name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case err != nil && p.ldap == nil:
		return fmt.Errorf("there is no user %q", who.Name)
	case err != nil:
		u = store.User{Tenant: tenant, Name: who.Name}
	case p.ldap != nil && u.Backend != p.Name:
		e.Warnings = append(e.Warnings, fmt.Sprintf("the store has a user of that name whose password is checked by %s: this one is not let in", cmp.Or(u.Backend, server.LocalBackend)))
	case p.ldap == nil && u.Backend != "":
		e.Warnings = append(e.Warnings, "the password is checked by "+u.Backend)
	}
	if p.ldap != nil {
		u.Roles, u.Policies = who.Roles, who.Policies
	}
	if u.Disabled {
		e.Warnings = append(e.Warnings, "the user is disabled")
	}
	if p.Role != "" && !slices.Contains(u.Roles, p.Role) {
		e.Warnings = append(e.Warnings, fmt.Sprintf("[%s] role = %s: who is not that is refused", p.section(), p.Role))
	}
	e.Roles, e.Policies = append([]string{}, u.Roles...), append(append([]string{}, u.Policies...), p.Policies...)
	e.Groups, e.Warnings = append([]string{}, e.Groups...), append([]string{}, e.Warnings...)
	gone, goneErr := missing(ctx, s, tenant, e.Policies)
	acl, aclErr := s.Rights(ctx, u, p.Backend)
	e.Missing, e.ACL = append([]string{}, gone...), append([]string{}, acl...)
	return errors.Join(goneErr, aclErr)
}

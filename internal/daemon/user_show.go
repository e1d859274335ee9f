package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// userView is what is shown of a user, in a list less than alone.
type userView struct {
	Name          string           `json:"name"`
	Tenant        string           `json:"tenant"`
	Roles         []string         `json:"roles"`
	Disabled      bool             `json:"disabled"`
	Backend       string           `json:"backend"` // where the password is: local, or a directory's name
	ACL           []string         `json:"acl"`
	Policies      []string         `json:"policies"`
	Created       string           `json:"created_at"`
	Updated       string           `json:"updated_at"`
	Organisations []membershipView `json:"organisations,omitzero"`
	UUID          string           `json:"uuid,omitempty"`             // by which the wazo and ciphertrust doors know the user
	Missing       []string         `json:"missing_policies,omitempty"` // of Policies, those that are not there
}

func viewUser(u store.User) userView {
	return userView{
		Name: u.Name, Tenant: u.Tenant, Roles: append([]string{}, u.Roles...), Disabled: u.Disabled,
		Backend: cmp.Or(u.Backend, server.LocalBackend), ACL: append([]string{}, u.ACL...), Policies: append([]string{}, u.Policies...),
		Created: stamp(u.CreatedAt), Updated: stamp(u.UpdatedAt),
	}
}

// text is what a person reads of one user.
func (v userView) text() string {
	rows := [][2]string{
		{"name", v.Name},
		{"uuid", v.UUID},
		{"tenant", v.Tenant},
		{"state", enabled(!v.Disabled)},
		{"roles", orDash(strings.Join(v.Roles, ", "))},
		{"backend", oneLine(v.Backend)},
	}
	rows = appendList(rows, "policies", marked(v.Policies, v.Missing))
	rows = appendList(rows, "acl", lines(v.ACL))
	rows = append(rows, [2]string{"created", v.Created}, [2]string{"updated", v.Updated})
	return aligned(rows) + membershipTable(v.Organisations)
}

// missing are those of policies that are not there.
func missing(ctx context.Context, s *server.Server, tenant string, policies []string) (list []string, err error) {
	for _, name := range policies {
		_, err := s.PolicyByName(ctx, tenant, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			list = append(list, name)
		case err != nil:
			return nil, err
		}
	}
	return list, nil
}

func userTable(users []userView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLES\tSTATE\tBACKEND\tPOLICIES\tCREATED")
	for _, u := range users {
		fmt.Fprintln(w, strings.Join([]string{
			u.Name, orDash(strings.Join(u.Roles, ",")), enabled(!u.Disabled),
			oneLine(u.Backend), oneLine(orDash(strings.Join(u.Policies, ","))), u.Created,
		}, "\t"))
	}
	w.Flush()
	return b.String()
}

// allUsers are those of a tenant, by name.
func allUsers(ctx context.Context, s *server.Server, tenant string) ([]store.User, error) {
	return paged(func(after string, limit int) ([]store.User, error) {
		return s.ListUsers(ctx, tenant, after, limit)
	}, func(u store.User) string { return u.Name })
}

func (a *app) userList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the users",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := allUsers(c.Context(), s, *tenant)
				if err != nil {
					return err
				}
				views := make([]userView, len(all))
				for i, u := range all {
					views[i] = viewUser(u)
				}
				return a.answer(views, userTable(views))
			})
		},
	})
}

func (a *app) userShow(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a user, the user's rights and roles in organisations", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				if err := users().known(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				u, err := s.User(c.Context(), *tenant, args[0])
				if err != nil {
					return err
				}
				v := viewUser(u)
				v.UUID = s.UserUUID(u)
				if v.Missing, err = missing(c.Context(), s, u.Tenant, u.Policies); err != nil {
					return err
				}
				if v.Organisations, err = viewMemberships(c.Context(), s, *tenant, u.Name); err != nil {
					return err
				}
				return a.answer(v, v.text())
			})
		},
	})
}

// rightsFlags are what tokens of the wazo door stand on.
func rightsFlags(c *cobra.Command, acl, policies *[]string) {
	aclFlag(c, acl, "allow the user's tokens of the wazo door what the access string `ACL` matches, or deny it with ! before it")
	c.Flags().StringArrayVar(policies, "policy", nil, "give the user the `POLICY`")
}

func (a *app) userSet(tenant *string) *cobra.Command {
	var acl, policies []string
	c := a.formatFlag(&cobra.Command{
		Use: "set NAME", Short: "Change what a user's tokens of the wazo door allow", Args: cobra.ExactArgs(1),
		Long: `Change what a user's tokens of the wazo door allow. --acl and --policy each give
the whole list anew; with '' alone an empty one. Tokens keep what they allow; later
ones follow. The policies of a directory's user come from there, at each login.`,
		RunE: func(c *cobra.Command, args []string) error {
			list, names := given(c, "acl", acl), given(c, "policy", policies)
			if list == nil && names == nil {
				return command.Usage("user set: change what? --acl ACL, or --policy POLICY")
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if err := a.maySet(c.Context(), s, *tenant, args[0], names); err != nil {
					return err
				}
				if err := s.SetRights(c.Context(), *tenant, args[0], list, names); err != nil {
					return err
				}
				a.say("user %s changed; tokens keep what they allow", args[0])
				a.warnOfTemplates(list)
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	})
	rightsFlags(c, &acl, &policies)
	return c
}

// maySet refuses policies that there are not, or that the next login would undo.
func (a *app) maySet(ctx context.Context, s *server.Server, tenant, name string, policies []string) error {
	if err := users().known(ctx, s, tenant, name); err != nil {
		return err
	}
	u, err := s.User(ctx, tenant, name)
	if err != nil {
		return err
	}
	if u.Backend != "" && policies != nil {
		return fmt.Errorf("the policies of user %q are those that the directory %q gives at each login", name, u.Backend)
	}
	return knownPolicies(ctx, s, tenant, policies)
}

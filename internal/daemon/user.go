package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Manage the users who log in with a password"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the user")
	c.AddCommand(a.userAdd(&tenant), a.userList(&tenant), a.userShow(&tenant))
	c.AddCommand(users().commands(a, &tenant)...)
	return c
}

// users are those of all doors alike.
func users() accounts {
	return accounts{
		what: "user", whose: "the user's", void: "tokens and logins",
		find: func(ctx context.Context, s *server.Server, tenant, name string) error {
			_, err := s.User(ctx, tenant, name)
			return err
		},
		setPassword: (*server.Server).SetPassword, setDisabled: (*server.Server).SetDisabled, remove: (*server.Server).DeleteUser,
	}
}

func (a *app) userAdd(tenant *string) *cobra.Command {
	var p passwordFlags
	var roles, organisations []string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add a user", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server user add marco --generate\n  ats-auth-server user add admin --role admin --password-file admin.txt\n" +
			"  ats-auth-server user add olga --organisation Default:admin --generate",
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), checkRoles(roles)); err != nil {
				return err
			}
			if args[0] == "" {
				return command.Usage("the user name is empty")
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			u := store.User{Tenant: *tenant, Name: args[0], Roles: roles}
			return a.withStore(c.Context(), config, func(s *server.Server) error {
				return a.addUser(c.Context(), s, u, p, organisations)
			})
		},
	})
	p.add(c)
	c.Flags().StringArrayVar(&roles, "role", nil, "give the user a `ROLE`: admin or auditor")
	c.Flags().Func("organisation", "make the user a member of the organisation `NAME`, with NAME:admin an admin of it, with NAME:auditor an auditor", func(text string) error {
		organisations = append(organisations, text)
		name, _ := splitMembership(text)
		return namesOrganisation(name)
	})
	return c
}

func (a *app) addUser(ctx context.Context, s *server.Server, u store.User, p passwordFlags, organisations []string) error {
	if err := users().free(ctx, s, u.Tenant, u.Name); err != nil {
		return err
	}
	memberships, err := knownMemberships(ctx, s, u.Tenant, organisations)
	if err != nil {
		return err
	}
	password, err := a.readPassword(ctx, p, "user "+u.Name)
	if err != nil {
		return err
	}
	if err := s.AddUser(ctx, u, password); errors.Is(err, store.ErrExists) {
		return fmt.Errorf("there is an application or a user %q already", u.Name)
	} else if err != nil {
		return err
	}
	a.say("user %s added", u.Name)
	// The user is there: the password must not be lost where the rest goes wrong.
	err = setMemberships(ctx, s, u.Name, memberships)
	return errors.Join(a.answerGenerated(p, u.Name, password), err)
}

func checkRoles(roles []string) error {
	for _, role := range roles {
		if role != store.RoleAdmin && role != store.RoleAuditor {
			return command.Usage("role %q is neither %s nor %s", role, store.RoleAdmin, store.RoleAuditor)
		}
	}
	return nil
}

// userView is what is shown of a user, in a list less than alone.
type userView struct {
	Name          string           `json:"name"`
	Tenant        string           `json:"tenant"`
	Roles         []string         `json:"roles"`
	Disabled      bool             `json:"disabled"`
	Created       string           `json:"created_at"`
	Updated       string           `json:"updated_at"`
	Organisations []membershipView `json:"organisations,omitzero"`
}

func viewUser(u store.User) userView {
	return userView{u.Name, u.Tenant, append([]string{}, u.Roles...), u.Disabled, stamp(u.CreatedAt), stamp(u.UpdatedAt), nil}
}

func stamp(microseconds int64) string {
	if microseconds == 0 {
		return ""
	}
	return time.UnixMicro(microseconds).UTC().Format(time.RFC3339)
}

// orDash keeps the columns of a table apart.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func enabled(is bool) string {
	if is {
		return "enabled"
	}
	return "disabled"
}

func userTable(users []userView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLES\tSTATE\tCREATED")
	for _, u := range users {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, orDash(strings.Join(u.Roles, ",")), enabled(!u.Disabled), u.Created)
	}
	w.Flush()
	return b.String()
}

func (a *app) userList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the users",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := paged(func(after string, limit int) ([]store.User, error) {
					return s.ListUsers(c.Context(), *tenant, after, limit)
				}, func(u store.User) string { return u.Name })
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
		Use: "show NAME", Short: "Show a user, and the user's roles in organisations", Args: cobra.ExactArgs(1),
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
				if v.Organisations, err = viewMemberships(c.Context(), s, *tenant, u.Name); err != nil {
					return err
				}
				return a.answer(v, userTable([]userView{v})+membershipTable(v.Organisations))
			})
		},
	})
}

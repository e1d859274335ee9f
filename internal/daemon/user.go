package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Manage the users who log in with a password"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the user")
	c.AddCommand(a.userAdd(&tenant), a.userList(&tenant), a.userShow(&tenant), a.userSet(&tenant))
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
	var roles, organisations, acl, policies []string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add a user", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server user add marco --generate\n  ats-auth-server user add admin --role admin --password-file admin.txt\n" +
			"  ats-auth-server user add olga --organisation Default:admin --generate\n" +
			"  ats-auth-server user add alice --acl 'confd.users.me.#' --policy operators --generate",
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
			u := store.User{Tenant: *tenant, Name: args[0], Roles: roles, ACL: given(c, "acl", acl), Policies: given(c, "policy", policies)}
			password := a.passwordOnce(c.Context(), p, "user "+u.Name)
			return a.withNew(c.Context(), config, func(s *server.Server) error {
				return addUser(c.Context(), s, u, password, organisations)
			}, func(s *server.Server) error {
				return a.tellUser(c.Context(), s, u, p, password, organisations)
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
	rightsFlags(c, &acl, &policies)
	return c
}

func addUser(ctx context.Context, s *server.Server, u store.User, password func() (token.Secret, error), organisations []string) error {
	if err := users().free(ctx, s, u.Tenant, u.Name); err != nil {
		return err
	}
	if _, err := knownMemberships(ctx, s, u.Tenant, organisations); err != nil {
		return err
	}
	if err := knownPolicies(ctx, s, u.Tenant, u.Policies); err != nil {
		return err
	}
	secret, err := password()
	if err != nil {
		return err
	}
	if err := s.AddUser(ctx, u, secret); errors.Is(err, store.ErrExists) {
		return fmt.Errorf("there is an application or a user %q already", u.Name)
	} else if err != nil {
		return err
	}
	return nil
}

// tellUser is for a user who is there: the password must not be lost where the rest
// goes wrong.
func (a *app) tellUser(ctx context.Context, s *server.Server, u store.User, p passwordFlags, password func() (token.Secret, error), organisations []string) error {
	a.say("user %s added", u.Name)
	a.warnOfName(s, u.Name)
	a.warnOfTemplates(u.ACL)
	secret, _ := password() // it was read
	memberships, err := knownMemberships(ctx, s, u.Tenant, organisations)
	if err == nil {
		err = setMemberships(ctx, s, u.Name, memberships)
	}
	return errors.Join(a.answerGenerated(p, u.Name, secret), err)
}

// warnOfName tells of a name that cannot be sent by HTTP Basic (RFC 7617 section 2).
func (a *app) warnOfName(s *server.Server, name string) {
	if strings.Contains(name, ":") && slices.Contains(s.Doors(), "wazo") {
		a.say("warning: with a colon in the name nobody can log in at the wazo door, which knows HTTP Basic alone (RFC 7617)")
	}
}

func checkRoles(roles []string) error {
	for _, role := range roles {
		if role != store.RoleAdmin && role != store.RoleAuditor {
			return command.Usage("role %q is neither %s nor %s", role, store.RoleAdmin, store.RoleAuditor)
		}
	}
	return nil
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

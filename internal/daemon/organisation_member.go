package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// organisationRoles are what a user can be in an organisation.
func organisationRoles() []string {
	return []string{store.OrganisationMember, store.OrganisationAdmin, store.OrganisationAuditor}
}

func checkOrganisationRoles(roles []string) error {
	for _, role := range roles {
		if !slices.Contains(organisationRoles(), role) {
			return command.Usage("role %q is not one of %s", role, strings.Join(organisationRoles(), ", "))
		}
	}
	return nil
}

// namesOrganisation refuses the empty name, which an unset variable of a script
// leaves.
func namesOrganisation(name string) error {
	if name == "" {
		return errors.New("the name of the organisation is empty")
	}
	return nil
}

// splitMembership takes O, O:admin, O:auditor or O:member apart. A name may hold
// colons itself.
func splitMembership(text string) (organisation, role string) {
	if at := strings.LastIndexByte(text, ':'); at >= 0 && slices.Contains(organisationRoles(), text[at+1:]) {
		return text[:at], text[at+1:]
	}
	return text, store.OrganisationMember
}

// knownMemberships are those that the texts of --organisation stand for, of
// nobody yet.
func knownMemberships(ctx context.Context, s *server.Server, tenant string, texts []string) ([]store.Membership, error) {
	var list []store.Membership
	for _, text := range texts {
		name, role := splitMembership(text)
		o, err := knownOrganisation(ctx, s, tenant, name)
		if err != nil {
			return nil, err
		}
		list = append(list, store.Membership{Tenant: tenant, Organisation: o.Number, Role: role})
	}
	return list, nil
}

// setMemberships makes a user a member of each.
func setMemberships(ctx context.Context, s *server.Server, user string, list []store.Membership) error {
	for _, m := range list {
		m.User = user
		if err := s.SetMember(ctx, m, true); err != nil {
			return fmt.Errorf("user %s, %s of an organisation: %w", user, m.Role, err)
		}
	}
	return nil
}

// memberChange is a command that does something to a user's roles in an
// organisation.
func (a *app) memberChange(tenant *string, c *cobra.Command, roles *[]string, change func(context.Context, *server.Server, store.Organisation, string) error) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return command.Usage("organisation %s: which user? usage: %s", c.Name(), c.CommandPath()+" NAME USER")
		}
		return cobra.ExactArgs(2)(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOrganisationRoles(*roles); err != nil {
			return err
		}
		return a.with(c.Context(), func(s *server.Server) error {
			o, err := knownOrganisation(c.Context(), s, *tenant, args[0])
			if err != nil {
				return err
			}
			if err := users().known(c.Context(), s, *tenant, args[1]); err != nil {
				return err
			}
			return change(c.Context(), s, o, args[1])
		})
	}
	return a.formatFlag(c)
}

// answerMember prints what was done to whom.
func (a *app) answerMember(o store.Organisation, user string, roles []string) error {
	object := struct {
		Organisation string   `json:"organisation"`
		User         string   `json:"user"`
		Roles        []string `json:"roles"`
	}{o.Name, user, roles}
	return a.answer(object, "")
}

func (a *app) organisationAddMember(tenant *string) *cobra.Command {
	var roles []string
	c := a.memberChange(tenant, &cobra.Command{
		Use: "add-member NAME USER", Short: "Give a user a role in an organisation",
		Long: `Give a user a role in an organisation: member, admin or auditor, besides those
that the user has there. At the awx door an admin manages the applications of the
organisation and the tokens of its members, and an auditor sees them.`,
		Example: "  ats-auth-server organisation add-member Default marco --role admin",
	}, &roles, func(ctx context.Context, s *server.Server, o store.Organisation, user string) error {
		slices.Sort(roles)
		roles = slices.Compact(roles)
		var list []store.Membership
		for _, role := range roles {
			list = append(list, store.Membership{Tenant: o.Tenant, Organisation: o.Number, Role: role})
		}
		if err := setMemberships(ctx, s, user, list); err != nil {
			return err
		}
		a.say("user %s is %s of the organisation %s", user, strings.Join(roles, ", "), o.Name)
		return a.answerMember(o, user, roles)
	})
	c.Flags().StringArrayVar(&roles, "role", []string{store.OrganisationMember}, "the `ROLE`: member, admin or auditor")
	return c
}

func (a *app) organisationRemoveMember(tenant *string) *cobra.Command {
	var roles []string
	c := a.memberChange(tenant, &cobra.Command{
		Use: "remove-member NAME USER", Short: "Take a user's roles in an organisation, or one of them",
		Long: `Take a user's roles in an organisation, or those alone that --role names. The
user's tokens stay.`,
		Example: "  ats-auth-server organisation remove-member Default marco --role admin",
	}, &roles, func(ctx context.Context, s *server.Server, o store.Organisation, user string) error {
		taken, err := removeMember(ctx, s, o, user, roles)
		if err != nil {
			return err
		}
		a.say("user %s is no %s of the organisation %s any more", user, strings.Join(taken, ", "), o.Name)
		return a.answerMember(o, user, taken)
	})
	c.Flags().StringArrayVar(&roles, "role", nil, "the `ROLE`: member, admin or auditor; default: all that the user has")
	return c
}

// removeMember takes a user's roles in an organisation, all where none is named,
// and returns which those were.
func removeMember(ctx context.Context, s *server.Server, o store.Organisation, user string, roles []string) (taken []string, err error) {
	all, err := s.Memberships(ctx, o.Tenant, user)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Organisation == o.Number && (len(roles) == 0 || slices.Contains(roles, m.Role)) {
			taken = append(taken, m.Role)
		}
	}
	for _, role := range roles {
		if !slices.Contains(taken, role) {
			return nil, fmt.Errorf("user %q is no %s of the organisation %q", user, role, o.Name)
		}
	}
	if len(taken) == 0 {
		return nil, fmt.Errorf("user %q has no role in the organisation %q", user, o.Name)
	}
	for _, role := range taken {
		m := store.Membership{Tenant: o.Tenant, Organisation: o.Number, User: user, Role: role}
		// Another may have taken it meanwhile.
		if err := s.SetMember(ctx, m, false); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return taken, nil
}

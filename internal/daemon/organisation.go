package daemon

import (
	"cmp"
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

func (a *app) organisationCommand() *cobra.Command {
	c := &cobra.Command{Use: "organisation", Short: "Manage the organisations of the awx door"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the organisation")
	c.AddCommand(
		a.organisationAdd(&tenant), a.organisationList(&tenant), a.organisationShow(&tenant), a.organisationDelete(&tenant),
		a.organisationAddMember(&tenant), a.organisationRemoveMember(&tenant),
	)
	return c
}

func (a *app) organisationAdd(tenant *string) *cobra.Command {
	var description string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add an organisation, and print its number at the awx door", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server organisation add Default --description 'People of the house'",
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "" {
				return command.Usage("the organisation name is empty")
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			wanted := store.Organisation{Tenant: *tenant, Name: args[0], Description: description}
			return a.withStore(c.Context(), config, func(s *server.Server) error {
				made, err := s.AddOrganisation(c.Context(), wanted)
				if errors.Is(err, store.ErrExists) {
					return fmt.Errorf("there is an organisation %q already", wanted.Name)
				}
				if err != nil {
					return err
				}
				a.say("organisation %s added", made.Name)
				object := struct {
					ID   int64  `json:"id"`
					Name string `json:"name"`
				}{made.Number, made.Name}
				return a.answer(object, aligned([][2]string{{"id", fmt.Sprint(made.Number)}, {"name", made.Name}}))
			})
		},
	})
	c.Flags().StringVar(&description, "description", "", "say what it is for, a `TEXT`")
	return c
}

// knownOrganisation is an organisation that there is, by its name.
func knownOrganisation(ctx context.Context, s *server.Server, tenant, name string) (store.Organisation, error) {
	found, err := s.Organisation(ctx, tenant, name)
	if !errors.Is(err, store.ErrNotFound) {
		return found, err
	}
	if _, err := s.Tenant(ctx, tenant); err != nil {
		return found, err
	}
	return found, fmt.Errorf("there is no organisation %q", name)
}

// organisationNames are the names of a tenant's organisations by their numbers.
func organisationNames(ctx context.Context, s *server.Server, tenant string) (map[int64]string, error) {
	all, err := s.Organisations(ctx, tenant)
	names := make(map[int64]string, len(all))
	for _, o := range all {
		names[o.Number] = o.Name
	}
	return names, err
}

// applicationsOf are the applications that belong to an organisation, by ID.
func applicationsOf(ctx context.Context, s *server.Server, o store.Organisation) ([]store.Application, error) {
	all, err := allApplications(ctx, s, o.Tenant)
	return slices.DeleteFunc(all, func(one store.Application) bool { return one.Organisation != o.Number }), err
}

func (a *app) organisationDelete(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "delete NAME", Short: "Delete an organisation", Args: cobra.ExactArgs(1),
		Long: `Delete an organisation. Its users stay, with their tokens; its applications are
to be deleted before.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				known, err := knownOrganisation(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				err = s.DeleteOrganisation(c.Context(), *tenant, known.Number)
				if errors.Is(err, store.ErrConflict) {
					return stillUsed(c.Context(), s, known, err)
				}
				if err != nil {
					return err
				}
				a.say("organisation %s deleted", known.Name)
				return a.answer(map[string]string{"name": known.Name}, "")
			})
		},
	})
}

// stillUsed names the applications that keep an organisation from being deleted.
func stillUsed(ctx context.Context, s *server.Server, o store.Organisation, conflict error) error {
	all, err := applicationsOf(ctx, s, o)
	if err != nil || len(all) == 0 {
		return cmp.Or(err, conflict)
	}
	ids := make([]string, len(all))
	for i, one := range all {
		ids[i] = one.ID
	}
	return fmt.Errorf("organisation %s has applications, to be deleted first: %s", o.Name, strings.Join(ids, ", "))
}

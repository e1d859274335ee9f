package daemon

import (
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

func (a *app) propertyCommand() *cobra.Command {
	c := &cobra.Command{Use: "property", Short: "Manage the properties that are changed while a server runs"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the property")
	c.AddCommand(a.propertyList(&tenant), a.propertySet(&tenant), a.propertyReset(&tenant))
	return c
}

// propertyView is a property as it is printed.
type propertyView struct {
	Name        string `json:"name"`
	Value       string `json:"value"` // empty: not set
	Description string `json:"description,omitempty"`
}

func viewProperty(p store.Property) propertyView {
	return propertyView{p.Name, p.Value, server.PropertyDescription(p.Name)}
}

func (a *app) propertyList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the properties",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := s.Properties(c.Context(), *tenant)
				if err != nil {
					return err
				}
				views := make([]propertyView, len(all))
				for i, p := range all {
					views[i] = viewProperty(p)
				}
				return a.answer(views, propertyTable(views))
			})
		},
	})
}

func propertyTable(views []propertyView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVALUE\tMEANING")
	for _, v := range views {
		value := v.Value
		if value == "" {
			value = "(not set)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, value, v.Description)
	}
	w.Flush()
	return b.String()
}

func (a *app) propertySet(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "set NAME VALUE", Short: "Set a property; a running server follows at once", Args: cobra.ExactArgs(2),
		Example: "  ats-auth-server property set MAXIMUM_REFRESH_TOKEN_LIFETIME 24h",
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeProperty(c.Context(), *tenant, args[0], "property %s set", func(s *server.Server) error {
				return s.SetProperty(c.Context(), *tenant, args[0], args[1])
			})
		},
	})
}

func (a *app) propertyReset(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "reset NAME", Short: "Make a property one that is not set", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeProperty(c.Context(), *tenant, args[0], "property %s is not set any more", func(s *server.Server) error {
				return s.ResetProperty(c.Context(), *tenant, args[0])
			})
		},
	})
}

func (a *app) changeProperty(ctx context.Context, tenant, name, done string, change func(*server.Server) error) error {
	return a.inTenant(ctx, tenant, func(s *server.Server) error {
		err := change(s)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, server.ErrValue) {
			return &command.UsageError{Problem: err.Error()}
		}
		if err != nil {
			return err
		}
		a.say(done, name)
		return a.answer(map[string]string{"name": name}, "")
	})
}

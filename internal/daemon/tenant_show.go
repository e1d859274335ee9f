package daemon

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// text is what a person reads.
func (v tenantView) text() string {
	keys := "-"
	if v.Keys != nil {
		keys = strconv.Itoa(*v.Keys)
	}
	algorithm := v.Algorithm
	if algorithm == "" {
		algorithm = v.defaults.Algorithm + " (default)"
	}
	return aligned([][2]string{
		{"name", v.Name},
		{"algorithm", algorithm},
		{"issuer", v.Issuer},
		{"base URL", v.BaseURL},
		{"site", orDash(v.Site)},
		{"site admin", yesNo(v.SiteAdmin)},
		{"API version", orDash(v.APIVersion)},
		{"access tokens", lifetimes(v.AccessTTL, v.defaults.AccessTTL, v.MaxAccessTTL, 0)},
		{"refresh tokens", lifetimes(v.RefreshTTL, v.defaults.RefreshTTL, v.MaxRefreshTTL, v.defaults.MaxRefreshTTL)},
		{"weak keys", yesNo(v.WeakKeys)},
		{"open minting", yesNo(v.OpenMinting)},
		{"keys", keys},
		{"created", orDash(v.Created)},
		{"updated", orDash(v.Updated)},
	})
}

// lifetimes says how long tokens last and may last, each with what counts where
// nothing is set.
func lifetimes(usual, usualDefault, most, mostDefault int64) string {
	if most == 0 && mostDefault == 0 {
		return lifetime(usual, usualDefault) + ", no limit"
	}
	return lifetime(usual, usualDefault) + ", at most " + lifetime(most, mostDefault)
}

// lifetime is whole days or hours as the flags take them, else seconds.
func lifetime(set, fallback int64) string {
	if set == 0 {
		return lifetime(fallback, 0) + " (default)"
	}
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}} {
		if set%unit.seconds == 0 {
			return strconv.FormatInt(set/unit.seconds, 10) + unit.name
		}
	}
	return fmt.Sprintf("%d s", set)
}

func tenantTable(views []tenantView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tALG\tSITE\tISSUER\tCREATED")
	for _, v := range views {
		site := orDash(v.Site)
		if v.SiteAdmin {
			site += " (admin)"
		}
		fmt.Fprintln(w, strings.Join([]string{v.Name, orDash(v.Algorithm), site, v.Issuer, orDash(v.Created)}, "\t"))
	}
	w.Flush()
	return b.String()
}

// viewTenants shows tenants as the configuration has them.
func (a *app) viewTenants(ctx context.Context, find func(*server.Server) ([]store.Tenant, error), show func([]tenantView) error) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	return a.with(ctx, func(s *server.Server) error {
		found, err := find(s)
		if err != nil {
			return err
		}
		views := make([]tenantView, len(found))
		for i, t := range found {
			if views[i], err = viewTenant(ctx, s, config, t); err != nil {
				return err
			}
		}
		return show(views)
	})
}

func (a *app) tenantList() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the tenants, in the order in which they were made",
		RunE: func(c *cobra.Command, _ []string) error {
			all := func(s *server.Server) ([]store.Tenant, error) { return s.Tenants(c.Context()) }
			return a.viewTenants(c.Context(), all, func(views []tenantView) error { return a.answer(views, tenantTable(views)) })
		},
	})
}

func (a *app) tenantShow() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a tenant", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkTenantName(args[0]); err != nil {
				return err
			}
			one := func(s *server.Server) ([]store.Tenant, error) {
				t, err := s.Tenant(c.Context(), args[0])
				return []store.Tenant{t}, err
			}
			return a.viewTenants(c.Context(), one, func(views []tenantView) error { return a.answer(views[0], views[0].text()) })
		},
	})
}

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
	return aligned([][2]string{
		{"name", v.Name},
		{"algorithm", orDash(v.Algorithm)},
		{"issuer", v.Issuer},
		{"base URL", v.BaseURL},
		{"site", orDash(v.Site)},
		{"site admin", yesNo(v.SiteAdmin)},
		{"API version", orDash(v.APIVersion)},
		{"access tokens", lifetimes(v.AccessTTL, v.MaxAccessTTL)},
		{"refresh tokens", lifetimes(v.RefreshTTL, v.MaxRefreshTTL)},
		{"weak keys", yesNo(v.WeakKeys)},
		{"open minting", yesNo(v.OpenMinting)},
		{"keys", keys},
		{"created", orDash(v.Created)},
		{"updated", orDash(v.Updated)},
	})
}

// lifetimes says how long tokens last and may last.
func lifetimes(usual, most int64) string {
	text, limit := "the door's own", "no limit"
	if usual != 0 {
		text = fmt.Sprintf("%d s", usual)
	}
	if most != 0 {
		limit = fmt.Sprintf("at most %d s", most)
	}
	return text + ", " + limit
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

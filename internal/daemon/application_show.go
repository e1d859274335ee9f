package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// applicationView is what is shown of an application.
type applicationView struct {
	Name         string          `json:"name"`
	ID           string          `json:"client_id"`
	Tenant       string          `json:"tenant"`
	AuthMethod   string          `json:"auth_method"`
	Grants       []string        `json:"grants"`
	RedirectURIs []string        `json:"redirect_uris"`
	Scopes       []string        `json:"scopes"`
	Audiences    []string        `json:"audiences"`
	JWKS         json.RawMessage `json:"jwks,omitempty"`
	Introspect   bool            `json:"introspect"`
	SkipConsent  bool            `json:"skip_consent"`
	PKCEOptional bool            `json:"pkce_optional"`
	Number       int64           `json:"id"`           // by which the awx door calls it
	Organisation string          `json:"organisation"` // empty: none
	Owner        string          `json:"owner"`        // the user whose it is; empty: nobody's
	Description  string          `json:"description"`
	Implicit     bool            `json:"implicit"`
	Created      string          `json:"created_at"`
	Updated      string          `json:"updated_at"`
}

// viewApplication shows an application, with the name of its organisation of those.
func viewApplication(a store.Application, organisations map[int64]string) applicationView {
	some := func(list []string) []string { return append([]string{}, list...) }
	v := applicationView{
		Name: a.Name, ID: a.ID, Tenant: a.Tenant, AuthMethod: a.AuthMethod,
		Grants: some(a.Grants), RedirectURIs: some(a.RedirectURIs), Scopes: some(a.Scopes), Audiences: some(a.Audiences),
		Introspect: a.Introspect, SkipConsent: a.SkipConsent, PKCEOptional: a.PKCEOptional,
		Number: a.Number, Organisation: organisations[a.Organisation], Owner: a.Owner, Description: a.Description, Implicit: a.Implicit,
		Created: stamp(a.CreatedAt), Updated: stamp(a.UpdatedAt),
	}
	if a.JWKS != "" {
		v.JWKS = json.RawMessage(a.JWKS)
	}
	if v.AuthMethod == "" {
		v.AuthMethod = "client_secret"
	}
	return v
}

// kind is what RFC 6749 section 2.1 calls it.
func (v applicationView) kind() string {
	if v.AuthMethod == "none" {
		return "public"
	}
	return "confidential"
}

func (v applicationView) text() string {
	rows := [][2]string{{"name", v.Name}, {"client_id", v.ID}, {"kind", v.kind() + ", " + v.AuthMethod}}
	rows = appendList(rows, "grants", v.Grants)
	rows = appendList(rows, "redirect URIs", v.RedirectURIs)
	rows = appendList(rows, "scopes", v.Scopes)
	rows = appendList(rows, "audiences", v.Audiences)
	if v.Organisation != "" {
		rows = append(rows, [2]string{"organisation", v.Organisation}, [2]string{"id", fmt.Sprint(v.Number)}, [2]string{"implicit", yesNo(v.Implicit)})
	}
	if v.Owner != "" {
		rows = append(rows, [2]string{"owner", v.Owner})
	}
	if v.Description != "" {
		rows = append(rows, [2]string{"description", oneLine(v.Description)})
	}
	rows = append(
		rows, [2]string{"introspects", yesNo(v.Introspect)}, [2]string{"skips consent", yesNo(v.SkipConsent)},
		[2]string{"needs PKCE", yesNo(!v.PKCEOptional)},
		[2]string{"created", v.Created}, [2]string{"updated", v.Updated},
	)
	return aligned(rows)
}

// appendList adds a line for each item, the first with the name.
func appendList(rows [][2]string, name string, items []string) [][2]string {
	if len(items) == 0 {
		return append(rows, [2]string{name, "-"})
	}
	for _, item := range items {
		rows = append(rows, [2]string{name, item})
		name = ""
	}
	return rows
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func applicationTable(views []applicationView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLIENT ID\tNAME\tKIND\tGRANTS\tCREATED")
	for _, v := range views {
		grants := make([]string, len(v.Grants))
		for i, g := range v.Grants {
			grants[i] = g[strings.LastIndexByte(g, ':')+1:] // those of later documents are URNs
		}
		if v.Implicit {
			grants = append(grants, "implicit")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Name, v.kind(), strings.Join(grants, ","), v.Created)
	}
	w.Flush()
	return b.String()
}

func (a *app) applicationList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the applications",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := allApplications(c.Context(), s, *tenant)
				if err != nil {
					return err
				}
				organisations, err := organisationNames(c.Context(), s, *tenant)
				if err != nil {
					return err
				}
				views := make([]applicationView, len(all))
				for i, one := range all {
					views[i] = viewApplication(one, organisations)
				}
				return a.answer(views, applicationTable(views))
			})
		},
	})
}

func (a *app) applicationShow(tenant *string) *cobra.Command {
	return a.applicationChange(tenant, "show ID", "Show an application",
		func(ctx context.Context, s *server.Server, known store.Application) error {
			organisations, err := organisationNames(ctx, s, known.Tenant)
			if err != nil {
				return err
			}
			v := viewApplication(known, organisations)
			return a.answer(v, v.text())
		})
}

package daemon

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// organisationView is what is shown of an organisation, in a list less than alone.
type organisationView struct {
	ID           int64    `json:"id"`
	Name         string   `json:"name"`
	Tenant       string   `json:"tenant"`
	Description  string   `json:"description"`
	Admins       []string `json:"admins,omitzero"`
	Auditors     []string `json:"auditors,omitzero"`
	Members      []string `json:"members,omitzero"`
	Applications []string `json:"applications,omitzero"` // client_id
	Created      string   `json:"created_at"`
	Updated      string   `json:"updated_at"`
}

func viewOrganisation(o store.Organisation) organisationView {
	return organisationView{ID: o.Number, Name: o.Name, Tenant: o.Tenant, Description: o.Description, Created: stamp(o.CreatedAt), Updated: stamp(o.UpdatedAt)}
}

// viewWhole shows who and what belongs to an organisation too.
func viewWhole(ctx context.Context, s *server.Server, o store.Organisation) (organisationView, error) {
	v := viewOrganisation(o)
	v.Admins, v.Auditors, v.Members, v.Applications = []string{}, []string{}, []string{}, []string{}
	members, err := s.Members(ctx, o.Tenant, o.Number)
	if err != nil {
		return v, err
	}
	lists := map[string]*[]string{store.OrganisationAdmin: &v.Admins, store.OrganisationAuditor: &v.Auditors, store.OrganisationMember: &v.Members}
	for _, m := range members {
		if list := lists[m.Role]; list != nil {
			*list = append(*list, m.User)
		}
	}
	all, err := applicationsOf(ctx, s, o)
	for _, one := range all {
		v.Applications = append(v.Applications, one.ID)
	}
	return v, err
}

func (v organisationView) text() string {
	rows := [][2]string{{"id", fmt.Sprint(v.ID)}, {"name", v.Name}, {"description", oneLine(orDash(v.Description))}}
	rows = appendList(rows, "admins", v.Admins)
	rows = appendList(rows, "auditors", v.Auditors)
	rows = appendList(rows, "members", v.Members)
	rows = appendList(rows, "applications", v.Applications)
	return aligned(append(rows, [2]string{"created", v.Created}, [2]string{"updated", v.Updated}))
}

func organisationTable(views []organisationView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tDESCRIPTION\tCREATED")
	for _, v := range views {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", v.ID, v.Name, oneLine(orDash(v.Description)), v.Created)
	}
	w.Flush()
	return b.String()
}

func (a *app) organisationList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the organisations of a tenant, the oldest first",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := s.Organisations(c.Context(), *tenant)
				if err != nil {
					return err
				}
				views := make([]organisationView, len(all))
				for i, o := range all {
					views[i] = viewOrganisation(o)
				}
				return a.answer(views, organisationTable(views))
			})
		},
	})
}

func (a *app) organisationShow(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show an organisation, who is what in it, and its applications", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				known, err := knownOrganisation(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				v, err := viewWhole(c.Context(), s, known)
				if err != nil {
					return err
				}
				return a.answer(v, v.text())
			})
		},
	})
}

// membershipView is a role in an organisation, as a user's are shown.
type membershipView struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// viewMemberships shows what a user is in which organisations.
func viewMemberships(ctx context.Context, s *server.Server, tenant, user string) ([]membershipView, error) {
	list, err := s.Memberships(ctx, tenant, user)
	if err != nil {
		return nil, err
	}
	names, err := organisationNames(ctx, s, tenant)
	views := make([]membershipView, len(list))
	for i, m := range list {
		views[i] = membershipView{m.Organisation, names[m.Organisation], m.Role}
	}
	return views, err
}

// membershipTable is empty where there are none.
func membershipTable(views []membershipView) string {
	if len(views) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nORGANISATION\tROLE")
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\n", v.Name, v.Role)
	}
	w.Flush()
	return b.String()
}

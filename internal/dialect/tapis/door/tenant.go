package door

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// siteOf is the site of a tenant; those without one are of the only one.
func siteOf(t store.Tenant) string { return cmp.Or(t.Site, "tapis") }

func (h *Handler) baseOf(t store.Tenant) string { return cmp.Or(t.BaseURL, h.URL) }

// tenantOf is the tenant that a request is about: the one it names, else the one
// that is called by the request's Host, else the only one that there is. Where
// there are several it is asked for: a guess could take a login to strangers.
func (h *Handler) tenantOf(r *http.Request) (issuer.Served, error) {
	name, given, err := header(r, tapis.HeaderTenant)
	if err != nil {
		return issuer.Served{}, err
	}
	if given {
		served, known := h.Doors.Of(name)
		if !known {
			return served, noTenant(tapis.HeaderTenant, name)
		}
		return served, nil
	}
	if served, ok := first(h.hosted(r.Host)); ok {
		return served, nil
	}
	var others []issuer.Served // that users can be of
	for _, s := range h.Doors.All() {
		if !s.Tenant.SiteAdmin && s.Tenant.Name != store.DefaultTenant {
			others = append(others, s)
		}
	}
	if served, ok := first(h.Doors.All()); ok && len(others) < 2 {
		return served, nil
	}
	return issuer.Served{}, bad("%s: it is missing, and no tenant is called by that Host", tapis.HeaderTenant)
}

// first is the first made of some tenants that does not administer its site; the
// one that exists from the start comes last, and one that does after it.
func first(list []issuer.Served) (issuer.Served, bool) {
	var best issuer.Served
	rank := 3
	for _, s := range list {
		this := 0
		switch {
		case s.Tenant.SiteAdmin:
			this = 2
		case s.Tenant.Name == store.DefaultTenant:
			this = 1
		}
		if this < rank {
			best, rank = s, this
		}
	}
	return best, len(list) > 0
}

// hosted are the tenants that are called by a host.
func (h *Handler) hosted(host string) []issuer.Served {
	var list []issuer.Served
	for _, s := range h.Doors.All() {
		if isHost(h.baseOf(s.Tenant), host) {
			list = append(list, s)
		}
	}
	return list
}

// isHost tells whether a request to a URL has that Host, which leaves the port out
// where it is the usual one, as some clients do not.
func isHost(base, host string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	usual := ":80"
	if u.Scheme == "https" {
		usual = ":443"
	}
	return strings.EqualFold(strings.TrimSuffix(u.Host, usual), strings.TrimSuffix(host, usual))
}

// tenants lists all tenants. Clients ask before they do anything else.
func (h *Handler) tenants(*call) (answer, error) {
	list := []tapis.Tenant{}
	for _, s := range lastDefault(h.Doors.All()) {
		t, err := h.shown(s)
		if err != nil {
			return answer{}, err
		}
		list = append(list, t)
	}
	return answer{"Tenants retrieved successfully.", list}, nil
}

// lastDefault puts the tenant that exists from the start behind the others, as the
// tenant of a request is found: clients take the first that has the URL they call.
func lastDefault(all []issuer.Served) []issuer.Served {
	list := slices.Clone(all)
	slices.SortStableFunc(list, func(a, b issuer.Served) int {
		switch store.DefaultTenant {
		case b.Tenant.Name:
			return -1
		case a.Tenant.Name:
			return 1
		}
		return 0
	})
	return list
}

func (h *Handler) tenantByID(c *call) (answer, error) {
	served, known := h.Doors.Of(c.id)
	if !known {
		return answer{}, refusal{status: http.StatusNotFound, message: "No tenant found with that tenant_id."}
	}
	c.tenant = served
	t, err := h.shown(served)
	return answer{"Tenant retrieved successfully.", t}, err
}

// shown is a tenant as everybody may see it.
func (h *Handler) shown(s issuer.Served) (tapis.Tenant, error) {
	base := h.baseOf(s.Tenant)
	t := tapis.Tenant{
		TenantID: s.Tenant.Name, SiteID: siteOf(s.Tenant), BaseURL: base, TokenService: s.Door.Issuer,
		Authenticator: base + "/v3/oauth2", Status: "active",
	}
	var err error
	if t.PublicKey, err = publicPEM(s.Door); err != nil {
		return t, err
	}
	t.JWKS, err = s.Door.JWKS()
	return t, err
}

// allSites are the sites of the tenants. The primary one is that of the first
// tenant made besides the one that exists from the start.
func (h *Handler) allSites() []tapis.Site {
	all := h.Doors.All()
	primary := ""
	var ids []string
	members := map[string][]issuer.Served{}
	for _, s := range all {
		id := siteOf(s.Tenant)
		if members[id] == nil {
			ids = append(ids, id)
		}
		if members[id] = append(members[id], s); primary == "" && s.Tenant.Name != store.DefaultTenant {
			primary = id
		}
	}
	sites := []tapis.Site{}
	for _, id := range ids {
		site := h.site(id, members[id])
		site.Primary = id == primary || primary == "" // only the tenant from the start
		sites = append(sites, site)
	}
	return sites
}

// site is one site of its tenants.
func (h *Handler) site(id string, tenants []issuer.Served) tapis.Site {
	site := tapis.Site{SiteID: id, Services: []string{"authenticator", "site-router", "tenants", "tokens"}}
	usual, _ := first(tenants)
	for _, s := range tenants {
		if s.Tenant.SiteAdmin {
			usual, site.SiteAdminTenantID = s, s.Tenant.Name
		}
	}
	site.BaseURL = h.baseOf(usual.Tenant)
	site.TenantBaseURLTemplate = template(site.BaseURL, usual.Tenant.Name)
	return site
}

// template is how the tenants of a site are called, as far as one of them shows:
// by their names where it is called by its own.
func template(base, tenant string) string {
	return strings.Replace(base, "://"+tenant+".", "://${tenant_id}.", 1)
}

func (h *Handler) sites(*call) (answer, error) {
	return answer{"Sites retrieved successfully.", h.allSites()}, nil
}

func (h *Handler) siteByID(c *call) (answer, error) {
	for _, s := range h.allSites() {
		if s.SiteID == c.id {
			return answer{"Site retrieved successfully.", s}, nil
		}
	}
	return answer{}, refusal{status: http.StatusNotFound, message: "No site found with that site_id."}
}

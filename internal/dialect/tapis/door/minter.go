package door

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// mayMint refuses who may not have what is ordered in the call's tenant: a service
// that proves itself by its password or by a token.
func (h *Handler) mayMint(c *call, o issuer.Order) error {
	open := h.isOpen(c)
	if open && o.Mint.Service {
		out, err := h.leadsOut(c, o.Subject)
		if err != nil {
			return err
		}
		open = !out
	}
	if open {
		return nil
	}
	_, byPassword, err := header(c.Request, "Authorization")
	if err != nil {
		return err
	}
	_, byToken, err := header(c.Request, tapis.HeaderToken)
	switch {
	case err != nil:
		return err
	case byPassword && byToken:
		return bad("Authorization and %s: want one of them", tapis.HeaderToken)
	case byPassword:
		return h.byPassword(c, o)
	}
	return h.byToken(c)
}

// header is a header that stands in a request once, or not at all.
func header(r *http.Request, name string) (value string, given bool, err error) {
	list := r.Header.Values(name)
	if len(list) > 1 {
		return "", true, bad("%s: want to stand there once", name)
	}
	return r.Header.Get(name), len(list) == 1, nil
}

// byPassword lets a service account mint for itself, and for anybody where it has
// been allowed to.
func (h *Handler) byPassword(c *call, o issuer.Order) error {
	name, password, ok := c.BasicAuth()
	if !ok {
		return bad("Authorization: want Basic, of a service account")
	}
	home, err := h.homeOf(c)
	if err != nil {
		return err
	}
	who := token.Credentials{Username: name, Password: token.NewPassword(password)}
	account, err := h.Core.AuthenticateService(c.Context(), home, who, dialect.Source(c.Context()))
	tenant := c.tenant.Tenant.Name
	switch {
	case errors.Is(err, token.ErrCredentials):
		return refusal{message: tapis.MessageService}
	case err != nil:
		return err
	case slices.Contains(account.MayMint, tenant):
		return nil
	case !o.Mint.Service || o.Subject != account.Name:
		return refusal{message: tapis.MessageMismatch}
	case account.Tenant != tenant:
		return errMayNotMint(tenant)
	}
	return nil
}

// homeOf is the tenant of a service account that proves itself by its password:
// the one in the header, else the one that a token is for.
func (h *Handler) homeOf(c *call) (string, error) {
	name, given, err := header(c.Request, tapis.HeaderTenant)
	switch {
	case err != nil:
		return "", err
	case !given:
		return c.tenant.Tenant.Name, nil
	}
	if _, known := h.Doors.Of(name); !known {
		return "", noTenant(tapis.HeaderTenant, name)
	}
	return name, nil
}

func errMayNotMint(tenant string) error {
	return refusal{message: tapis.MessageMayNotMint + tenant + "."}
}

// byToken lets a service account mint where it has been allowed to.
func (h *Handler) byToken(c *call) error {
	who, err := h.caller(c)
	if err != nil {
		return err
	}
	account, err := h.accountOf(c.Context(), who)
	if err != nil {
		return err
	}
	if !slices.Contains(account.MayMint, c.tenant.Tenant.Name) || !who.isFor(c.tenant.Tenant) {
		return errMayNotMint(c.tenant.Tenant.Name)
	}
	return nil
}

// caller is who asks by a token that is honoured.
type caller struct {
	*issuer.Live
	tenant store.Tenant
}

// isFor tells that a caller's token is for the site of a tenant: another site's
// services were sent it to read.
func (w caller) isFor(t store.Tenant) bool {
	site, named := w.String("tapis/target_site")
	return !named || site == siteOf(t)
}

// caller judges the token in X-Tapis-Token.
func (h *Handler) caller(c *call) (caller, error) {
	raw, _, err := header(c.Request, tapis.HeaderToken)
	switch {
	case err != nil:
		return caller{}, err
	case raw == "":
		return caller{}, refusal{message: tapis.MessageNoToken}
	}
	served, live, err := h.judge(c.Context(), raw)
	if err == nil && live.IsRefresh() {
		err = token.ErrClaims
	}
	if _, known := why(err); known {
		return caller{}, refusal{message: tapis.MessageInvalidToken}
	}
	return caller{live, served.Tenant}, err
}

// judge finds the tenant of a token by its own word, and has it judged there.
func (h *Handler) judge(ctx context.Context, raw string) (issuer.Served, *issuer.Live, error) {
	served, err := h.tenantOfToken(raw)
	if err != nil {
		return served, nil, err
	}
	live, err := served.Door.LiveMinted(ctx, raw)
	return served, live, err
}

// tenantOfToken is the one that a token names, which is not verified by that.
func (h *Handler) tenantOfToken(raw string) (issuer.Served, error) {
	t, err := token.Decode(raw)
	if err != nil {
		return issuer.Served{}, err
	}
	name, ok := t.Claims.String("tapis/tenant_id")
	if !ok {
		name, _ = t.Claims.String("tenant_id") // the oldest kind
	}
	served, known := h.Doors.Of(name)
	if !known {
		return served, token.ErrUnknown
	}
	return served, nil
}

// accountOf is the service account behind a token that was issued here, the zero
// one where there is none that may act. A token that was signed elsewhere does not
// prove that anybody gave it.
func (h *Handler) accountOf(ctx context.Context, who caller) (store.ServiceAccount, error) {
	if !who.IsService() || !who.IsSealed() {
		return store.ServiceAccount{}, nil
	}
	account, err := h.Core.ServiceAccount(ctx, who.tenant.Name, who.Name())
	if errors.Is(err, store.ErrNotFound) || err == nil && account.Disabled {
		return store.ServiceAccount{}, nil
	}
	return account, err
}

// isOpen tells that anybody may mint: a developer's program on this machine. A
// page in the developer's browser is not, nor what a proxy lets in.
func (h *Handler) isOpen(c *call) bool {
	if !h.OpenMinting(c.tenant.Tenant.Name) {
		return false
	}
	for name := range c.Header {
		if isOfOthers(name) {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(c.RemoteAddr)
	kind, _, kindErr := mime.ParseMediaType(c.Header.Get("Content-Type"))
	return err == nil && kindErr == nil && c.ProtoAtLeast(1, 1) && peer.Addr().IsLoopback() && kind == "application/json" && isLocal(c.Host)
}

// leadsOut tells a service account that may mint in other tenants, which are not
// open to anybody.
func (h *Handler) leadsOut(c *call, name string) (bool, error) {
	tenant := c.tenant.Tenant.Name
	account, err := h.Core.ServiceAccount(c.Context(), tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return slices.ContainsFunc(account.MayMint, func(other string) bool { return other != tenant }), err
}

// isOfOthers tells a header that a browser or a proxy adds.
func isOfOthers(name string) bool {
	for _, prefix := range []string{"X-Forwarded", "Sec-Fetch-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"Origin", "Referer", "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "Cf-Connecting-Ip", "True-Client-Ip", "Tailscale-User-Login",
	}, name)
}

// isLocal tells a Host that names this machine to itself. Another name may be a
// page's that has it point here.
func isLocal(host string) bool {
	u := url.URL{Host: host}
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback()
}

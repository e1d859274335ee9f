package door

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refresh gives a new pair for a refresh token to whoever has it, where no client
// proved itself for it.
func (h *Handler) refresh(c *call) (answer, error) {
	const field = "refresh_token"
	b, err := readJSON(c)
	if err != nil {
		return answer{}, err
	}
	raw := b.need(field)
	if b.err != nil {
		return answer{}, b.err
	}
	served, err := h.tenantOfToken(raw)
	if err != nil {
		return answer{}, of(field, err)
	}
	c.tenant = served
	set, err := served.Door.MintAgain(c.Context(), token.NewSecret(raw), "")
	if err != nil {
		return answer{}, of(field, err)
	}
	return paired(tapis.MessageMinted, set)
}

// revoke voids the token that is sent, access or refresh, and no other. Whoever
// has a token may do that.
func (h *Handler) revoke(c *call) (answer, error) {
	return h.revokeIf(c, func(issuer.Served) error { return nil })
}

func (h *Handler) revokeIf(c *call, may func(issuer.Served) error) (answer, error) {
	b, err := readJSON(c)
	if err != nil {
		return answer{}, err
	}
	raw := b.need("token")
	if b.err != nil {
		return answer{}, b.err
	}
	served, err := h.tenantOfToken(raw)
	if err == nil {
		err = may(served)
	}
	var live *issuer.Live
	if err == nil {
		c.tenant = served
		live, err = served.Door.RevokeMinted(c.Context(), raw)
	}
	if words, known := why(err); known {
		return answer{}, refusal{message: tapis.MessageJudge + words}
	}
	return answer{message: revoked(live)}, err
}

// revoked says which token is void now.
func revoked(live *issuer.Live) string {
	if live == nil || live.JTI == "" {
		return "The token has been revoked."
	}
	return "Token " + clip(live.JTI) + " has been revoked."
}

// check tells of the token in X-Tapis-Token whether it was revoked.
func (h *Handler) check(c *call) (answer, error) {
	raw, _, err := header(c.Request, tapis.HeaderToken)
	if err != nil {
		return answer{}, err
	}
	served, _, err := h.judge(c.Context(), raw)
	switch _, known := why(err); {
	case errors.Is(err, token.ErrRevoked):
		return answer{}, refusal{message: tapis.MessageRevoked}
	case known:
		return answer{}, refusal{message: tapis.MessageNotFound}
	case err != nil:
		return answer{}, err
	}
	c.tenant = served
	return answer{message: tapis.MessageNotRevoked}, nil
}

// siteRevoke is revoke for the services that keep a site's tokens.
func (h *Handler) siteRevoke(c *call) (answer, error) {
	who, err := h.keeper(c)
	if err != nil {
		return answer{}, err
	}
	return h.revokeIf(c, func(s issuer.Served) error {
		if siteOf(s.Tenant) != siteOf(who.tenant) {
			return token.ErrUnknown
		}
		return nil
	})
}

// keeper is the service tokens or tenants of the tenant that administers a site.
func (h *Handler) keeper(c *call) (caller, error) {
	who, err := h.caller(c)
	var known refusal
	if errors.As(err, &known) && !known.data {
		return who, refusal{status: http.StatusUnauthorized, message: known.message}
	}
	if err != nil {
		return who, err
	}
	account, err := h.accountOf(c.Context(), who)
	if err != nil {
		return who, err
	}
	if !who.tenant.SiteAdmin || !slices.Contains([]string{"tokens", "tenants"}, account.Name) || !who.isFor(who.tenant) {
		return who, refusal{status: http.StatusUnauthorized, message: tapis.MessageMayNotRevoke}
	}
	return who, nil
}

// rotate makes a tenant's new signing key. What the old ones signed stays good.
func (h *Handler) rotate(c *call) (answer, error) {
	b, err := readJSON(c)
	if err != nil {
		return answer{}, err
	}
	if c.tenant, err = h.tenantIn(b, "tenant_id"); err != nil {
		return answer{}, err
	}
	who, err := h.caller(c)
	if err != nil {
		return answer{}, err
	}
	switch may, err := h.mayRotate(c.Context(), who, c.tenant.Tenant); {
	case err != nil:
		return answer{}, err
	case !may:
		return answer{}, refusal{message: tapis.MessageNotAllowed}
	}
	if err := c.tenant.Door.RotateKey(c.Context(), issuer.Rotation{Now: true}); err != nil {
		return answer{}, err
	}
	text, err := publicPEM(c.tenant.Door)
	return answer{tapis.MessageKeys, map[string]string{"public_key": text}}, err
}

// mayRotate allows an admin of the tenant, at a login that no application had a
// part in, and a service of the same site that may mint there.
func (h *Handler) mayRotate(ctx context.Context, who caller, tenant store.Tenant) (bool, error) {
	if who.IsService() {
		account, err := h.accountOf(ctx, who)
		return slices.Contains(account.MayMint, tenant.Name) && siteOf(who.tenant) == siteOf(tenant) && who.isFor(tenant), err
	}
	if who.tenant.Name != tenant.Name || who.Client != "" || !who.IsSealed() || !who.isFor(tenant) {
		return false, nil
	}
	user, err := h.Core.User(ctx, tenant.Name, who.Name())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return slices.Contains(user.Roles, store.RoleAdmin) && !user.Disabled, err
}

// publicPEM is what a tenant's tokens verify with.
func publicPEM(d *issuer.Door) (string, error) {
	key, err := d.PublicKey()
	if err != nil {
		return "", err
	}
	return signing.PublicPEM(key)
}

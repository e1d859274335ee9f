package door

import (
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// mint gives a token for a user or a service account to a service that may have it.
func (h *Handler) mint(c *call) (answer, error) {
	b, err := readJSON(c)
	if err != nil {
		return answer{}, err
	}
	if c.tenant, err = h.tenantIn(b, "token_tenant_id"); err != nil {
		return answer{}, err
	}
	// Before any record is read: what changes one afterwards voids the token.
	at := c.tenant.Door.Tick()
	o, err := readOrder(b, c.tenant.Tenant.SiteAdmin)
	if err != nil {
		return answer{}, err
	}
	if err := h.mayMint(c, o); err != nil {
		return answer{}, err
	}
	set, err := c.tenant.Door.Issue(c.Context(), at, o)
	if err != nil {
		return answer{}, of("token_username", err)
	}
	return paired(tapis.MessageMinted, set)
}

// tenantIn is the tenant that a member names.
func (h *Handler) tenantIn(b *body, member string) (issuer.Served, error) {
	name := b.needLabel(member)
	if b.err != nil {
		return issuer.Served{}, b.err
	}
	served, known := h.Doors.Of(name)
	if !known {
		return served, noTenant(member, name)
	}
	return served, nil
}

// readOrder reads what is to be minted. In the tenant that administers a site,
// users have no tokens: services there have the say over other tenants.
func readOrder(b *body, siteAdmin bool) (issuer.Order, error) {
	kind := b.need("account_type")
	if kind != tapis.AccountUser && kind != tapis.AccountService {
		b.wrong("account_type", tapis.AccountUser+" or "+tapis.AccountService)
	}
	if kind == tapis.AccountUser && siteAdmin {
		b.wrong("account_type", tapis.AccountService+": the tenant administers a site, and users have no tokens there")
	}
	o := issuer.Order{
		Subject: b.needName("token_username"), TTL: b.seconds("access_token_ttl"),
		Refresh: b.flag("generate_refresh_token"), RefreshTTL: b.seconds("refresh_token_ttl"),
		Mint: &issuer.Mint{Service: kind == tapis.AccountService, Delegate: b.delegate(), TargetSite: b.label("target_site_id"), Claims: b.claims()},
	}
	return o, b.err
}

// delegate is who acts in the place of the token's subject; empty: nobody.
func (b *body) delegate() string {
	if !b.flag("delegation_token") {
		b.label("delegation_sub_tenant_id")
		b.text("delegation_sub_username")
		return ""
	}
	tenant := b.needLabel("delegation_sub_tenant_id")
	return b.needName("delegation_sub_username") + "@" + tenant
}

// claims are those that a service adds.
func (b *body) claims() []issuer.Claim {
	const name = "claims"
	text, ok := b.member(name)
	if !ok {
		return nil
	}
	o, err := token.ParseObject(text)
	if err != nil {
		b.wrong(name, "an object")
		return nil
	}
	var list []issuer.Claim
	for _, claim := range o.Names() {
		if token.ReservedClaim(claim) && b.err == nil {
			b.err = bad("%s: the name %q is reserved", name, clip(claim))
		}
		value, _ := o.Raw(claim)
		list = append(list, issuer.Claim{Name: claim, Value: value})
	}
	return list
}

// paired answers what gives tokens.
func paired(message string, set token.Set) (answer, error) {
	access, err := jtiOf(set.AccessToken)
	if err != nil {
		return answer{}, err
	}
	issued := set.ExpiresAt.UnixMicro() - set.ExpiresIn*1_000_000
	pair := tapis.Pair{Access: &tapis.Access{
		Token: set.AccessToken.Reveal(), JTI: access, ExpiresIn: set.ExpiresIn, ExpiresAt: instant(issued, set.ExpiresIn),
	}}
	if set.RefreshToken.IsZero() {
		return answer{message, pair}, nil
	}
	refresh, err := jtiOf(set.RefreshToken)
	if err != nil {
		return answer{}, err
	}
	pair.Refresh = &tapis.Refresh{
		Token: set.RefreshToken.Reveal(), JTI: refresh, ExpiresIn: set.RefreshExpiresIn, ExpiresAt: instant(issued, set.RefreshExpiresIn),
	}
	return answer{message, pair}, nil
}

// jtiOf reads the id of a token. One that nobody could read is not given away:
// what a service adds is all that can make it so, by too many members or by an aud
// that is none.
func jtiOf(raw token.Secret) (string, error) {
	t, err := token.Decode(raw.Reveal())
	if err != nil {
		return "", bad("claims: want fewer members: nobody could read the token")
	}
	var r token.Registered
	if err := t.Claims.Registered(&r); err != nil {
		return "", bad("claims: %v", err)
	}
	return r.ID, nil
}

// instant writes when a token is over that was issued then. Seconds are not a
// time.Duration: a hundred years and more are asked for.
func instant(issued, seconds int64) string {
	return time.UnixMicro(issued + seconds*1_000_000).UTC().Format(tapis.InstantForm)
}

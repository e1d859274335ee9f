package verifier

import (
	"cmp"
	"encoding/json"
	"math"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// window is the time in which the claims are good.
func (v *Verifier) window(e *entry, r *token.Registered) error {
	leeway := v.leeway.Microseconds()
	e.notBefore, e.notAfter = math.MinInt64, math.MaxInt64
	if r.Expires.Present {
		e.notAfter = r.Expires.Microseconds + leeway
	}
	for _, from := range []token.Instant{r.NotBefore, r.IssuedAt} {
		if from.Present {
			e.notBefore = max(e.notBefore, from.Microseconds-leeway)
		}
	}
	now := v.now().UnixMicro()
	switch {
	case now >= e.notAfter:
		return token.ErrExpired
	case now < e.notBefore:
		return token.ErrNotYetValid
	}
	return nil
}

// name fills in what names a token for revocation. raw is empty for an opaque
// token, which without an id can be named only by its claims.
func (v *Verifier) name(e *entry, raw string, r *token.Registered) {
	if v.revocations == nil {
		return
	}
	q := &e.query
	q.Tenant, q.Subject = v.tenant, SubjectKey(v.tenant, r.Subject)
	if r.IssuedAt.Present {
		q.IssuedAt = r.IssuedAt.Microseconds
	}
	if client, _ := e.claims.String("client_id"); client != "" {
		q.Client = SubjectKey(v.tenant, client)
	}
	id := e.claims.ID()
	if id != "" {
		q.Identity = token.IdentityOf(r.Issuer, id)
		if ours, ok := token.ParseID(id); ok && plausible(ours, r) {
			q.Session, q.IssuedAt = ours.Session, ours.IssuedAt
		}
	} else if t, err := token.Decode(raw); err == nil {
		q.Identity = t.Identity()
	}
	e.more = v.otherNames(e.claims, *q, r.Issuer)
	if tenant, named := e.claims.String("tapis/tenant_id"); named && tenant != v.tenant {
		e.stranger = true
	}
}

// otherNames are what else voids a token of ats-auth-server: its user, where sub is
// not the bare name of that, and the tokens that were exchanged for it. They are asked
// about besides: a claim of another issuer's that happens to be called so spares its
// token nothing.
func (v *Verifier) otherNames(c *token.Claims, q Query, issuer string) (list []Query) {
	name, tapis := c.String("tapis/username")
	if !tapis && c.Has("jwtid") { // a CipherTrust Manager's
		name, _ = c.String("preferred_username")
	}
	if name != "" {
		if kind, _ := c.String("tapis/account_type"); kind == "service" {
			name = "\x00" + name
		}
		also := q
		also.Subject = SubjectKey(v.tenant, name)
		if client, _ := c.String("tapis/client_id"); client != "" {
			also.Client = SubjectKey(v.tenant, client)
		}
		list = append(list, also)
	}
	var origins []struct {
		JTI    string `json:"jti"`
		Issuer string `json:"iss"`
		Client string `json:"client_id"`
	}
	if raw, ok := c.Raw("origin"); !ok || json.Unmarshal(raw, &origins) != nil {
		return list
	}
	for _, o := range origins {
		also := q
		if also.Identity = token.IdentityOf(cmp.Or(o.Issuer, issuer), o.JTI); o.Client != "" {
			also.Client = SubjectKey(v.tenant, o.Client)
		}
		list = append(list, also)
	}
	return list
}

// plausible tells an id of our own from 40 random bytes of another issuer, whose
// "instant" could let a token slip past a watermark: it lies in the second of
// iat, or without one, before exp.
func plausible(id token.ID, r *token.Registered) bool {
	if r.IssuedAt.Present {
		return id.IssuedAt/1_000_000 == r.IssuedAt.Microseconds/1_000_000
	}
	return r.Expires.Present && id.IssuedAt < r.Expires.Microseconds
}

// good asks what can change about a token after its signature was found good.
func (v *Verifier) good(e *entry) error {
	now := v.now().UnixMicro()
	switch {
	case now >= e.notAfter:
		return token.ErrExpired
	case now < e.notBefore:
		return token.ErrNotYetValid
	case v.revocations == nil:
		return nil
	}
	if v.fresh != nil {
		if err := v.fresh(); err != nil {
			return err
		}
	}
	if v.revocations.Revoked(e.query) {
		return token.ErrRevoked
	}
	if e.stranger {
		return token.Refuse(token.ErrUnavailable, "what is known to be revoked is of the tenant %q, and the token of another", v.tenant)
	}
	for _, q := range e.more {
		if v.revocations.Revoked(q) {
			return token.ErrRevoked
		}
	}
	return nil
}

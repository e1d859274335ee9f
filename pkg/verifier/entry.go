package verifier

import (
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
	if id == "" {
		if t, err := token.Decode(raw); err == nil {
			q.Identity = t.Identity()
		}
		return
	}
	q.Identity = token.IdentityOf(r.Issuer, id)
	if ours, ok := token.ParseID(id); ok && plausible(ours, r) {
		q.Session, q.IssuedAt = ours.Session, ours.IssuedAt
	}
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
	return nil
}

package verifier

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Checker judges a token that the verifier does not read itself (Config.Check),
// usually by asking the service that issued it (RFC 7662). Its errors wrap token's refusals: ErrUnknown, ErrRevoked,
// ErrExpired, ErrUnavailable. It must be safe for concurrent use.
type Checker func(ctx context.Context, raw string) (*token.Claims, error)

// opaque reports whether a token is for the Checker: there are no keys, or it has
// not the two dots of a JWT, nor the four of an encrypted one.
func (v *Verifier) opaque(raw string) bool {
	switch {
	case v.check == nil:
		return false
	case v.source == nil:
		return true
	}
	dots := strings.Count(raw, ".")
	return dots != 2 && dots != 4
}

// verifyOpaque asks the Checker, at most once in CheckMaxAge for a token that is
// good. Tokens are remembered by their hash.
func (v *Verifier) verifyOpaque(ctx context.Context, raw string) (*token.Claims, error) {
	if len(raw) > token.MaxLength {
		return nil, token.Refuse(token.ErrMalformed, "malformed token: %d bytes long, at most %d are read", len(raw), token.MaxLength)
	}
	if raw == "" {
		return nil, token.Refuse(token.ErrMalformed, "malformed token: it is empty")
	}
	sum := sha256.Sum256([]byte(raw))
	key := string(sum[:])
	if e := v.cache.find(key); e != nil && v.good(e) == nil {
		return e.claims, nil
	}
	asked := v.now().UnixMicro()
	claims, err := v.check(ctx, raw)
	if err != nil {
		return nil, err
	}
	e := &entry{claims: claims, notAfter: math.MaxInt64}
	var r token.Registered
	if err := claims.Registered(&r); err != nil {
		return nil, err
	}
	if err := v.agrees(claims, &r); err != nil {
		return nil, err
	}
	if err := v.window(e, &r); err != nil {
		return nil, err
	}
	v.name(e, "", &r)
	if err := v.good(e); err != nil {
		return nil, err
	}
	if v.checkMaxAge > 0 {
		e.notAfter = min(e.notAfter, asked+v.checkMaxAge.Microseconds())
		v.cache.put(key, e)
	}
	return claims, nil
}

// agrees holds what the service says of a token against the configuration: it
// honours tokens that were made for somebody else too (RFC 7662 section 4). Whom
// it does not name as the issuer is itself.
func (v *Verifier) agrees(c *token.Claims, r *token.Registered) error {
	wrong := func(claim, format string, args ...any) error {
		return &token.ClaimError{Claim: claim, Kind: token.ErrClaims, Reason: fmt.Sprintf(format, args...)}
	}
	for _, name := range v.required {
		if !c.Has(name) {
			return wrong(name, "missing, and required here")
		}
	}
	switch {
	case v.issuer != "" && c.Has("iss") && r.Issuer != v.issuer:
		return wrong("iss", "%q is not %q", clip(r.Issuer), v.issuer)
	case v.audience != "" && !slices.Contains(r.Audience, v.audience):
		return wrong("aud", "%s does not name %q", audiences(r.Audience), v.audience)
	case v.audience == "" && !v.anyAudience && r.Audience != nil:
		return wrong("aud", "the token was made for %s, and no audience is configured here", audiences(r.Audience))
	case v.rule != nil:
		return v.rule(c)
	}
	return nil
}

package verifier

import (
	"context"
	"crypto/sha256"
	"math"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Checker judges a token that is no JWT, usually by asking the service that
// issued it (RFC 7662). Its errors wrap token's refusals: ErrUnknown, ErrRevoked,
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

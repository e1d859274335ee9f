package verifier

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// rules is golang-jwt's validator for the registered claims.
func (v *Verifier) rules() *jwt.Validator {
	options := []jwt.ParserOption{
		jwt.WithTimeFunc(v.now), jwt.WithLeeway(v.leeway), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
	}
	if v.issuer != "" {
		options = append(options, jwt.WithIssuer(v.issuer))
	}
	if v.audience != "" {
		options = append(options, jwt.WithAudience(v.audience))
	}
	return jwt.NewValidator(options...)
}

// judgeClaims applies every rule to the claims and gathers all failures.
func (v *Verifier) judgeClaims(c *token.Claims, r *registered) error {
	if err := c.Registered(&r.Registered); err != nil {
		return err
	}
	err := v.validator.Validate(r)
	if err != nil || !v.ownRules(c, r) {
		return v.explain(c, r, err)
	}
	if v.rule != nil {
		return v.rule(c)
	}
	return nil
}

// ownRules are those that golang-jwt has not.
func (v *Verifier) ownRules(c *token.Claims, r *registered) bool {
	for _, name := range v.required {
		if !c.Has(name) {
			return false
		}
	}
	if v.maxLifetime > 0 && v.life(r) > v.maxLifetime {
		return false
	}
	return v.anyAudience || v.audience != "" || r.Audience == nil
}

// life is how long the token lives from its iat, or from now where it has none,
// in microseconds.
func (v *Verifier) life(r *registered) int64 {
	if r.IssuedAt.Present {
		return r.Expires.Microseconds - r.IssuedAt.Microseconds
	}
	return r.Expires.Microseconds - v.now().UnixMicro()
}

// explain names every rule that was broken, with the figures.
func (v *Verifier) explain(c *token.Claims, r *registered, err error) error {
	var list failures
	add := func(claim string, kind error, format string, args ...any) {
		list = append(list, &token.ClaimError{Claim: claim, Kind: kind, Reason: fmt.Sprintf(format, args...)})
	}
	for _, name := range v.required {
		if !c.Has(name) && name != "exp" {
			add(name, token.ErrClaims, "missing, and required here")
		}
	}
	now := v.now()
	switch {
	case !r.Expires.Present:
		add("exp", token.ErrClaims, "missing, and required here")
	case errors.Is(err, jwt.ErrTokenExpired):
		add("exp", token.ErrExpired, "token expired at %s, %s ago", stamp(r.exp.Time), span(now.Sub(r.exp.Time)))
	}
	if errors.Is(err, jwt.ErrTokenNotValidYet) {
		add("nbf", token.ErrNotYetValid, "token not valid before %s, in %s", stamp(r.nbf.Time), span(r.nbf.Sub(now)))
	}
	if errors.Is(err, jwt.ErrTokenUsedBeforeIssued) {
		add("iat", token.ErrNotYetValid, "token issued in the future, at %s, in %s", stamp(r.iat.Time), span(r.iat.Sub(now)))
	}
	if life := v.life(r); r.Expires.Present && v.maxLifetime > 0 && life > v.maxLifetime {
		since := map[bool]string{true: "its iat", false: "now"}[r.IssuedAt.Present]
		add("exp", token.ErrClaims, "the token lives %s from %s, at most %s is accepted here", seconds(life), since, seconds(v.maxLifetime))
	}
	if v.issuer != "" && r.Issuer != v.issuer {
		add("iss", token.ErrClaims, "%q is not %q", clip(r.Issuer), v.issuer)
	}
	switch {
	case v.audience != "" && !slices.Contains(r.Audience, v.audience):
		add("aud", token.ErrClaims, "%s does not name %q", audiences(r.Audience), v.audience)
	case v.audience == "" && !v.anyAudience && r.Audience != nil:
		add("aud", token.ErrClaims, "the token was made for %s, and no audience is configured here", audiences(r.Audience))
	}
	switch len(list) {
	case 0:
		return token.Refuse(token.ErrClaims, "claims not acceptable: %v", err)
	case 1:
		return list[0]
	}
	return list
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// span rounds a distance for a person.
func span(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

func seconds(microseconds int64) string {
	if microseconds > math.MaxInt64/1000 {
		return fmt.Sprintf("%d s", microseconds/1_000_000)
	}
	return (time.Duration(microseconds) * time.Microsecond).String()
}

func audiences(aud []string) string {
	if len(aud) == 0 {
		return "no audience"
	}
	quoted := make([]string, 0, len(aud))
	for _, a := range aud[:min(len(aud), 5)] {
		quoted = append(quoted, fmt.Sprintf("%q", clip(a)))
	}
	return strings.Join(quoted, ", ")
}

// failures is several refusals of one token; errors.Is sees each.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (f failures) Unwrap() []error { return f }

// registered lends the registered claims to golang-jwt's rules, times with
// their microseconds.
type registered struct {
	token.Registered
	exp, nbf, iat jwt.NumericDate
}

// date fills room with an instant; nil is golang-jwt's word for an absent claim.
func date(i token.Instant, room *jwt.NumericDate) (*jwt.NumericDate, error) {
	if !i.Present {
		return nil, nil
	}
	room.Time = time.UnixMicro(i.Microseconds)
	return room, nil
}

func (r *registered) GetExpirationTime() (*jwt.NumericDate, error) { return date(r.Expires, &r.exp) }

func (r *registered) GetNotBefore() (*jwt.NumericDate, error) { return date(r.NotBefore, &r.nbf) }

func (r *registered) GetIssuedAt() (*jwt.NumericDate, error) { return date(r.IssuedAt, &r.iat) }
func (r *registered) GetIssuer() (string, error)             { return r.Issuer, nil }
func (r *registered) GetSubject() (string, error)            { return r.Subject, nil }
func (r *registered) GetAudience() (jwt.ClaimStrings, error) { return r.Audience, nil }

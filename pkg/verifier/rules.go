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

// judge applies every rule to the claims and gathers all failures.
func (v *Verifier) judge(c *token.Claims) error {
	r, err := v.registered(c)
	if err != nil {
		return err
	}
	err = v.validator.Validate(r)
	if err != nil || !v.ownRules(c, r) {
		err = v.explain(c, r, err)
	}
	v.pool.Put(r)
	return err
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
	return v.anyAudience || v.audience != "" || r.aud == nil
}

// life is how long the token lives from its iat, or from now where it has none,
// in microseconds.
func (v *Verifier) life(r *registered) int64 {
	from := r.iat
	if !r.hasIat {
		from.Time = v.now()
	}
	return r.exp.UnixMicro() - from.UnixMicro()
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
	case !r.hasExp:
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
	if life := v.life(r); r.hasExp && v.maxLifetime > 0 && life > v.maxLifetime {
		since := map[bool]string{true: "its iat", false: "now"}[r.hasIat]
		add("exp", token.ErrClaims, "the token lives %s from %s, at most %s is accepted here", seconds(life), since, seconds(v.maxLifetime))
	}
	if v.issuer != "" && r.iss != v.issuer {
		add("iss", token.ErrClaims, "%q is not %q", clip(r.iss), v.issuer)
	}
	switch {
	case v.audience != "" && !slices.Contains(r.aud, v.audience):
		add("aud", token.ErrClaims, "%s does not name %q", audiences(r.aud), v.audience)
	case v.audience == "" && !v.anyAudience && r.aud != nil:
		add("aud", token.ErrClaims, "the token was made for %s, and no audience is configured here", audiences(r.aud))
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
	iss                    string
	aud                    jwt.ClaimStrings // nil: the token carries none
	one                    [1]string        // room for an aud
	exp, nbf, iat          jwt.NumericDate
	hasExp, hasNbf, hasIat bool
}

// registered reads the registered claims; one of the wrong type makes the
// token malformed.
func (v *Verifier) registered(c *token.Claims) (*registered, error) {
	r := v.pool.Get().(*registered)
	*r = registered{}
	var none string
	for _, err := range [...]error{
		readString(c, "iss", &r.iss), readString(c, "sub", &none), readString(c, "jti", &none), readAudience(c, r),
		readTime(c, "exp", &r.exp, &r.hasExp), readTime(c, "nbf", &r.nbf, &r.hasNbf), readTime(c, "iat", &r.iat, &r.hasIat),
	} {
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func readString(c *token.Claims, name string, to *string) error {
	s, ok := c.String(name)
	if s == "" && (ok || c.Has(name)) {
		return &token.ClaimError{Claim: name, Reason: "not a string with something in it", Kind: token.ErrMalformed}
	}
	*to = s
	return nil
}

func readAudience(c *token.Claims, r *registered) error {
	if !c.Has("aud") {
		return nil
	}
	if s, ok := c.String("aud"); ok {
		r.one[0] = s
		r.aud = r.one[:]
		return nil
	}
	aud, ok := c.Strings("aud")
	if !ok || len(aud) == 0 {
		return &token.ClaimError{Claim: "aud", Reason: "neither a string nor an array of strings", Kind: token.ErrMalformed}
	}
	r.aud = aud
	return nil
}

func readTime(c *token.Claims, name string, to *jwt.NumericDate, has *bool) error {
	us, present, err := c.NumericDate(name)
	if present && err == nil {
		*has, to.Time = true, time.UnixMicro(us)
	}
	return err
}

func present(d *jwt.NumericDate, has bool) (*jwt.NumericDate, error) {
	if !has {
		return nil, nil // golang-jwt's word for an absent claim
	}
	return d, nil
}

func (r *registered) GetExpirationTime() (*jwt.NumericDate, error) { return present(&r.exp, r.hasExp) }

func (r *registered) GetIssuedAt() (*jwt.NumericDate, error) { return present(&r.iat, r.hasIat) }

func (r *registered) GetNotBefore() (*jwt.NumericDate, error) { return present(&r.nbf, r.hasNbf) }
func (r *registered) GetIssuer() (string, error)              { return r.iss, nil }
func (r *registered) GetSubject() (string, error)             { return "", nil }
func (r *registered) GetAudience() (jwt.ClaimStrings, error)  { return r.aud, nil }

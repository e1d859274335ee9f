package verifier

import (
	"errors"
	"fmt"
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
	r, err := newRegistered(c)
	if err != nil {
		return err
	}
	err = v.validator.Validate(r)
	if err == nil && len(v.required) == 0 && (v.anyAudience || v.audience != "" || r.aud == nil) {
		return nil
	}
	var failures []error
	add := func(claim string, kind error, format string, args ...any) {
		failures = append(failures, &token.ClaimError{Claim: claim, Kind: kind, Reason: fmt.Sprintf(format, args...)})
	}
	for _, name := range v.required {
		if !c.Has(name) {
			add(name, token.ErrClaims, "missing, and required here")
		}
	}
	switch {
	case !c.Has("exp"):
		add("exp", token.ErrClaims, "missing, and required here")
	case errors.Is(err, jwt.ErrTokenExpired):
		add("exp", token.ErrExpired, "token expired at %s, %s ago", stamp(r.exp.Time), v.now().Sub(r.exp.Time).Round(time.Second))
	}
	if errors.Is(err, jwt.ErrTokenNotValidYet) {
		add("nbf", token.ErrNotYetValid, "token not valid before %s, in %s", stamp(r.nbf.Time), r.nbf.Time.Sub(v.now()).Round(time.Second))
	}
	if errors.Is(err, jwt.ErrTokenUsedBeforeIssued) {
		add("iat", token.ErrNotYetValid, "token issued in the future, at %s, in %s", stamp(r.iat.Time), r.iat.Time.Sub(v.now()).Round(time.Second))
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
	if len(failures) == 0 && err != nil {
		return token.Refuse(token.ErrClaims, "claims not acceptable: %v", err)
	}
	return join(failures)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

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

func join(list []error) error {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return failures(list)
}

// registered lends the registered claims to golang-jwt's rules, times with
// their microseconds.
type registered struct {
	iss, sub      string
	aud           jwt.ClaimStrings // nil: the token carries none
	exp, nbf, iat *jwt.NumericDate
}

// newRegistered reads the registered claims; one of the wrong type makes the
// token malformed.
func newRegistered(c *token.Claims) (*registered, error) {
	r := &registered{}
	for _, f := range []struct {
		name string
		to   *string
	}{{"iss", &r.iss}, {"sub", &r.sub}, {"jti", new(string)}} {
		s, ok := c.String(f.name)
		if c.Has(f.name) && (!ok || s == "") {
			return nil, &token.ClaimError{Claim: f.name, Reason: "not a string with something in it", Kind: token.ErrMalformed}
		}
		*f.to = s
	}
	if c.Has("aud") {
		aud, ok := c.Strings("aud")
		if !ok || len(aud) == 0 {
			return nil, &token.ClaimError{Claim: "aud", Reason: "neither a string nor an array of strings", Kind: token.ErrMalformed}
		}
		r.aud = aud
	}
	for _, f := range []struct {
		name string
		to   **jwt.NumericDate
	}{{"exp", &r.exp}, {"nbf", &r.nbf}, {"iat", &r.iat}} {
		us, present, err := c.NumericDate(f.name)
		if err != nil {
			return nil, err
		}
		if present {
			*f.to = &jwt.NumericDate{Time: time.UnixMicro(us)}
		}
	}
	return r, nil
}

func (r *registered) GetExpirationTime() (*jwt.NumericDate, error) { return r.exp, nil }
func (r *registered) GetIssuedAt() (*jwt.NumericDate, error)       { return r.iat, nil }
func (r *registered) GetNotBefore() (*jwt.NumericDate, error)      { return r.nbf, nil }
func (r *registered) GetIssuer() (string, error)                   { return r.iss, nil }
func (r *registered) GetSubject() (string, error)                  { return r.sub, nil }
func (r *registered) GetAudience() (jwt.ClaimStrings, error)       { return r.aud, nil }

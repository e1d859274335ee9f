// Package verifier is the only judge of signatures and claims: a service's
// requests, the client's --verbose and `token verify`, and the server's own
// doors all ask it.
//
// It is strict where RFC 8725 says so: each key is bound to one algorithm, a
// token has one spelling, duplicate members and unknown critical headers are
// refused, and keys named inside a token are never used. The signature methods
// and the rules of exp, nbf, iat, iss and aud are golang-jwt's; the front end
// is this package's own.
//
// It never fetches what a token names, never issues tokens and never logs.
//
//	v, err := verifier.New(verifier.Config{
//		Keys: []verifier.Key{{Algorithm: "HS256", Secret: secret}},
//	})
//	...
//	claims, err := v.Verify(ctx, raw)
package verifier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// MaxLeeway is the largest Config.Leeway that New takes.
const MaxLeeway = 300 * time.Second

// Config says which tokens are acceptable.
type Config struct {
	// Keys verify signatures; at least one. A token is judged by the keys whose
	// Algorithm is the one its header names and whose ID is its kid (either of
	// the two may be empty).
	Keys []Key
	// Issuer is the only acceptable iss, compared byte for byte. Default: any.
	Issuer string
	// Audience must be among the token's aud. Default: none, and then a token
	// that carries an aud is refused, unless AnyAudience says otherwise: it was
	// made for somebody else.
	Audience string
	// AnyAudience takes tokens whatever their aud. Danger: a token that another
	// service was given then works here.
	AnyAudience bool
	// Types are the acceptable values of the header's typ, lower case, without
	// "application/"; "" stands for an absent one. Default: "", "jwt", "at+jwt".
	Types []string
	// Required are claims that must be there besides exp.
	Required []string
	// Leeway is taken off exp and added to nbf and iat. Default 0, at most
	// MaxLeeway. Danger: a token lives longer by it.
	Leeway time.Duration
	// MaxLifetime is the longest life of a token, from its iat to its exp (from now
	// where it has no iat), in seconds. Default 0: any.
	MaxLifetime int64
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Verifier judges tokens. It is safe for concurrent use.
type Verifier struct {
	keys        []key
	types       []string
	audience    string
	anyAudience bool
	required    []string
	leeway      time.Duration
	now         func() time.Time
	validator   *jwt.Validator
	issuer      string
	headers     headers
	maxLifetime int64     // microseconds
	pool        sync.Pool // of *registered
}

// New makes a Verifier. Errors name the field that is wrong.
func New(c Config) (*Verifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Leeway < 0 || c.Leeway > MaxLeeway {
		return nil, fmt.Errorf("leeway %s: from 0 to %s is possible", c.Leeway, MaxLeeway)
	}
	if c.MaxLifetime < 0 || c.MaxLifetime > math.MaxInt64/1_000_000 {
		return nil, fmt.Errorf("maximum lifetime %d s: from 0 to %d is possible", c.MaxLifetime, int64(math.MaxInt64/1_000_000))
	}
	if c.Types == nil {
		c.Types = []string{"", "jwt", "at+jwt"}
	}
	keys, err := bindKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		keys: keys, types: c.Types, audience: c.Audience, anyAudience: c.AnyAudience, required: c.Required,
		leeway: c.Leeway, now: c.Now, issuer: c.Issuer, maxLifetime: c.MaxLifetime * 1_000_000,
	}
	v.pool.New = func() any { return new(registered) }
	v.validator = v.rules()
	return v, nil
}

// Verify judges a compact JWT: structure, header, signature, claims. It
// returns the claims only when all of them are good. The error wraps one of token's refusals; when several claims are wrong, errors.Is sees
// each of them.
func (v *Verifier) Verify(_ context.Context, raw string) (*token.Claims, error) {
	h, p, s, err := token.Split(raw)
	if err != nil {
		return nil, err
	}
	header, err := v.header(h)
	if err != nil {
		return nil, err
	}
	if err := v.verifySignature(header, raw[:len(h)+1+len(p)], s); err != nil {
		return nil, err
	}
	payload, err := token.DecodeSegment(p)
	if err != nil {
		return nil, err
	}
	claims, err := token.ParseClaims(string(payload))
	if err != nil {
		return nil, err
	}
	if err := v.judge(claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// headers remembers the headers that passed, since an issuer uses very few.
type headers struct {
	mu   sync.RWMutex
	seen map[string]token.Header
}

const maxHeaders = 64

// header decodes and judges the first segment (RFC 8725 sections 3.1, 3.5,
// 3.9 to 3.11).
func (v *Verifier) header(segment string) (token.Header, error) {
	v.headers.mu.RLock()
	h, ok := v.headers.seen[segment]
	v.headers.mu.RUnlock()
	if ok {
		return h, nil
	}
	h, err := token.DecodeHeader(segment)
	if err != nil {
		return h, err
	}
	if err := v.judgeHeader(h); err != nil {
		return h, err
	}
	v.headers.mu.Lock()
	defer v.headers.mu.Unlock()
	if v.headers.seen == nil || len(v.headers.seen) >= maxHeaders {
		v.headers.seen = make(map[string]token.Header, maxHeaders)
	}
	v.headers.seen[strings.Clone(segment)] = h
	return h, nil
}

func (v *Verifier) judgeHeader(h token.Header) error {
	for _, name := range []string{"crit", "b64", "zip"} {
		if h.Has(name) {
			return &token.ClaimError{Claim: "header " + name, Reason: "not implemented here, so the token is refused (RFC 7515 section 4.1.11)", Kind: token.ErrClaims}
		}
	}
	if h.Has("cty") {
		return &token.ClaimError{Claim: "header cty", Reason: "nested tokens are not read", Kind: token.ErrClaims}
	}
	typ := strings.TrimPrefix(strings.ToLower(h.Type), "application/")
	if !slices.Contains(v.types, typ) {
		return &token.ClaimError{Claim: "header typ", Reason: fmt.Sprintf("%q is not a type of token accepted here", h.Type), Kind: token.ErrClaims}
	}
	return nil
}

// verifySignature tries the keys that may have signed such a header.
func (v *Verifier) verifySignature(h token.Header, input, signature string) error {
	sig, err := token.DecodeSegment(signature)
	if err != nil {
		return err
	}
	tried := false
	for i := range v.keys {
		k := &v.keys[i]
		if k.method.Alg() != h.Algorithm || k.id != "" && h.KeyID != "" && k.id != h.KeyID {
			continue
		}
		tried = true
		if k.method.Verify(input, sig, k.material) == nil {
			return nil
		}
	}
	if tried {
		return token.ErrSignature
	}
	return token.Refuse(token.ErrSignature, "signature verification failed: no key for alg %q%s", clip(h.Algorithm), ofKeyID(h.KeyID))
}

func ofKeyID(kid string) string {
	if kid == "" {
		return ""
	}
	return fmt.Sprintf(" and kid %q", kid)
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

var errNoKeys = errors.New("no key to verify with")

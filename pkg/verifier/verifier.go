// Package verifier is the only judge of signatures and claims: a service's
// requests, the client's --verbose and `token verify`, and the server's own
// doors all ask it.
//
// A Verifier judges tokens, as a function (Verify) or as net/http middleware
// (Middleware, RequireScope); Proofs judge proofs of possession (DPoP). Its keys are given as they are (Key, ParseKeys) or
// come from a file, a URL or an issuer and stay fresh (Source). Revocations is a
// set of what was revoked, saved in and loaded from a file, and kept up to date
// by a Follower. Tokens that are no JWTs are left to a Checker, and without keys
// all are.
//
// It is strict where RFC 8725 says so: each key is bound to the algorithms of its
// kind, a token has one spelling, duplicate members and unknown critical headers
// are refused, and keys named inside a token are never used: that of a proof proves
// nothing but who sends it. The signature
// methods and the rules of exp, nbf, iat, iss and aud are golang-jwt's, JWKs are
// read by go-jose; the front end is this package's own.
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
	// Keys verify signatures; at least one, or a Source or a Check. A token is
	// judged by the keys whose Algorithm is the one its header names and whose ID
	// is its kid (either of the two may be empty).
	Keys []Key
	// Source supplies keys that change, in place of Keys.
	Source KeySource
	// Algorithms are the acceptable values of the header's alg. Default: those of
	// the keys.
	Algorithms []string
	// AllowWeakKeys takes RSA keys of 1024 to 2047 bits and those of a flawed
	// generator. Danger: whoever spends enough can sign like their owner. Weak
	// secrets are always taken; Warnings tells of both.
	AllowWeakKeys bool
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
	// Rule judges what is particular to an issuer, after all else: that a Tapis
	// token's tapis/token_type is access and not refresh, say (RFC 8725 section
	// 3.12). Its error should be a *token.ClaimError. Default: there is none.
	Rule func(*token.Claims) error
	// Leeway is taken off exp and added to nbf and iat. Default 0, at most
	// MaxLeeway. Danger: a token lives longer by it.
	Leeway time.Duration
	// MaxLifetime is the longest life of a token, from its iat to its exp (from now
	// where it has no iat), in seconds. Default 0: any.
	MaxLifetime int64
	// Revocations are asked about every token. Default: nobody is.
	Revocations *Revocations
	// Fresh says whether Revocations are new enough to be believed, as Follower.Fresh
	// does; while it returns an error no token is accepted. Default: they always are.
	Fresh func() error
	// Tenant is the one whose tokens these are, in Revocations. Default: "default".
	Tenant string
	// CacheBytes is how much memory tokens that were found good may take, so that
	// their signatures need not be checked again. Expiry, revocation and a change
	// of keys are looked at each time. Default 0: none.
	CacheBytes int64
	// Check judges tokens that are no JWTs, and all tokens where there are neither
	// Keys nor Source. What it says of one is held against Issuer (where it
	// names one), Audience, Required, Rule, the times and Revocations. Default: such
	// tokens are refused.
	Check Checker
	// CheckMaxAge is how long an answer of Check may be used again; it takes
	// CacheBytes. Default 0: every time is asked. Danger: so long a token may be
	// used after it was revoked.
	CheckMaxAge time.Duration
	// Proofs judge the proofs of possession by which Middleware lets bound tokens
	// through. Default: none are, and bound tokens are refused.
	Proofs *Proofs
	// BaseURL is how callers reach the service: scheme, host and what a proxy takes
	// off the front of paths; a proof must name it. Default: the request's Host, with
	// https where it came by TLS. Danger: then a proof that another service was sent
	// works here for whoever names that service as Host.
	BaseURL string
	// Realm is what Middleware names in its challenges. Default: "ats-auth".
	Realm string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Verifier judges tokens. It is safe for concurrent use.
type Verifier struct {
	source      KeySource
	algorithms  []string
	allowWeak   bool
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
	pool        sync.Pool // of *work
	revocations *Revocations
	fresh       func() error
	tenant      string
	cache       *cache
	check       Checker
	checkMaxAge time.Duration
	realm       string
	proofs      *Proofs
	baseURL     string
	rule        func(*token.Claims) error
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
	if c.BaseURL != "" {
		if _, err := normalURL(c.BaseURL); err != nil || strings.ContainsAny(c.BaseURL, "?#") {
			return nil, fmt.Errorf("base URL %q is not one of http or https, without user, query and fragment", clipURL(c.BaseURL))
		}
	}
	if c.Realm == "" {
		c.Realm = "ats-auth"
	}
	if c.Tenant == "" {
		c.Tenant = "default"
	}
	if c.Types == nil {
		c.Types = []string{"", "jwt", "at+jwt"}
	}
	if err := c.bindKeys(); err != nil {
		return nil, err
	}
	v := &Verifier{
		source: c.Source, algorithms: c.Algorithms, allowWeak: c.AllowWeakKeys, types: c.Types, audience: c.Audience, anyAudience: c.AnyAudience, required: c.Required,
		leeway: c.Leeway, now: c.Now, issuer: c.Issuer, maxLifetime: c.MaxLifetime * 1_000_000,
		revocations: c.Revocations, fresh: c.Fresh, tenant: c.Tenant, cache: newCache(c.CacheBytes),
		check: c.Check, checkMaxAge: c.CheckMaxAge, realm: c.Realm, rule: c.Rule,
		proofs: c.Proofs, baseURL: strings.TrimRight(c.BaseURL, "/"),
	}
	v.pool.New = func() any { return new(work) }
	v.validator = v.rules()
	return v, nil
}

// Verify judges a compact JWT: structure, header, signature, claims, revocation;
// a token of another kind, and without keys any, is left to Config.Check. It returns the claims only
// when all is good. The error wraps one of token's refusals; when several claims
// are wrong, errors.Is sees each of them.
func (v *Verifier) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	if v.opaque(raw) {
		return v.verifyOpaque(ctx, raw)
	}
	set, err := v.source.KeySet(ctx, nil)
	if err != nil {
		return nil, err
	}
	if e := v.cache.find(raw); e != nil {
		switch err := v.good(e); {
		case e.set == set && err == nil:
			return e.claims, nil
		case errors.Is(err, token.ErrUnavailable):
			return nil, err
		}
		v.cache.drop(raw)
	}
	w := v.pool.Get().(*work)
	defer v.pool.Put(w)
	claims, set, err := v.judge(ctx, raw, set, w)
	if err != nil || v.cache == nil && v.revocations == nil {
		return claims, err
	}
	e := &entry{claims: claims, set: set}
	if err := v.window(e, &w.registered.Registered); err != nil {
		return nil, err
	}
	v.name(e, raw, &w.registered.Registered)
	if err := v.good(e); err != nil {
		return nil, err
	}
	v.cache.put(raw, e)
	return claims, nil
}

// judge applies all but revocation, and returns the keys it was judged by.
func (v *Verifier) judge(ctx context.Context, raw string, set *KeySet, w *work) (*token.Claims, *KeySet, error) {
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	if first == last || len(raw) > token.MaxLength {
		return nil, nil, misshapen(raw, token.ErrMalformed)
	}
	signers, remembered := v.headers.signers(raw[:first], set)
	var err error
	if !remembered {
		if _, _, _, err := token.Split(raw); err != nil {
			return nil, nil, err
		}
		if signers, set, err = v.judgeHeader(ctx, raw[:first], set); err != nil {
			return nil, nil, err
		}
	}
	if w.bytes, err = token.AppendSegment(w.bytes[:0], raw[last+1:]); err != nil {
		return nil, nil, misshapen(raw, err)
	}
	if !signed(signers, raw[:last], w.bytes) {
		return nil, nil, misshapen(raw, token.ErrSignature)
	}
	if !remembered {
		v.headers.remember(raw[:first], set, signers)
	}
	// Where there are more than two dots one is in here.
	if w.bytes, err = token.AppendSegment(w.bytes[:0], raw[first+1:last]); err != nil {
		return nil, nil, misshapen(raw, err)
	}
	claims, err := token.ParseClaims(string(w.bytes))
	if err == nil {
		err = v.judgeClaims(claims, &w.registered)
	}
	if err != nil {
		return nil, nil, err
	}
	return claims, set, nil
}

// work is the memory that judging one token takes.
type work struct {
	bytes      []byte
	registered registered
}

// misshapen says what is wrong with the shape of a token that was not accepted;
// otherwise it is err.
func misshapen(raw string, err error) error {
	if _, _, _, shape := token.Split(raw); shape != nil {
		return shape
	}
	return err
}

func signed(signers []candidate, input string, signature []byte) bool {
	for _, c := range signers {
		if c.method.Verify(input, signature, c.material) == nil {
			return true
		}
	}
	return false
}

// Warnings tells what the owner of the configuration should know: weak secrets
// and keys, private keys where public ones do. It is about the keys in force at
// this moment, and holds no secret.
func (v *Verifier) Warnings(ctx context.Context) []string {
	if v.source == nil {
		return nil
	}
	set, err := v.source.KeySet(ctx, nil)
	if err != nil { // Verify says so
		return nil
	}
	return slices.Clone(set.notes)
}

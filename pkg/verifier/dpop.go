package verifier

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Why a proof of possession is refused. ErrProofNonce and ErrReplayed are ErrProof
// too.
var (
	ErrProof = errors.New("proof of possession not acceptable")
	// ErrProofNonce: it lacks a nonce, or its nonce is not one of ours any more. The
	// answer is use_dpop_nonce with a fresh one (RFC 9449 sections 8 and 9).
	ErrProofNonce = fmt.Errorf("%w: its nonce", ErrProof)
	// ErrReplayed: it was used before.
	ErrReplayed = fmt.Errorf("%w: used before", ErrProof)
)

// ProofConfig says which proofs of possession are acceptable.
type ProofConfig struct {
	// Algorithms are the acceptable values of the header's alg. Default: ES256,
	// ES384, ES512, EdDSA, Ed25519, RS256 to RS512 and PS256 to PS512; others than
	// these are never possible.
	Algorithms []string
	// MaxAge is how old a proof may be by its iat. Default 60 s, at most MaxLeeway.
	MaxAge time.Duration
	// Leeway is how far iat may lie ahead. Default 5 s, at most MaxLeeway.
	Leeway time.Duration
	// Seen remembers a proof until an instant, the last at which it could be used
	// again, and returns an error that wraps ErrReplayed when it was told of it
	// before. id has 43 characters. Any other error means that nobody can say, and
	// the proof is not accepted. It must be safe for concurrent use, and one for all
	// processes that serve the same URLs. Default: a memory of this process for some
	// 260,000 proofs, which refuses further ones, as an ErrUnavailable, rather than
	// forget.
	Seen func(ctx context.Context, id string, until time.Time) error
	// Nonce reports whether a nonce is one that was given out and is still good. A
	// proof that carries another is refused. Default: nobody looks at nonces.
	Nonce func(nonce string) bool
	// NonceRequired demands a nonce of every proof.
	NonceRequired bool
	// NextNonce makes a nonce that Nonce takes; Middleware sends it along as
	// DPoP-Nonce. Default: none is sent.
	NextNonce func() string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Proofs judges proofs of possession (DPoP, RFC 9449). It is safe for concurrent
// use.
type Proofs struct{ ProofConfig }

// ProofRequest is a proof with the request that it came with.
type ProofRequest struct {
	Proof  string // the value of the one DPoP header
	Method string // of HTTP
	// URL is that of the request as its sender knows it; query and fragment are not
	// looked at.
	URL string
	// AccessToken is the token that came along, for which the proof must be made.
	// Empty: there is none, as at a token endpoint.
	AccessToken string
}

func proofAlgorithms() []string {
	return []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

// NewProofs makes a Proofs. Errors name the field that is wrong.
func NewProofs(c ProofConfig) (*Proofs, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Algorithms == nil {
		c.Algorithms = proofAlgorithms()
	}
	if len(c.Algorithms) == 0 {
		return nil, errors.New("no algorithm for proofs")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(proofAlgorithms(), a) {
			return nil, fmt.Errorf("algorithm %q is not one that proofs are signed with: %s", clip(a), strings.Join(proofAlgorithms(), ", "))
		}
	}
	if c.MaxAge < 0 || c.MaxAge > MaxLeeway {
		return nil, fmt.Errorf("maximum age %s of a proof: from 0 to %s is possible", c.MaxAge, MaxLeeway)
	}
	if c.Leeway < 0 || c.Leeway > MaxLeeway {
		return nil, fmt.Errorf("leeway %s of a proof: from 0 to %s is possible", c.Leeway, MaxLeeway)
	}
	if c.NonceRequired && c.Nonce == nil {
		return nil, errors.New("a nonce is required of proofs and nobody judges it")
	}
	if c.MaxAge == 0 {
		c.MaxAge = time.Minute
	}
	if c.Leeway == 0 {
		c.Leeway = 5 * time.Second
	}
	c.Algorithms = slices.Clone(c.Algorithms)
	if c.Seen == nil {
		c.Seen = newProofMemory(c.Now, maxProofs).seen
	}
	return &Proofs{c}, nil
}

// Verify judges a proof by all of RFC 9449 section 4.3 but its first, that there
// is exactly one, and returns the thumbprint of its key (RFC 7638), which is the
// jkt of what is bound to it. A refusal wraps ErrProof; another error means that
// nobody can say whether the proof was used before. A proof is used up by it only
// where all else is good.
func (p *Proofs) Verify(ctx context.Context, r ProofRequest) (thumbprint string, err error) {
	t, err := token.Decode(r.Proof)
	if err != nil {
		return "", wrongProof("proof", ErrProof, "%w", err)
	}
	material, bound, err := p.judgeHeader(t.Header, r.Proof)
	if err != nil {
		return "", err
	}
	if err := judgeTarget(t.Claims, r); err != nil {
		return "", err
	}
	jti, ok := t.Claims.String("jti")
	if !ok || jti == "" || len(jti) > maxProofID {
		return "", wrongProof("proof jti", ErrProof, "not a string of 1 to %d bytes", maxProofID)
	}
	if err := p.judgeNonce(t.Claims); err != nil {
		return "", err
	}
	until, err := p.judgeTime(t.Claims)
	if err != nil {
		return "", err
	}
	if bound.method.Verify(t.SigningInput, t.Signature, bound.material) != nil {
		return "", wrongProof("proof", ErrProof, "signature verification failed by its own key")
	}
	if thumbprint, err = thumbprintOf(material); err != nil {
		return "", wrongProof("proof header jwk", ErrProof, "it has no thumbprint")
	}
	if err := p.Seen(ctx, proofID(thumbprint, jti), until); err != nil {
		if errors.Is(err, ErrReplayed) {
			return "", wrongProof("proof jti", ErrReplayed, "the proof was used before")
		}
		return "", fmt.Errorf("remember a proof: %w", err)
	}
	return thumbprint, nil
}

// maxProofID bounds a jti, in bytes.
const maxProofID = 256

// proofID names a proof: another key's jti is another proof.
func proofID(thumbprint, jti string) string {
	sum := sha256.Sum256([]byte(thumbprint + "." + jti))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func wrongProof(claim string, kind error, format string, args ...any) error {
	return &token.ClaimError{Claim: claim, Kind: kind, Reason: fmt.Errorf(format, args...).Error()}
}

// judgeHeader applies items 4 to 7 and returns the key of the header, and what
// verifies with it.
func (p *Proofs) judgeHeader(h token.Header, proof string) (crypto.PublicKey, candidate, error) {
	wrong := func(name, format string, args ...any) (crypto.PublicKey, candidate, error) {
		return nil, candidate{}, wrongProof("proof header "+name, ErrProof, format, args...)
	}
	if typ := strings.TrimPrefix(strings.ToLower(h.Type), "application/"); typ != "dpop+jwt" {
		return wrong("typ", "%q is not dpop+jwt", clip(h.Type))
	}
	if !slices.Contains(p.Algorithms, h.Algorithm) {
		return wrong("alg", "%q is not %s", clip(h.Algorithm), strings.Join(p.Algorithms, " or "))
	}
	for _, name := range []string{"crit", "b64", "zip", "cty"} {
		if h.Has(name) {
			return wrong(name, "not implemented here, so the proof is refused (RFC 7515 section 4.1.11)")
		}
	}
	text, err := jwkOf(proof)
	if err != nil {
		return wrong("jwk", "%w", err)
	}
	k, _, err := parseJWK(text)
	if err != nil {
		return wrong("jwk", "%w", err)
	}
	var b key
	if err := b.bind(k); err != nil {
		return wrong("jwk", "%w", err)
	}
	m := b.method(h.Algorithm)
	switch {
	case k.Public == nil || m == nil:
		return wrong("jwk", "no key for alg %q", h.Algorithm)
	case b.weak != "":
		return wrong("jwk", "the key is weak: %s", b.weak)
	}
	return k.Public, candidate{m, b.material}, nil
}

// jwkOf takes the key out of the header of a proof that decoded: a public one.
func jwkOf(proof string) (string, error) {
	segment, _, _ := strings.Cut(proof, ".")
	b, err := token.DecodeSegment(segment)
	if err != nil {
		return "", err
	}
	header, err := token.ParseObject(string(b))
	if err != nil {
		return "", err
	}
	text, ok := header.Member("jwk")
	if !ok {
		return "", errors.New("missing, and required here")
	}
	o, err := token.ParseObject(text)
	if err != nil {
		return "", errors.New("not an object")
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if o.Has(name) {
			return "", fmt.Errorf("it holds the private member %s", name)
		}
	}
	return text, nil
}

func thumbprintOf(key crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// judgeTarget applies items 8 and 9, and the first half of 12: for which request
// the proof was made.
func judgeTarget(c *token.Claims, r ProofRequest) error {
	if method, ok := c.String("htm"); !ok || method != r.Method {
		return wrongProof("proof htm", ErrProof, "%q is not %q", clip(method), clip(r.Method))
	}
	want, err := normalURL(r.URL)
	if err != nil {
		return wrongProof("proof htu", ErrProof, "the URL of the request: %w", err)
	}
	said, _ := c.String("htu")
	if got, err := normalURL(said); err != nil {
		return wrongProof("proof htu", ErrProof, "%w", err)
	} else if got != want {
		return wrongProof("proof htu", ErrProof, "%q is not %q", clipURL(got), clipURL(want))
	}
	if r.AccessToken == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(r.AccessToken))
	if ath, _ := c.String("ath"); ath != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return wrongProof("proof ath", ErrProof, "not the hash of the token that came along")
	}
	return nil
}

// judgeNonce applies item 10. It comes before the time, which a client whose clock
// is wrong learns from a nonce.
func (p *Proofs) judgeNonce(c *token.Claims) error {
	if p.Nonce == nil {
		return nil
	}
	if !c.Has("nonce") {
		if p.NonceRequired {
			return wrongProof("proof nonce", ErrProofNonce, "missing, and required here")
		}
		return nil
	}
	nonce, ok := c.String("nonce")
	if !ok {
		return wrongProof("proof nonce", ErrProof, "not a string")
	}
	if !p.Nonce(nonce) {
		return wrongProof("proof nonce", ErrProofNonce, "not one that is good here any more")
	}
	return nil
}

// judgeTime applies item 11 and returns the last instant at which the proof is
// good.
func (p *Proofs) judgeTime(c *token.Claims) (time.Time, error) {
	us, present, err := c.NumericDate("iat")
	if err != nil || !present {
		return time.Time{}, wrongProof("proof iat", ErrProof, "not a time")
	}
	issued, now := time.UnixMicro(us), p.Now()
	until := issued.Add(p.MaxAge)
	switch {
	case issued.After(now.Add(p.Leeway)):
		return until, wrongProof("proof iat", ErrProof, "made in the future, at %s, in %s", stamp(issued), span(issued.Sub(now)))
	case now.After(until):
		return until, wrongProof("proof iat", ErrProof, "made at %s, %s ago, at most %s are accepted", stamp(issued), span(now.Sub(issued)), p.MaxAge)
	}
	return until, nil
}

// Package token is the vocabulary that every other package speaks: what a
// token says (Claims), what is asked for and given (Credentials, Request, Set),
// what names a token for revocation (ID, Identity), and why a request for one
// can be refused (the Err values).
//
// It never judges a signature, never talks to a network and keeps no state;
// pkg/verifier judges, pkg/client and pkg/server talk.
//
//	t, err := token.Decode(raw) // reads, verifies nothing
//	if err != nil {
//		return err // errors.Is(err, token.ErrMalformed)
//	}
//	fmt.Println(t.Claims.Subject(), t.Claims)
package token

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Size limits of a compact JWT, in bytes, checked before anything is decoded
// (RFC 8725 leaves them to the implementation).
const (
	MaxLength       = 16 << 10 // a whole token
	MaxHeaderLength = 4 << 10  // its first segment
)

// Token is a decoded compact JWT (RFC 7519, RFC 7515 section 7.1). Nothing in
// it has been verified.
type Token struct {
	Header    Header
	Claims    *Claims
	Signature []byte
	// SigningInput is the text that the signature covers: the first two
	// segments with the dot between them.
	SigningInput string
}

// Split cuts a compact JWT into its three segments without decoding them. It
// refuses what could give one token a second spelling: a length above
// MaxLength, any number of segments but three, characters outside the base64url
// alphabet, CR and LF included. The error is an ErrMalformed.
func Split(raw string) (header, payload, signature string, err error) {
	if len(raw) > MaxLength {
		return "", "", "", malformed("%d bytes long, at most %d are read", len(raw), MaxLength)
	}
	first := strings.IndexByte(raw, '.')
	last := strings.LastIndexByte(raw, '.')
	if n := strings.Count(raw, "."); n != 2 {
		if n == 4 {
			return "", "", "", malformed("five segments: encrypted tokens (JWE) are not read")
		}
		return "", "", "", malformed("%d segments, a JWT has three", n+1)
	}
	for i := range len(raw) {
		if !segmentByte[raw[i]] {
			return "", "", "", malformed("byte %#02x at offset %d is not base64url", raw[i], i)
		}
	}
	if first > MaxHeaderLength {
		return "", "", "", malformed("header of %d bytes, at most %d are read", first, MaxHeaderLength)
	}
	if first == 0 || last == first+1 {
		return "", "", "", malformed("an empty segment")
	}
	return raw[:first], raw[first+1 : last], raw[last+1:], nil
}

var segmentByte = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") {
		t[c] = true
	}
	return t
}()

// DecodeSegment decodes one segment strictly: no padding, no unused trailing
// bits, no CR or LF. The error is an ErrMalformed.
func DecodeSegment(segment string) ([]byte, error) {
	return AppendSegment(make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(segment))), segment)
}

// Decode reads a compact JWT without verifying it: use it to show a token,
// never to trust one. Structure is judged as strictly as the verifier does
// (RFC 8725 section 3): one spelling, no duplicate members, bounded depth and
// size. The error is an ErrMalformed that says what is wrong.
func Decode(raw string) (*Token, error) {
	h, p, s, err := Split(raw)
	if err != nil {
		return nil, err
	}
	header, err := DecodeHeader(h)
	if err != nil {
		return nil, err
	}
	payload, err := DecodeSegment(p)
	if err != nil {
		return nil, err
	}
	claims, err := ParseClaims(string(payload))
	if err != nil {
		return nil, err
	}
	sig, err := DecodeSegment(s)
	if err != nil {
		return nil, err
	}
	return &Token{Header: header, Claims: claims, Signature: sig, SigningInput: raw[:len(h)+1+len(p)]}, nil
}

// Header is the JOSE header of a token (RFC 7515 section 4).
type Header struct {
	Algorithm string // alg; never empty
	Type      string // typ, as written; empty when absent
	KeyID     string // kid; empty when absent
	members   *Object
}

// DecodeHeader decodes the first segment of a JWT. alg must be a non-empty
// string; typ and kid must be strings, and a kid at most 128 printable ASCII
// characters, since it is only ever the key of a look-up.
func DecodeHeader(segment string) (Header, error) {
	b, err := DecodeSegment(segment)
	if err != nil {
		return Header{}, err
	}
	m, err := ParseObject(string(b))
	if err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	h := Header{members: m}
	for _, f := range []struct {
		name string
		to   *string
	}{{"alg", &h.Algorithm}, {"typ", &h.Type}, {"kid", &h.KeyID}} {
		if !m.Has(f.name) {
			continue
		}
		s, ok := m.String(f.name)
		if !ok {
			return Header{}, malformed("header: %s is not a string", f.name)
		}
		*f.to = s
	}
	if h.Algorithm == "" {
		return Header{}, malformed("header: no alg")
	}
	if len(h.KeyID) > 128 || strings.ContainsFunc(h.KeyID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Header{}, malformed("header: kid is not 1 to 128 printable characters")
	}
	return h, nil
}

// Has reports whether the header has a member of that exact name.
func (h Header) Has(name string) bool { return h.members != nil && h.members.Has(name) }

// MarshalJSON gives the header as one line, keys sorted.
func (h Header) MarshalJSON() ([]byte, error) { return h.members.MarshalJSON() }

// JSON is MarshalJSON as a string, for a line of a report.
func (h Header) JSON() string { return h.members.JSON() }

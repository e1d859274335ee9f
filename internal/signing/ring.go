package signing

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// ErrTooLong: the token would be longer than token.MaxLength, which no verifier
// of ours reads.
var ErrTooLong = fmt.Errorf("token longer than %d bytes", token.MaxLength)

// Ring is the keys of one tenant and one door from an instant on. It is a value
// that does not change: whoever changes the keys, or meets the instant that
// Changes tells, makes a new one. It is safe for concurrent use and prints its
// secrets as redacted.
type Ring struct {
	keys    []Key // by rank, each the newest first
	changes int64
	sign    signer
	room    int               // of a signature, in base64
	headers map[Header]string // the usual ones, encoded, with the dot
}

// Header is what the JOSE header of a token says besides alg (RFC 7515 section
// 4.1).
type Header struct {
	Type  string // typ: "JWT", "at+jwt"
	KeyID bool   // name the key as kid; the ats door's clients know none
	// TypeFirst puts typ before alg, as Tapis's services do.
	TypeFirst bool
}

// encode gives the members in the order alg, typ, kid: the ats door's header is
// {"alg":"HS256","typ":"JWT"} to the byte.
func (h Header) encode(k Key) string {
	text := `{"alg":` + quote(k.Algorithm) + `,"typ":` + quote(h.Type)
	if h.TypeFirst {
		text = `{"typ":` + quote(h.Type) + `,"alg":` + quote(k.Algorithm)
	}
	if h.KeyID {
		text += `,"kid":` + quote(k.ID)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text+"}")) + "."
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot be: a string
	}
	return string(b)
}

// NewRing makes the ring of an instant. Of the Active keys whose NotBefore has
// come the one with the latest signs; among equals, the one that was made last.
// Keys that are over at that instant are left out. It refuses keys of the same
// ID, of an unknown algorithm or state, those that do not fit their algorithm,
// and a ring in which none can sign.
func NewRing(at time.Time, keys ...Key) (*Ring, error) {
	now := at.UnixMicro()
	r := &Ring{headers: map[Header]string{}}
	seen := map[string]bool{}
	for _, k := range keys {
		if err := k.check(); err != nil {
			return nil, err
		}
		if seen[k.ID] {
			return nil, fmt.Errorf("key %s: stands twice in the ring", k.ID)
		}
		seen[k.ID] = true
		if !k.over(now) {
			r.keys = append(r.keys, k.guarded())
			r.note(k, now)
		}
	}
	slices.SortFunc(r.keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.rank(now), b.rank(now)), cmp.Compare(b.NotBefore, a.NotBefore), cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	if len(r.keys) == 0 || r.keys[0].rank(now) != rankSigns {
		return nil, errors.New("no active key that may sign yet")
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	return r, nil
}

// guarded returns the key as a ring holds it: it may be printed as a part of
// what holds the ring, where fmt asks no methods.
func (k Key) guarded() Key {
	// Somebody may have chosen it: printed, not even a part of its hash.
	k.Secret = token.NewPassword(k.Secret.Reveal())
	if k.Private != nil {
		k.Private = hide(k.Private)
	}
	return k
}

// note remembers when that key changes what the ring does.
func (r *Ring) note(k Key, now int64) {
	instants := []int64{k.NotAfter}
	if k.State == Active {
		instants = append(instants, k.NotBefore)
	}
	for _, next := range instants {
		if next > now && (r.changes == 0 || next < r.changes) {
			r.changes = next
		}
	}
}

// prepare makes ready what every signature needs.
func (r *Ring) prepare() (err error) {
	k := r.keys[0]
	if r.sign, err = k.signer(); err != nil {
		return err
	}
	r.room = 1 + base64.RawURLEncoding.EncodedLen(k.signatureBytes())
	for _, h := range []Header{{Type: "JWT"}, {Type: "JWT", KeyID: true}, {Type: "JWT", TypeFirst: true}, {Type: "at+jwt"}, {Type: "at+jwt", KeyID: true}} {
		r.headers[h] = h.encode(k)
	}
	return nil
}

// Signing returns the key that signs.
func (r *Ring) Signing() Key { return r.keys[0] }

// Changes returns the next instant, in microseconds, at which another key begins
// to sign or one is over, after the one that the ring is of; 0: there is none.
// Whoever holds the ring makes a new one of all keys then.
func (r *Ring) Changes() int64 { return r.changes }

// Verifying returns the keys that verify at an instant: the one that signs
// first, then other active ones, those that will sign later included, then those
// retiring, each the newest first.
func (r *Ring) Verifying(now time.Time) []Key {
	keys := make([]Key, 0, len(r.keys))
	for _, k := range r.keys {
		if !k.over(now.UnixMicro()) {
			keys = append(keys, k)
		}
	}
	return keys
}

// JWKS returns the public keys of the ring as a JWK set (RFC 7517 section 5).
// HMAC keys, which have no public part, are never in it.
func (r *Ring) JWKS() ([]byte, error) {
	list := []json.RawMessage{}
	for _, k := range r.keys {
		if k.Private == nil {
			continue
		}
		one, err := JWK(k.Private.Public(), k.ID, k.Algorithm)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		list = append(list, one)
	}
	return json.Marshal(map[string]any{"keys": list})
}

// Sign returns the compact JWS (RFC 7515 section 7.1) of a payload, signed by
// the active key. The payload is taken as it is. The error is ErrTooLong, or
// what the key answers.
func (r *Ring) Sign(h Header, payload []byte) (compact string, err error) {
	return r.compact(h, payload, token.MaxLength)
}

// SignDocument is Sign for what is no token and may be longer than one.
func (r *Ring) SignDocument(h Header, payload []byte) (compact string, err error) {
	return r.compact(h, payload, math.MaxInt)
}

func (r *Ring) compact(h Header, payload []byte, most int) (compact string, err error) {
	head, usual := r.headers[h]
	if !usual {
		head = h.encode(r.keys[0])
	}
	encoded := base64.RawURLEncoding.EncodedLen(len(payload))
	if len(head)-1 > token.MaxHeaderLength || len(head)+encoded > most {
		return "", ErrTooLong
	}
	var room [512]byte // most payloads: no allocation
	var b strings.Builder
	b.Grow(len(head) + encoded + r.room)
	b.WriteString(head)
	b.Write(base64.RawURLEncoding.AppendEncode(room[:0], payload))
	signature, err := r.sign(b.String())
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", r.keys[0].ID, err)
	}
	b.WriteByte('.')
	b.Write(base64.RawURLEncoding.AppendEncode(room[:0], signature))
	if b.Len() > most {
		return "", ErrTooLong
	}
	return b.String(), nil
}

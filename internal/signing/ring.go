package signing

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// ErrTooLong: the token would be longer than token.MaxLength, which no verifier
// of ours reads.
var ErrTooLong = fmt.Errorf("token longer than %d bytes", token.MaxLength)

// Ring is the keys of one tenant and one door at a time. It is a value that
// does not change: whoever changes the keys makes a new one. It is safe for
// concurrent use and prints its secrets as redacted.
type Ring struct {
	keys    []Key // the signing one first, then the newest
	sign    signer
	headers map[Header]string // the usual ones, encoded, with the dot
}

// Header is what the JOSE header of a token says besides alg (RFC 7515 section
// 4.1).
type Header struct {
	Type  string // typ: "JWT", "at+jwt"
	KeyID bool   // name the key as kid; the ats door's clients know none
}

// encode gives the members in the order alg, typ, kid: the ats door's header is
// {"alg":"HS256","typ":"JWT"} to the byte.
func (h Header) encode(k Key) string {
	text := `{"alg":` + quote(k.Algorithm) + `,"typ":` + quote(h.Type)
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

// NewRing makes a ring of keys with one that is Active at least; the newest of
// them signs. It refuses keys of the same ID, of an unknown algorithm or state,
// and without a secret.
func NewRing(keys ...Key) (*Ring, error) {
	r := &Ring{keys: slices.Clone(keys), headers: map[Header]string{}}
	slices.SortStableFunc(r.keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	seen := map[string]bool{}
	for i, k := range r.keys {
		if err := k.check(); err != nil {
			return nil, err
		}
		if seen[k.ID] {
			return nil, fmt.Errorf("key %s: stands twice in the ring", k.ID)
		}
		seen[k.ID] = true
		// Somebody may have chosen it: printed, not even a part of its hash.
		r.keys[i].Secret = token.NewPassword(k.Secret.Reveal())
	}
	if len(r.keys) == 0 || r.keys[0].State != Active {
		return nil, errors.New("no active key")
	}
	var err error
	if r.sign, err = r.keys[0].signer(); err != nil {
		return nil, err
	}
	for _, h := range []Header{{"JWT", false}, {"JWT", true}, {"at+jwt", false}, {"at+jwt", true}} {
		r.headers[h] = h.encode(r.keys[0])
	}
	return r, nil
}

// Signing returns the key that signs.
func (r *Ring) Signing() Key { return r.keys[0] }

// Verifying returns the keys that verify at an instant: the one that signs
// first, then other active ones, then those retiring, each the newest first.
func (r *Ring) Verifying(now time.Time) []Key {
	keys := make([]Key, 0, len(r.keys))
	for _, k := range r.keys {
		if k.verifies(now) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Sign returns the compact JWS (RFC 7515 section 7.1) of a payload, signed by
// the active key. The payload is taken as it is. The error is ErrTooLong, or
// what the key answers.
func (r *Ring) Sign(h Header, payload []byte) (compact string, err error) {
	head, usual := r.headers[h]
	if !usual {
		head = h.encode(r.keys[0])
	}
	const signatureRoom = 1 + 86 // a dot and 64 bytes, in base64
	encoded := base64.RawURLEncoding.EncodedLen(len(payload))
	if len(head)-1 > token.MaxHeaderLength || len(head)+encoded > token.MaxLength {
		return "", ErrTooLong
	}
	var room [512]byte // most payloads: no allocation
	var b strings.Builder
	b.Grow(len(head) + encoded + signatureRoom)
	b.WriteString(head)
	b.Write(base64.RawURLEncoding.AppendEncode(room[:0], payload))
	signature, err := r.sign(b.String())
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", r.keys[0].ID, err)
	}
	b.WriteByte('.')
	b.Write(base64.RawURLEncoding.AppendEncode(room[:0], signature))
	if b.Len() > token.MaxLength {
		return "", ErrTooLong
	}
	return b.String(), nil
}

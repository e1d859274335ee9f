// Package signing holds the keys that tokens are signed with: rings of them
// (Ring), how private keys are made, read, kept and named, and the master key
// under which they are kept at rest and from which other keys are derived
// (Master).
//
// It never reads or writes the store, never judges a token and never decides
// when a key is changed: its owner makes a new Ring and puts it in the place of
// the old one.
//
//	master, err := signing.LoadMaster(path)
//	secret, err := master.Open(record.Sealed, record.ID)
//	key := signing.Key{ID: record.ID, Algorithm: "HS256", State: signing.Active, Secret: token.NewSecret(string(secret))}
//	ring, err := signing.NewRing(time.Now(), key)
//	compact, err := ring.Sign(signing.Header{Type: "JWT"}, payload)
package signing

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// States of a Key, by the names under which the store keeps them.
const (
	Active   = "active"   // signs from NotBefore on, and verifies until NotAfter
	Retiring = "retiring" // verifies until NotAfter
)

// Key is a signing key in the clear. It prints without what it signs with.
type Key struct {
	ID        string // unique in a ring; the kid of a header that names one
	Algorithm string // JWA name (RFC 7518 section 3.1, RFC 8037): HS256, RS256, PS256, ES256, their 384 and 512, EdDSA
	State     string // Active or Retiring
	CreatedAt int64  // microseconds since 1970-01-01 UTC
	NotBefore int64  // microseconds; from when on an active key signs, it verifies before; 0: always
	NotAfter  int64  // microseconds: when its last token is over; 0: never
	// Secret is what an HMAC key consists of. It may be shorter than RFC 7518
	// section 3.2 asks; see WeakSecret.
	Secret token.Secret
	// Private is what a key of any other algorithm consists of: an RSA key of 2048
	// to 8192 bits (from 1024 with AllowWeak), an ECDSA key on the curve of its
	// algorithm or an Ed25519 key, held in memory. It is nil for HMAC.
	Private crypto.Signer `json:"-"`
	// AllowWeak lets an RSA key of less than 2048 bits into a ring; see WeakKey.
	// Default: NewRing refuses it. Danger: such a key can be factored, and whoever
	// has done that signs what he likes.
	AllowWeak bool
}

// Format prints the key for every verb, its secret as redacted.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.text()) }

// LogValue gives log/slog the redacted form.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.text()) }

func (k Key) text() string {
	return fmt.Sprintf("{%s %s %s %d %d %d %s}",
		k.ID, k.Algorithm, k.State, k.CreatedAt, k.NotBefore, k.NotAfter, redacted)
}

// signer signs the text of a token's first two segments.
type signer func(text string) (signature []byte, err error)

// signer returns what signs with the key. It is a function lest printing what
// holds it prints the key.
func (k Key) signer() (signer, error) {
	if method := hmacMethod(k.Algorithm); method != nil {
		switch {
		case k.Secret.IsZero():
			return nil, fmt.Errorf("key %s: no secret", k.ID)
		case k.Private != nil:
			return nil, fmt.Errorf("key %s: a private key does not fit %s", k.ID, k.Algorithm)
		}
		var secret any = []byte(k.Secret.Reveal())
		return func(text string) ([]byte, error) { return method.Sign(text, secret) }, nil
	}
	if !k.Secret.IsZero() {
		return nil, fmt.Errorf("key %s: a shared secret does not fit algorithm %q", k.ID, k.Algorithm)
	}
	sign, err := signerOf(k.Private, k.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, err)
	}
	if reason, weak := WeakKey(k.Private.Public()); weak && !k.AllowWeak {
		return nil, fmt.Errorf("key %s: %s: [tokens] allow_weak_key = true, or --allow-weak-key of its tenant, allows it", k.ID, reason)
	}
	return sign, nil
}

// check judges a key by itself.
func (k Key) check() error {
	if k.ID == "" {
		return errors.New("a key without an id")
	}
	if k.State != Active && k.State != Retiring {
		return fmt.Errorf("key %s: unknown state %q", k.ID, k.State)
	}
	_, err := k.signer()
	return err
}

// over reports whether nothing that the key signed is good any more.
func (k Key) over(at int64) bool { return k.NotAfter != 0 && k.NotAfter <= at }

// Ranks of keys in a ring, the first sign.
const (
	rankSigns = iota
	rankActive
	rankRetiring
)

func (k Key) rank(at int64) int {
	switch {
	case k.State == Retiring:
		return rankRetiring
	case k.NotBefore > at:
		return rankActive
	}
	return rankSigns
}

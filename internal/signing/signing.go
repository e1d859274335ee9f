// Package signing holds the keys that tokens are signed with: rings of them
// (Ring), and the master key under which they are kept at rest and from which
// other keys are derived (Master).
//
// It never reads or writes the store, never judges a token and never decides
// when a key is changed: its owner makes a new Ring and puts it in the place of
// the old one.
//
//	master, err := signing.LoadMaster(path)
//	secret, err := master.Open(record.Sealed, record.ID)
//	key := signing.Key{ID: record.ID, Algorithm: "HS256", State: signing.Active, Secret: token.NewSecret(string(secret))}
//	ring, err := signing.NewRing(key)
//	compact, err := ring.Sign(signing.Header{Type: "JWT"}, payload)
package signing

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// States of a Key, by the names under which the store keeps them.
const (
	Active   = "active"   // signs and verifies
	Retiring = "retiring" // verifies until NotAfter
)

// Key is a signing key in the clear.
type Key struct {
	ID        string // unique in a ring; the kid of a header that names one
	Algorithm string // JWA name (RFC 7518 section 3.1): HS256, HS384 or HS512
	State     string // Active or Retiring
	CreatedAt int64  // microseconds since 1970-01-01 UTC
	NotAfter  int64  // microseconds; of a retiring key: when its last token is over; 0: never
	// Secret is what an HMAC key consists of. It may be shorter than RFC 7518
	// section 3.2 asks; see WeakSecret.
	Secret token.Secret
}

// signer signs the text of a token's first two segments.
type signer func(text string) (signature []byte, err error)

// signer returns what signs with the key; further kinds of keys come in here.
// It is a function lest printing what holds it prints the key.
func (k Key) signer() (signer, error) {
	var method jwt.SigningMethod
	switch k.Algorithm {
	case "HS256":
		method = jwt.SigningMethodHS256
	case "HS384":
		method = jwt.SigningMethodHS384
	case "HS512":
		method = jwt.SigningMethodHS512
	default:
		return nil, fmt.Errorf("key %s: algorithm %q is not signed with here", k.ID, k.Algorithm)
	}
	if k.Secret.IsZero() {
		return nil, fmt.Errorf("key %s: no secret", k.ID)
	}
	var key any = []byte(k.Secret.Reveal())
	return func(text string) ([]byte, error) { return method.Sign(text, key) }, nil
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

func (k Key) verifies(now time.Time) bool {
	return k.State == Active || k.NotAfter == 0 || now.UnixMicro() < k.NotAfter
}

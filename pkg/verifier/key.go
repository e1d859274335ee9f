package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Key verifies the signatures of the algorithms of its kind, and of no other
// (RFC 8725 section 3.1). It holds either a Secret or a Public key.
type Key struct {
	// ID is the kid it goes by. Default: none, and then it is tried for every
	// token of its algorithm.
	ID string
	// Algorithm is a JWA name (RFC 7518 section 3.1): HS256, HS384 or HS512 for a
	// Secret, which must name one. A Public key may leave it empty: then an RSA
	// key verifies RS256 to RS512 and PS256 to PS512, an elliptic one the ES…
	// of its curve, an Ed25519 one EdDSA (also spelt Ed25519, RFC 9864). An RSA
	// key that is known to sign with one algorithm should name it. "none" is
	// never one.
	Algorithm string
	// Secret is the shared key, its bytes taken as they are.
	Secret token.Secret
	// Public is a *rsa.PublicKey of 1024 to 8192 bits, a *ecdsa.PublicKey on
	// P-256, P-384 or P-521, or an ed25519.PublicKey.
	Public crypto.PublicKey

	private bool // it was read from a private key
}

// key is a Key ready for use.
type key struct {
	id       string
	methods  []jwt.SigningMethod
	material any
	weak     string // why it is used only with AllowWeakKeys
}

func (k *key) method(algorithm string) jwt.SigningMethod {
	for _, m := range k.methods {
		if m.Alg() == algorithm {
			return m
		}
	}
	return nil
}

// KeySet is the keys that are in force together. It never changes and is safe
// for concurrent use.
type KeySet struct {
	keys  []key
	notes []string
}

const (
	// maxKeys bounds a set.
	maxKeys = 64
	// maxTried bounds how many signatures one token can make us compute.
	maxTried = 16
)

var errNoKeys = errors.New("no key to verify with")

// NewKeySet checks keys and makes a set of them, at most 64. Two keys under one
// ID are refused, whatever their kinds, since nobody could say which is meant.
// Keys that are too weak are taken in; a Verifier uses them only where its
// configuration allows it.
func NewKeySet(keys ...Key) (*KeySet, error) {
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are used", len(keys), maxKeys)
	}
	s := &KeySet{keys: make([]key, len(keys))}
	ids := make(map[string]bool, len(keys))
	for i, k := range keys {
		name := fmt.Sprintf("key %d", i+1)
		if k.ID != "" {
			name = fmt.Sprintf("key %q", clip(k.ID))
			if ids[k.ID] {
				return nil, fmt.Errorf("%s stands twice in the set", name)
			}
			ids[k.ID] = true
		}
		if err := s.keys[i].bind(k); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.note(name, k, &s.keys[i])
	}
	return s, nil
}

// note keeps what the owner of the set should know.
func (s *KeySet) note(name string, k Key, bound *key) {
	if reason, weak := WeakSecret([]byte(k.Secret.Reveal()), k.Algorithm); weak && k.Public == nil {
		s.notes = append(s.notes, name+": the secret is weak: "+reason)
	}
	if bound.weak != "" {
		s.notes = append(s.notes, name+" is weak: "+bound.weak)
	}
	if k.private {
		s.notes = append(s.notes, name+" is a private key: its public part is enough to verify with")
	}
}

// bind checks a key and finds the methods that it may verify with.
func (b *key) bind(k Key) error {
	b.id = k.ID
	if k.Public == nil {
		return b.bindSecret(k)
	}
	if !k.Secret.IsZero() {
		return errors.New("both a secret and a public key")
	}
	var err error
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		b.methods, b.material = rsaMethods(), pub
		b.weak, err = judgeRSA(pub)
	case *ecdsa.PublicKey:
		b.methods, b.material = []jwt.SigningMethod{curveMethod(curveName(pub))}, pub
		err = judgeCurve(pub)
	case ed25519.PublicKey:
		b.methods, b.material = []jwt.SigningMethod{jwt.SigningMethodEdDSA, edwards{jwt.SigningMethodEdDSA}}, pub
		err = judgeEdwards(pub)
	default:
		err = fmt.Errorf("a %T verifies no JWT", pub)
	}
	if err != nil || k.Algorithm == "" {
		return err
	}
	m := b.method(k.Algorithm)
	if m == nil {
		return fmt.Errorf("algorithm %q is not one of its kind: %s", clip(k.Algorithm), names(b.methods))
	}
	b.methods = []jwt.SigningMethod{m}
	return nil
}

func (b *key) bindSecret(k Key) error {
	m := hmacAlgorithm(k.Algorithm)
	switch secret := k.Secret.Reveal(); {
	case m == nil:
		return fmt.Errorf("algorithm %q is not one of HS256, HS384, HS512", clip(k.Algorithm))
	case secret == "":
		return errors.New("the secret is empty")
	case strings.Contains(secret, "-----BEGIN ") && !strings.Contains(secret, "PRIVATE KEY"):
		// What everybody may know authenticates nobody (RFC 8725 section 2.1).
		return errors.New("the secret is a public key or a certificate")
	default:
		b.methods = []jwt.SigningMethod{newHMACMethod(m, []byte(secret))}
	}
	return nil
}

func names(methods []jwt.SigningMethod) string {
	list := make([]string, len(methods))
	for i, m := range methods {
		list[i] = m.Alg()
	}
	return strings.Join(list, ", ")
}

// strong is an error that names the first weak key, nil when there is none.
func (s *KeySet) strong() error {
	i := slices.IndexFunc(s.keys, func(k key) bool { return k.weak != "" })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("key %d is weak: %s", i+1, s.keys[i].weak)
}

// candidate is a key that may have signed, with the method to ask.
type candidate struct {
	method   jwt.SigningMethod
	material any
}

// candidates are the keys that may have signed a token of such a header. known
// reports whether its kid, if it has one, is a key's.
func (s *KeySet) candidates(h token.Header, allowWeak bool) (list []candidate, known bool, err error) {
	known = h.KeyID == ""
	weak := ""
	for i := range s.keys {
		k := &s.keys[i]
		if k.id != "" && h.KeyID != "" && k.id != h.KeyID {
			continue
		}
		known = known || k.id != ""
		m := k.method(h.Algorithm)
		if m == nil {
			continue
		}
		if k.weak != "" && !allowWeak {
			weak = k.weak
			continue
		}
		list = append(list, candidate{m, k.material})
	}
	switch {
	case len(list) > maxTried:
		err = token.Refuse(token.ErrSignature, "signature verification failed: %d keys could have signed it and its header does not say which", len(list))
	case len(list) == 0 && weak != "":
		err = token.Refuse(token.ErrSignature, "signature verification failed: the key is weak: %s", weak)
	case len(list) == 0:
		err = token.Refuse(token.ErrSignature, "signature verification failed: no key for alg %q%s", clip(h.Algorithm), ofKeyID(h.KeyID))
	}
	return list, known, err
}

func ofKeyID(kid string) string {
	if kid == "" {
		return ""
	}
	return fmt.Sprintf(" and kid %q", kid)
}

// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

package issuer

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ErrPEM says that a key in PEM was given where a shared secret is asked for.
var ErrPEM = errors.New("a key in PEM is no shared secret")

// keyMaterial is the algorithm of a new key and what is sealed of it.
func (d *Door) keyMaterial(r Rotation) (algorithm string, plain []byte, err error) {
	algorithm = cmp.Or(r.Algorithm, d.KeyAlgorithm)
	if isHMAC(d.Format.algorithm) {
		if !isHMAC(algorithm) || r.Private != nil {
			return "", nil, fmt.Errorf("the %s door signs with a shared secret", d.Name)
		}
		plain, err = d.sharedSecret(algorithm, r.Secret)
		return algorithm, plain, err
	}
	if isHMAC(algorithm) || !r.Secret.IsZero() {
		return "", nil, fmt.Errorf("the %s door signs with a private key", d.Name)
	}
	if r.Private == nil {
		r.Private, err = d.generate(algorithm)
	} else if r.Algorithm == "" {
		algorithm, err = signing.AlgorithmOf(r.Private.Public())
	}
	if err != nil {
		return "", nil, err
	}
	if err := d.probe(signing.Key{Algorithm: algorithm, Private: r.Private}); err != nil {
		return "", nil, err
	}
	plain, err = signing.MarshalPrivate(r.Private)
	return algorithm, plain, err
}

// sharedSecret is what is sealed of one; none: one is made.
func (d *Door) sharedSecret(algorithm string, secret token.Secret) ([]byte, error) {
	if secret.IsZero() {
		secret = token.NewSecret(signing.GenerateSecret())
	}
	// A public one would let everybody sign, and of a private one everybody has the
	// other half: it was meant for another door.
	if strings.Contains(secret.Reveal(), "-----BEGIN") {
		return nil, ErrPEM
	}
	return []byte(secret.Reveal()), d.probe(signing.Key{Algorithm: algorithm, Secret: secret})
}

// probe refuses a key that could not sign or would not be verified: stored, it
// would end the service at its next start.
func (d *Door) probe(k signing.Key) error {
	k.ID, k.State, k.AllowWeak = "new", signing.Active, d.AllowWeakKeys
	now := d.issuer.clock.read()
	ring, err := signing.NewRing(now, k)
	if err != nil {
		return err
	}
	_, err = d.newVerifier(ring.Verifying(now))
	return err
}

func (d *Door) generate(algorithm string) (crypto.Signer, error) {
	if d.Format.rsaBits > 0 && algorithm[0] != 'E' {
		return signing.GenerateRSA(d.Format.rsaBits)
	}
	return signing.Generate(algorithm)
}

// isNew refuses a private key that the door has already: under a second name it
// would outlive the removal of the first.
func (d *Door) isNew(rows []store.Key, private crypto.Signer) error {
	if private == nil {
		return nil
	}
	keys, err := d.keptKeys(rows)
	if err != nil {
		return err
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, k := range keys {
		if ok && k.Private != nil && public.Equal(k.Private.Public()) {
			return fmt.Errorf("that key is in force already: %s", k.ID)
		}
	}
	return nil
}

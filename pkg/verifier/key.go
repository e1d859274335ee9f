package verifier

import (
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Key verifies the signatures of one algorithm, and of no other (RFC 8725
// section 3.1).
type Key struct {
	// ID is the kid it goes by. Default: none, and then it is tried for every
	// token of its algorithm.
	ID string
	// Algorithm is a JWA name (RFC 7518 section 3.1): HS256, HS384 or HS512.
	// "none" is never one.
	Algorithm string
	// Secret is the shared key, its bytes taken as they are.
	Secret token.Secret
}

// key is a Key ready for use.
type key struct {
	id       string
	method   jwt.SigningMethod
	material any
}

// maxKeys bounds how many signatures one token can make us compute.
const maxKeys = 64

func bindKeys(list []Key) ([]key, error) {
	if len(list) == 0 {
		return nil, errNoKeys
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are used", len(list), maxKeys)
	}
	keys := make([]key, len(list))
	for i, k := range list {
		method, ok := jwt.GetSigningMethod(k.Algorithm).(*jwt.SigningMethodHMAC)
		if !ok {
			return nil, fmt.Errorf("key %d: algorithm %q is not one of HS256, HS384, HS512", i+1, k.Algorithm)
		}
		if k.Secret.IsZero() {
			return nil, fmt.Errorf("key %d: the secret is empty", i+1)
		}
		keys[i] = key{id: k.ID, method: method, material: []byte(k.Secret.Reveal())}
	}
	return keys, nil
}

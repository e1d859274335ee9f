package verifier

import (
	"crypto/hmac"
	"crypto/rsa"
	"hash"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// hmacMethod is golang-jwt's HMAC method with the keyed hash kept between
// tokens, which is half of the work for a short one. It is bound to its secret.
type hmacMethod struct {
	*jwt.SigningMethodHMAC
	pool sync.Pool // of *keyedHash
}

type keyedHash struct {
	mac     hash.Hash
	scratch []byte
}

func newHMACMethod(m *jwt.SigningMethodHMAC, secret []byte) *hmacMethod {
	h := &hmacMethod{SigningMethodHMAC: m}
	h.pool.New = func() any { return &keyedHash{mac: hmac.New(m.Hash.New, secret)} }
	return h
}

// Verify has the contract of jwt.SigningMethod; the key is its own.
func (m *hmacMethod) Verify(input string, signature []byte, _ any) error {
	h := m.pool.Get().(*keyedHash)
	defer m.pool.Put(h)
	h.mac.Reset()
	h.scratch = append(h.scratch[:0], input...)
	h.mac.Write(h.scratch)
	h.scratch = h.mac.Sum(h.scratch[:0])
	if !hmac.Equal(signature, h.scratch) {
		return jwt.ErrSignatureInvalid
	}
	return nil
}

// hmacAlgorithm returns golang-jwt's method of that name, nil for any other.
func hmacAlgorithm(name string) *jwt.SigningMethodHMAC {
	switch name {
	case "HS256":
		return jwt.SigningMethodHS256
	case "HS384":
		return jwt.SigningMethodHS384
	case "HS512":
		return jwt.SigningMethodHS512
	}
	return nil
}

// exactSalt is golang-jwt's PSS method without its tolerance: the salt is as
// long as the hash (RFC 7518 section 3.5).
func exactSalt(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// edwards is EdDSA under its newer name, which says the curve too (RFC 9864).
type edwards struct{ *jwt.SigningMethodEd25519 }

func (edwards) Alg() string { return "Ed25519" }

func rsaMethods() []jwt.SigningMethod {
	return []jwt.SigningMethod{
		jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
		exactSalt(jwt.SigningMethodPS256), exactSalt(jwt.SigningMethodPS384), exactSalt(jwt.SigningMethodPS512),
	}
}

// curveMethod returns the one method of a NIST curve (RFC 7518 section 3.4),
// nil for any other curve.
func curveMethod(curve string) jwt.SigningMethod {
	switch curve {
	case "P-256":
		return jwt.SigningMethodES256
	case "P-384":
		return jwt.SigningMethodES384
	case "P-521":
		return jwt.SigningMethodES512
	}
	return nil
}

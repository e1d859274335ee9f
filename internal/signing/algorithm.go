package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Sizes of RSA keys in bits. Smaller or larger ones the verifier does not read
// at all; below the good one a key is weak. New keys are as strong as those of
// P-256 and Ed25519.
const (
	leastRSA = 1024
	goodRSA  = 2048 // RFC 7518 sections 3.3 and 3.5
	newRSA   = 3072
	mostRSA  = 8192
)

// hmacMethod returns the method of that name, nil where it is no HMAC.
func hmacMethod(algorithm string) *jwt.SigningMethodHMAC {
	switch algorithm {
	case "HS256":
		return jwt.SigningMethodHS256
	case "HS384":
		return jwt.SigningMethodHS384
	case "HS512":
		return jwt.SigningMethodHS512
	}
	return nil
}

// pairMethod returns the method of that name for a key pair, nil for any other.
func pairMethod(algorithm string) jwt.SigningMethod {
	switch algorithm {
	case "RS256":
		return jwt.SigningMethodRS256
	case "RS384":
		return jwt.SigningMethodRS384
	case "RS512":
		return jwt.SigningMethodRS512
	case "PS256":
		return jwt.SigningMethodPS256
	case "PS384":
		return jwt.SigningMethodPS384
	case "PS512":
		return jwt.SigningMethodPS512
	case "ES256":
		return jwt.SigningMethodES256
	case "ES384":
		return jwt.SigningMethodES384
	case "ES512":
		return jwt.SigningMethodES512
	case "EdDSA":
		return jwt.SigningMethodEdDSA
	}
	return nil
}

// signerOf returns what signs with a private key.
func signerOf(key crypto.Signer, algorithm string) (signer, error) {
	method := pairMethod(algorithm)
	if method == nil {
		return nil, fmt.Errorf("algorithm %q is not signed with here", algorithm)
	}
	if key == nil {
		return nil, errors.New("no private key")
	}
	if err := fits(key, algorithm); err != nil {
		return nil, err
	}
	plain := reveal(key)
	return func(text string) ([]byte, error) { return method.Sign(text, plain) }, nil
}

// fits refuses a private key of another kind than the algorithm's.
func fits(key crypto.Signer, algorithm string) error {
	kind, usual := "", ""
	switch k := reveal(key).(type) {
	case *rsa.PrivateKey:
		if err := checkBits(&k.PublicKey); err != nil {
			return err
		}
		kind, usual = "an RSA key", algorithm
		if algorithm[:2] != "RS" && algorithm[:2] != "PS" {
			usual = ""
		}
	case *ecdsa.PrivateKey:
		kind = "a key on " + k.Curve.Params().Name
		usual = curveAlgorithm(k.Curve)
	case ed25519.PrivateKey:
		kind, usual = "an Ed25519 key", "EdDSA"
	default:
		return fmt.Errorf("a %T signs no JWT here", k)
	}
	if usual != algorithm {
		return fmt.Errorf("%s does not fit %s", kind, algorithm)
	}
	return nil
}

func checkBits(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < leastRSA || bits > mostRSA {
		return fmt.Errorf("an RSA key of %d bits, from %d to %d are possible", bits, leastRSA, mostRSA)
	}
	return nil
}

// WeakKey tells an RSA key of less than 2048 bits, which RFC 7518 section 3.3
// asks for, and its reason says how many it has. No other kind of key is weak.
// Whether a weak key is refused or used with a warning is for the caller to say;
// see Key.AllowWeak.
func WeakKey(public crypto.PublicKey) (reason string, weak bool) {
	k, ok := public.(*rsa.PublicKey)
	if !ok || k.N.BitLen() >= goodRSA {
		return "", false
	}
	return fmt.Sprintf("an RSA key of %d bits, %d are asked for (RFC 7518 section 3.3)", k.N.BitLen(), goodRSA), true
}

func curveAlgorithm(c elliptic.Curve) string {
	switch c {
	case elliptic.P256():
		return "ES256"
	case elliptic.P384():
		return "ES384"
	case elliptic.P521():
		return "ES512"
	}
	return ""
}

// signatureBytes is how long the signatures of a checked key are.
func (k Key) signatureBytes() int {
	if m := hmacMethod(k.Algorithm); m != nil {
		return m.Hash.Size()
	}
	switch p := reveal(k.Private).(type) {
	case *rsa.PrivateKey:
		return p.Size()
	case *ecdsa.PrivateKey:
		return 2 * ((p.Curve.Params().BitSize + 7) / 8)
	}
	return ed25519.SignatureSize
}

// AlgorithmOf returns the algorithm that keys of a kind usually sign with: ES256,
// ES384 and ES512 on P-256, P-384 and P-521, EdDSA for Ed25519, RS256 for RSA.
// The error names a kind that signs no JWT.
func AlgorithmOf(key crypto.PublicKey) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		if a := curveAlgorithm(k.Curve); a != "" {
			return a, nil
		}
		return "", errors.New("the curve of the key is not one of P-256, P-384, P-521")
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fmt.Errorf("a %T signs no JWT here", key)
}

// Generate makes a random private key for an algorithm: for those of RSA one of
// 3072 bits, which takes a good part of a second. HMAC has none; see
// GenerateSecret.
func Generate(algorithm string) (crypto.Signer, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		key, err = rsa.GenerateKey(rand.Reader, newRSA)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("algorithm %q has no private keys here", algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", algorithm, err)
	}
	return hide(key), nil
}

// GenerateRSA makes a random RSA key of so many bits, from 2048: a shorter one
// than Generate's signs faster.
func GenerateRSA(bits int) (crypto.Signer, error) {
	if bits < goodRSA || bits > mostRSA {
		return nil, fmt.Errorf("an RSA key of %d bits: from %d to %d are made", bits, goodRSA, mostRSA)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key: %w", err)
	}
	return hide(key), nil
}

// CheckAlgorithm refuses a name that no key pair signs by.
func CheckAlgorithm(algorithm string) error {
	if pairMethod(algorithm) == nil {
		return fmt.Errorf("algorithm %q is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA", algorithm)
	}
	return nil
}

package verifier

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
)

// Sizes of RSA keys in bits. Below the least nothing verifies at all; more than
// the most would let one token cost milliseconds.
const (
	leastRSA = 1024
	goodRSA  = 2048 // RFC 7518 sections 3.3 and 3.5
	mostRSA  = 8192
)

// judgeRSA refuses a key that proves nothing and says why another is weak.
func judgeRSA(k *rsa.PublicKey) (weak string, err error) {
	if k.N == nil || k.N.Sign() <= 0 || k.N.Bit(0) == 0 {
		return "", errors.New("the RSA modulus is not an odd positive number")
	}
	bits := k.N.BitLen()
	switch {
	case bits < leastRSA || bits > mostRSA:
		return "", fmt.Errorf("an RSA key of %d bits, from %d to %d are possible", bits, leastRSA, mostRSA)
	case k.E < 3 || k.E%2 == 0:
		// With an exponent of 1 every text is its own signature.
		return "", fmt.Errorf("the RSA exponent %d is not an odd number above 2", k.E)
	case bits < goodRSA:
		return fmt.Sprintf("an RSA key of %d bits, %d are asked for (RFC 7518 section 3.3)", bits, goodRSA), nil
	case roca(k.N):
		return "the RSA key was made by a generator whose keys can be factored (ROCA, CVE-2017-15361)", nil
	}
	return "", nil
}

// roca reports whether a modulus is, modulo every small prime, a power of
// 65537, as those of the flawed generator are and one in 2^27 others is.
func roca(n *big.Int) bool {
	for _, p := range [...]uint64{
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
		89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
	} {
		rest := new(big.Int).Mod(n, new(big.Int).SetUint64(p)).Uint64()
		power, found := uint64(1), rest == 1
		for range p {
			power = power * 65537 % p
			found = found || power == rest
		}
		if !found {
			return false
		}
	}
	return true
}

func curveName(k *ecdsa.PublicKey) string {
	if k.Curve == nil {
		return ""
	}
	return k.Curve.Params().Name
}

// judgeCurve refuses a point that is not on its curve (RFC 8725 section 3.4).
func judgeCurve(k *ecdsa.PublicKey) error {
	if curveMethod(curveName(k)) == nil {
		return fmt.Errorf("curve %q is not one of P-256, P-384, P-521", curveName(k))
	}
	if _, err := k.ECDH(); err != nil {
		return fmt.Errorf("the point is not on %s: %w", curveName(k), err)
	}
	return nil
}

// judgeEdwards refuses the points of small order, under which a signature can be
// made that verifies for every text.
func judgeEdwards(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("an Ed25519 key of %d bytes, it has %d", len(k), ed25519.PublicKeySize)
	}
	y := [ed25519.PublicKeySize]byte(k)
	y[31] &= 0x7f // the sign of x
	for _, small := range [...]string{
		"\x00", "\x01",
		"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
		"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
		"\xec" + ones, "\xed" + ones, "\xee" + ones,
	} {
		var bad [ed25519.PublicKeySize]byte
		copy(bad[:], small)
		if y == bad {
			return errors.New("the Ed25519 key is a point of small order")
		}
	}
	return nil
}

// ones are the bytes 2 to 32 of the prime 2^255-19 and its neighbours.
const ones = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"

package verifier

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestASmallOrderKeyIsRefused(t *testing.T) {
	identity := append([]byte{1}, make([]byte, 31)...)
	if !ed25519.Verify(identity, []byte("whatever"), append(identity[:32:32], make([]byte, 32)...)) {
		t.Error("the forgery does not work, so this test proves nothing")
	}
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			k, err := hex.DecodeString(y)
			if err != nil {
				t.Fatal(err)
			}
			k[31] |= sign
			if _, err := NewKeySet(Key{Public: ed25519.PublicKey(k)}); err == nil || !strings.Contains(err.Error(), "small order") {
				t.Errorf("%x: %v", k, err)
			}
		}
	}
}

func TestKeysThatProveNothingAreRefused(t *testing.T) {
	rsaKey := pairs()["RSA-2048"].private.Public().(*rsa.PublicKey)
	ecKey := pairs()["P-256"].private.Public().(*ecdsa.PublicKey)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 no other way makes a point that is off its curve
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Add(ecKey.X, big.NewInt(1)), Y: ecKey.Y}
	//lint:ignore SA1019 as above
	other := &ecdsa.PublicKey{Curve: elliptic.P384(), X: ecKey.X, Y: ecKey.Y}
	small := new(big.Int).Lsh(big.NewInt(1), 1022)
	large := new(big.Int).Lsh(big.NewInt(1), 8192)
	for says, k := range map[string]Key{
		"exponent 1 ":               {Public: &rsa.PublicKey{N: rsaKey.N, E: 1}},
		"exponent 2 ":               {Public: &rsa.PublicKey{N: rsaKey.N, E: 2}},
		"exponent 65536":            {Public: &rsa.PublicKey{N: rsaKey.N, E: 65536}},
		"exponent -3":               {Public: &rsa.PublicKey{N: rsaKey.N, E: -3}},
		"modulus":                   {Public: &rsa.PublicKey{N: new(big.Int).Add(rsaKey.N, big.NewInt(1)), E: 65537}},
		"1023 bits":                 {Public: &rsa.PublicKey{N: small.Add(small, big.NewInt(1)), E: 65537}},
		"8193 bits":                 {Public: &rsa.PublicKey{N: large.Add(large, big.NewInt(1)), E: 65537}},
		"the point is not on P-256": {Public: off},
		"the point is not on P-384": {Public: other},
		`curve "P-224"`:             {Public: pairs()["P-224"].private.Public()},
		`curve ""`:                  {Public: &ecdsa.PublicKey{}},
		"31 bytes":                  {Public: ed25519.PublicKey(make([]byte, 31))},
		"ecdh":                      {Public: x25519.Public()},
		"*rsa.PrivateKey":           {Public: pairs()["RSA-2048"].private},
		"both a secret":             {Public: rsaKey, Algorithm: "RS256", Secret: token.NewSecret("x")},
		`"HS256" is not one`:        {Public: rsaKey, Algorithm: "HS256"},
		`"none" is not one`:         {Public: rsaKey, Algorithm: "none"},
		`"ES256" is not one`:        {Public: pairs()["P-384"].private.Public(), Algorithm: "ES256"},
		`"RS256" is not one`:        {Public: ecKey, Algorithm: "RS256"},
	} {
		if _, err := NewKeySet(k); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestWeakRSAKeysVerifyOnlyWhenAllowedAndWithAWarning(t *testing.T) {
	for name, weak := range map[string]pair{"1024 bits": pairs()["RSA-1024"], "ROCA": flawed(t)} {
		if _, err := New(Config{Keys: []Key{weak.key()}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		raw := weak.sign(t, "RS256", "", goodPayload)
		v := newVerifier(t, func(c *Config) { c.Keys, c.AllowWeakKeys = []Key{weak.key()}, true })
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if w := v.Warnings(t.Context()); len(w) != 1 || !strings.Contains(w[0], name) {
			t.Errorf("%s: warnings %q", name, w)
		}
		set, err := NewKeySet(weak.key(), pairs()["RSA-2048"].key())
		if err != nil {
			t.Fatal(err)
		}
		v = newVerifier(t, func(c *Config) { c.Keys, c.Source = nil, set })
		refuses(t, v, raw, token.ErrSignature)
		if _, err := v.Verify(t.Context(), pairs()["RSA-2048"].sign(t, "RS256", "", goodPayload)); err != nil {
			t.Errorf("the good key of the set: %v", err)
		}
	}
}

func flawed(t *testing.T) pair {
	t.Helper()
	product := big.NewInt(1)
	for p := int64(2); p <= 701; p++ {
		if big.NewInt(p).ProbablyPrime(10) {
			product.Mul(product, big.NewInt(p))
		}
	}
	prime := func() *big.Int {
		for {
			a, err := rand.Int(rand.Reader, big.NewInt(1<<40))
			if err != nil {
				t.Fatal(err)
			}
			k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(1024-product.BitLen())))
			if err != nil {
				t.Fatal(err)
			}
			p := new(big.Int).Exp(big.NewInt(65537), a, product)
			if p.Add(p, k.Mul(k, product)); p.BitLen() == 1024 && p.Bit(1022) == 1 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
	one := big.NewInt(1)
	for {
		p, q := prime(), prime()
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(65537), phi)
		if d == nil || p.Cmp(q) == 0 {
			continue
		}
		k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: d, Primes: []*big.Int{p, q}}
		k.Precompute()
		return pair{"ROCA", k}
	}
}

func TestWarningsTellOfWeakSecretsWithoutTellingThem(t *testing.T) {
	v := newVerifier(t, keys(Key{ID: "old", Algorithm: "HS256", Secret: token.NewSecret(seedSecret)}, strongKey()))
	w := v.Warnings(t.Context())
	if len(w) != 1 || w[0] != `key "old": the secret is weak: 29 bytes long, HS256 asks for 32 (RFC 7518 section 3.2)` {
		t.Errorf("warnings %q", w)
	}
}

package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// pair is a key that signs in the tests.
type pair struct {
	name    string
	private crypto.Signer
}

// pairs makes one key of every kind and size, once for all tests.
var pairs = sync.OnceValue(func() map[string]pair {
	m := map[string]pair{}
	add := func(name string, k crypto.Signer, err error) {
		if err != nil {
			panic(err)
		}
		m[name] = pair{name, k}
	}
	for _, bits := range []int{1024, 2048, 3072, 4096} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		add(fmt.Sprintf("RSA-%d", bits), k, err)
	}
	for _, c := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		add(c.Params().Name, k, err)
	}
	_, k, err := ed25519.GenerateKey(rand.Reader)
	add("Ed25519", k, err)
	return m
})

// sign makes a token with golang-jwt, whose alg and kid are as said.
func (p pair) sign(t testing.TB, algorithm, kid, payload string) string {
	t.Helper()
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": kid})
	if err != nil {
		t.Fatal(err)
	}
	if kid == "" {
		header = []byte(`{"alg":"` + algorithm + `"}`)
	}
	input := b64(string(header)) + "." + b64(payload)
	if algorithm == "Ed25519" {
		algorithm = "EdDSA"
	}
	sig, err := jwt.GetSigningMethod(algorithm).Sign(input, p.private)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(string(sig))
}

func (p pair) key() Key { return Key{Public: p.private.Public()} }

func keys(list ...Key) func(*Config) { return func(c *Config) { c.Keys = list } }

func TestEveryAlgorithmVerifiesWithItsKindOfKeyAndNoOther(t *testing.T) {
	kinds := map[string][]string{
		"RSA-2048": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"RSA-3072": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"RSA-4096": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"P-256":    {"ES256"}, "P-384": {"ES384"}, "P-521": {"ES512"},
		"Ed25519": {"EdDSA", "Ed25519"},
	}
	var all []Key
	for kind := range kinds {
		all = append(all, pairs()[kind].key())
	}
	together := newVerifier(t, keys(all...))
	for kind, algorithms := range kinds {
		p := pairs()[kind]
		for _, algorithm := range algorithms {
			raw := p.sign(t, algorithm, "", goodPayload)
			bound, alone := p.key(), newVerifier(t, keys(p.key()))
			bound.Algorithm = algorithm
			for name, v := range map[string]*Verifier{"all keys": together, "its key": alone, "its key, bound": newVerifier(t, keys(bound))} {
				if claims, err := v.Verify(t.Context(), raw); err != nil || claims.Subject() != "marco" {
					t.Errorf("%s by %s, %s: %v", algorithm, kind, name, err)
				}
				refuses(t, v, tampered(raw), token.ErrSignature)
			}
			for other := range kinds {
				if other != kind {
					refuses(t, newVerifier(t, keys(pairs()[other].key())), raw, token.ErrSignature)
				}
			}
			for _, other := range algorithms {
				if k := p.key(); other != algorithm {
					k.Algorithm = other
					refuses(t, newVerifier(t, keys(k)), raw, token.ErrSignature)
				}
			}
		}
	}
}

// tampered changes a bit in the middle of the signature.
func tampered(raw string) string {
	last := strings.LastIndexByte(raw, '.')
	sig, _ := base64.RawURLEncoding.DecodeString(raw[last+1:])
	sig[len(sig)/2] ^= 1
	return raw[:last+1] + base64.RawURLEncoding.EncodeToString(sig)
}

func refuses(t testing.TB, v *Verifier, raw string, kind error) {
	t.Helper()
	if claims, err := v.Verify(t.Context(), raw); claims != nil || !errors.Is(err, kind) {
		t.Errorf("%v, %v, want %v", claims, err, kind)
	}
}

func TestAPublicKeyIsNoSecret(t *testing.T) {
	p := pairs()["RSA-2048"]
	spki, err := x509.MarshalPKIXPublicKey(p.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(p.private.Public().(*rsa.PublicKey))
	jwk, err := json.Marshal(jose.JSONWebKey{Key: p.private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	framings := []string{string(spki), string(pkcs1), string(jwk), pemOf("PUBLIC KEY", spki), pemOf("RSA PUBLIC KEY", pkcs1)}
	for _, f := range framings {
		framings = append(framings, strings.TrimSpace(f), f+"\n", strings.ReplaceAll(f, "\n", "\r\n"), strings.ReplaceAll(f, "\n", ""))
	}
	v := newVerifier(t, keys(p.key()))
	input := b64(jwtHeader) + "." + b64(goodPayload)
	for _, secret := range framings {
		refuses(t, v, input+"."+b64(hs256(input, secret)), token.ErrSignature)
	}
	for _, secret := range []string{pemOf("PUBLIC KEY", spki), pemOf("CERTIFICATE", spki)} {
		if _, err := New(Config{Keys: []Key{{Algorithm: "HS256", Secret: token.NewSecret(secret)}}}); err == nil {
			t.Error("a public key is taken for a secret")
		}
	}
}

func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func TestAPSSSaltIsAsLongAsTheHash(t *testing.T) {
	p := pairs()["RSA-2048"]
	input := b64(`{"alg":"PS256"}`) + "." + b64(goodPayload)
	h := crypto.SHA256.New()
	h.Write([]byte(input))
	for salt, ok := range map[int]bool{32: true, 20: false, 31: false, 64: false, rsa.PSSSaltLengthAuto: false} {
		sig, err := rsa.SignPSS(rand.Reader, p.private.(*rsa.PrivateKey), crypto.SHA256, h.Sum(nil), &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		_, err = newVerifier(t, keys(p.key())).Verify(t.Context(), input+"."+b64(string(sig)))
		if (err == nil) != ok || !ok && !errors.Is(err, token.ErrSignature) {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
	}
}

func TestAnECDSASignatureHasOneLengthAndNumbersInRange(t *testing.T) {
	p := pairs()["P-256"].private.(*ecdsa.PrivateKey)
	good := pairs()["P-256"].sign(t, "ES256", "", goodPayload)
	input, encoded := good[:strings.LastIndexByte(good, '.')], good[strings.LastIndexByte(good, '.')+1:]
	sig, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	digest := crypto.SHA256.New()
	digest.Write([]byte(input))
	der, err := ecdsa.SignASN1(rand.Reader, p, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	n := p.Curve.Params().N
	half := func(x *big.Int) []byte { return x.FillBytes(make([]byte, 32)) }
	zero, r, s := make([]byte, 32), sig[:32], sig[32:]
	beyond := new(big.Int).Add(new(big.Int).SetBytes(s), n)
	v := newVerifier(t, keys(Key{Public: p.Public()}))
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"r and s zero": append(zero, zero...), "r zero": append(zero[:32:32], s...), "s zero": append(r[:32:32], zero...),
		"r is n": append(half(n), s...), "s is n": append(r[:32:32], half(n)...),
		"one byte less": sig[:63], "one byte more": append(sig[:64:64], 0), "padded to 66 each": append(append(make([]byte, 34), r...), append(make([]byte, 34), s...)...),
		"ASN.1": der, "nothing": nil, "s beyond n": append(r[:32:32], beyond.Bytes()...),
	} {
		t.Run(name, func(t *testing.T) { refuses(t, v, input+"."+b64(string(bad)), token.ErrSignature) })
	}
}

// TestASmallOrderKeyIsRefused also shows why: one signature fits every text.
func TestAKidStandsForOneKey(t *testing.T) {
	r, e := pairs()["RSA-2048"].key(), pairs()["P-256"].key()
	r.ID, e.ID = "k1", "k2"
	v := newVerifier(t, keys(r, e))
	for _, c := range []struct {
		key, algorithm, kid string
		ok                  bool
	}{
		{"RSA-2048", "RS256", "k1", true},
		{"RSA-2048", "RS256", "", true},
		{"RSA-2048", "RS256", "k2", false},
		{"RSA-2048", "RS256", "K1", false},
		{"RSA-2048", "RS256", "k3", false},
		{"P-256", "ES256", "k2", true},
		{"P-256", "ES256", "k1", false},
	} {
		_, err := v.Verify(t.Context(), pairs()[c.key].sign(t, c.algorithm, c.kid, goodPayload))
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, token.ErrSignature) {
			t.Errorf("%s with kid %q: %v", c.algorithm, c.kid, err)
		}
	}
	e.ID = "k1"
	secret := strongKey()
	secret.ID = "k1"
	for _, list := range [][]Key{{r, e}, {r, r}, {r, secret}} {
		if _, err := NewKeySet(list...); err == nil || !strings.Contains(err.Error(), `"k1" stands twice`) {
			t.Errorf("two keys under one kid: %v", err)
		}
	}
}

func TestATokenCannotMakeUsTryManyKeys(t *testing.T) {
	k := pairs()["P-256"].key()
	list := make([]Key, maxTried+1)
	for i := range list {
		list[i] = Key{ID: fmt.Sprint(i), Public: k.Public}
	}
	v := newVerifier(t, keys(list...))
	refuses(t, v, pairs()["P-256"].sign(t, "ES256", "", goodPayload), token.ErrSignature)
	if _, err := v.Verify(t.Context(), pairs()["P-256"].sign(t, "ES256", "3", goodPayload)); err != nil {
		t.Error(err)
	}
	if _, err := NewKeySet(make([]Key, maxKeys+1)...); err == nil {
		t.Error("a set may have any size")
	}
}

// flawed makes an RSA key as the generator of CVE-2017-15361 did: its primes
// are powers of 65537 modulo the product of the first primes.

func TestOnlyTheConfiguredAlgorithmsAreAccepted(t *testing.T) {
	p := pairs()["RSA-2048"]
	v := newVerifier(t, func(c *Config) { c.Keys, c.Algorithms = []Key{p.key()}, []string{"RS256", "PS512"} })
	for algorithm, ok := range map[string]bool{"RS256": true, "PS512": true, "RS512": false, "PS256": false} {
		_, err := v.Verify(t.Context(), p.sign(t, algorithm, "", goodPayload))
		if (err == nil) != ok || !ok && !errors.Is(err, token.ErrClaims) {
			t.Errorf("%s: %v, want accepted: %v", algorithm, err, ok)
		}
	}
}

package door_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf is the public half of a key as a JWK.
func jwkOf(key *ecdsa.PrivateKey) map[string]any {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err) // a key that was made here
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": encode64(point[1:33]), "y": encode64(point[33:])}
}

func jwksOf(key *ecdsa.PrivateKey, id string) string {
	jwk := jwkOf(key)
	jwk["kid"], jwk["alg"], jwk["use"] = id, "ES256", "sig"
	return jsonText(map[string]any{"keys": []any{jwk}})
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // what tests write
	}
	return string(b)
}

// sign makes an ES256 JWT; header lacks alg.
func sign(key *ecdsa.PrivateKey, header, claims map[string]any) string {
	full := map[string]any{"alg": "ES256"}
	for name, v := range header {
		full[name] = v
	}
	text := encode64([]byte(jsonText(full))) + "." + encode64([]byte(jsonText(claims)))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	b := make([]byte, 64)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return text + "." + encode64(b)
}

// assertion is by which signer proves itself; change may spoil it.
func (w *world) assertion(change ...func(header, claims map[string]any)) string {
	now := w.clock.Now().Unix()
	header := map[string]any{"kid": "k1", "typ": "JWT"}
	claims := map[string]any{"iss": signer, "sub": signer, "aud": w.url, "jti": rand.Text(), "iat": now, "exp": now + 60}
	for _, c := range change {
		c(header, claims)
	}
	return sign(w.key, header, claims)
}

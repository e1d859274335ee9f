package verifier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// fuzzHolder always has the same key, that a corpus may know it.
func fuzzHolder(t testing.TB) *holder {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 42))
	if err != nil {
		t.Fatal(err)
	}
	return &holder{key, jwt.SigningMethodES256}
}

// FuzzProofs signs whatever it is given, or takes it for a whole proof, and holds
// what was accepted against the conditions of RFC 9449 section 4.3, read with the
// standard library alone.
func FuzzProofs(f *testing.F) {
	h := fuzzHolder(f)
	for _, adjust := range []func(_, _ map[string]any){
		nil,
		func(_, c map[string]any) {
			c["htu"], c["iat"], c["nonce"] = "HTTPS://Server.Example.COM:443/./%74oken?x", 1699999999.25, "n"
		},
		func(h, _ map[string]any) { h["typ"], h["kid"] = "application/dpop+jwt", "k" },
		func(h, _ map[string]any) { h["alg"] = "none" },
	} {
		proof := h.proof(f, adjust)
		parts := strings.Split(proof, ".")
		var texts [2]string
		for i := range texts {
			b, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil {
				f.Fatal(err)
			}
			texts[i] = string(b)
		}
		f.Add(texts[0], texts[1], "")
		f.Add(texts[0], texts[1], proof)
	}
	f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC"}}`, "{}", "a.b.c")
	f.Fuzz(func(t *testing.T, header, payload, whole string) {
		if whole == "" {
			whole = h.sign(t, header, payload)
		}
		p := newProofs(t, nil)
		got, err := p.Verify(t.Context(), proofRequest(whole))
		if (got == "") == (err == nil) {
			t.Fatalf("%q, %v", got, err)
		}
		if err != nil {
			return
		}
		if got != h.jkt(t) {
			t.Fatalf("accepted for a key that signed nothing: %s", got)
		}
		if why := unacceptable(t, whole); why != "" {
			t.Errorf("accepted in spite of %s: %s", why, whole)
		}
		if _, err := p.Verify(t.Context(), proofRequest(whole)); err == nil {
			t.Error("accepted twice")
		}
	})
}

// unacceptable names a condition that a proof for proofRequest does not meet.
func unacceptable(t testing.TB, proof string) string {
	t.Helper()
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return "its shape"
	}
	var texts [2]string
	for i := range texts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			return "its coding"
		}
		texts[i] = string(b)
	}
	header, claims := members(texts[0]), members(texts[1])
	text := func(raw json.RawMessage) string { s, _ := str(raw); return s }
	jwk := members(string(header["jwk"]))
	sum := sha256.Sum256([]byte(proofToken))
	for _, rule := range []struct {
		name  string
		holds bool
	}{
		{"typ", strings.TrimPrefix(strings.ToLower(text(header["typ"])), "application/") == "dpop+jwt"},
		{"alg", text(header["alg"]) == "ES256"},
		{"jwk", text(jwk["kty"]) == "EC" && jwk["d"] == nil},
		{"crit", header["crit"] == nil},
		{"htm", text(claims["htm"]) == "POST"},
		{"htu", sameTarget(text(claims["htu"]))},
		{"jti", text(claims["jti"]) != "" && len(text(claims["jti"])) <= 256},
		{"iat", recent(string(claims["iat"]))},
		{"ath", text(claims["ath"]) == base64.RawURLEncoding.EncodeToString(sum[:])},
		{"a member twice", !lax(texts[0]) && !lax(texts[1])},
	} {
		if !rule.holds {
			return rule.name
		}
	}
	return ""
}

func sameTarget(htu string) bool {
	u, err := url.Parse(htu)
	if err != nil || !u.IsAbs() || u.User != nil {
		return false
	}
	u = u.ResolveReference(&url.URL{Path: u.Path}) // removes dot segments
	return u.Scheme == "https" && strings.EqualFold(u.Hostname(), "server.example.com") && (u.Port() == "" || u.Port() == "443") && u.Path == "/token"
}

func recent(number string) bool {
	if len(number) > 64 {
		return false
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return false
	}
	seconds, _ := r.Float64()
	age := float64(testNow.UnixMicro())/1e6 - seconds
	return age >= -5.000001 && age <= 60.000001
}

func TestTheConditionsOfAProofAreFoundMissing(t *testing.T) {
	h := fuzzHolder(t)
	for want, adjust := range map[string]func(header, claims map[string]any){
		"":     nil,
		"typ":  func(h, _ map[string]any) { h["typ"] = "jwt" },
		"alg":  func(h, _ map[string]any) { h["alg"] = "ES384" },
		"jwk":  func(h, _ map[string]any) { h["jwk"].(map[string]any)["d"] = "x" },
		"crit": func(h, _ map[string]any) { h["crit"] = []string{"x"} },
		"htm":  func(_, c map[string]any) { c["htm"] = "post" },
		"htu":  func(_, c map[string]any) { c["htu"] = proofURL + "/x" },
		"jti":  func(_, c map[string]any) { c["jti"] = "" },
		"iat":  func(_, c map[string]any) { c["iat"] = testNow.Add(-61 * time.Second).Unix() },
		"ath":  func(_, c map[string]any) { c["ath"] = "x" },
	} {
		if got := unacceptable(t, h.proof(t, adjust)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// BenchmarkProof judges fresh proofs, signed beforehand.
func BenchmarkProof(b *testing.B) {
	h := newHolder(b)
	p := newProofs(b, nil)
	proofs := make([]ProofRequest, 4096)
	for i := range proofs {
		proofs[i] = proofRequest(h.proof(b, nil))
	}
	n := 0
	for b.Loop() {
		if n == len(proofs) {
			n, p = 0, newProofs(b, nil)
		}
		if _, err := p.Verify(b.Context(), proofs[n]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// The examples of RFC 9449: the proofs of figures 2 and 12, the thumbprint of
// section 6.1 and the access token of section 7.1.
const (
	rfcTokenProof    = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcResourceProof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcThumbprint    = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfcToken         = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func newProofs(t testing.TB, adjust func(*ProofConfig)) *Proofs {
	t.Helper()
	c := ProofConfig{Now: clock}
	if adjust != nil {
		adjust(&c)
	}
	p, err := NewProofs(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheProofsOfRFC9449AreAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		at int64
		r  ProofRequest
	}{
		"section 4.1": {1562262616, ProofRequest{Proof: rfcTokenProof, Method: "POST", URL: "https://server.example.com/token"}},
		"section 7.1": {1562262618, ProofRequest{Proof: rfcResourceProof, Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: rfcToken}},
	} {
		p := newProofs(t, func(p *ProofConfig) { p.Now = func() time.Time { return time.Unix(c.at, 0) } })
		got, err := p.Verify(t.Context(), c.r)
		if err != nil || got != rfcThumbprint {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if _, err := p.Verify(t.Context(), c.r); !errors.Is(err, ErrReplayed) || !errors.Is(err, ErrProof) {
			t.Errorf("%s, once more: %v", name, err)
		}
	}
}

// holder has a key and makes proofs with it.
type holder struct {
	key    crypto.Signer
	method jwt.SigningMethod
}

func newHolder(t testing.TB) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{key, jwt.SigningMethodES256}
}

func (h *holder) jwk(t testing.TB) map[string]any {
	t.Helper()
	text, err := jose.JSONWebKey{Key: h.key.Public()}.MarshalJSON()
	var m map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &m)); err != nil {
		t.Fatal(err)
	}
	return m
}

// sign signs any texts with the key.
func (h *holder) sign(t testing.TB, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	signature, err := h.method.Sign(input, h.key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

const (
	proofURL   = "https://server.example.com/token"
	proofToken = "an-access-token"
)

// proof makes a good proof for a POST to proofURL with proofToken, after adjust
// has spoilt it.
func (h *holder) proof(t testing.TB, adjust func(header, claims map[string]any)) string {
	t.Helper()
	sum := sha256.Sum256([]byte(proofToken))
	header := map[string]any{"typ": "dpop+jwt", "alg": h.method.Alg(), "jwk": h.jwk(t)}
	claims := map[string]any{
		"jti": rand.Text(), "htm": "POST", "htu": proofURL, "iat": testNow.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	if adjust != nil {
		adjust(header, claims)
	}
	texts := [2]string{}
	for i, m := range []map[string]any{header, claims} {
		for name, value := range m {
			if value == nil {
				delete(m, name)
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return h.sign(t, texts[0], texts[1])
}

func proofRequest(proof string) ProofRequest {
	return ProofRequest{Proof: proof, Method: "POST", URL: proofURL, AccessToken: proofToken}
}

func TestEveryConditionOfAProofIsLookedAt(t *testing.T) {
	h, other := newHolder(t), newHolder(t)
	private, err := jose.JSONWebKey{Key: h.key}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	header := func(name string, value any) func(_, _ map[string]any) {
		return func(h, _ map[string]any) { h[name] = value }
	}
	claim := func(name string, value any) func(_, _ map[string]any) {
		return func(_, c map[string]any) { c[name] = value }
	}
	member := func(name string, value any) func(_, _ map[string]any) {
		return func(h, _ map[string]any) { h["jwk"].(map[string]any)[name] = value }
	}
	at := testNow.Unix()
	for name, c := range map[string]struct {
		adjust func(header, claims map[string]any)
		want   string // in the error; empty: accepted
	}{
		"good":                          {nil, ""},
		"a type in capitals":            {header("typ", "application/DPoP+JWT"), ""},
		"a fraction of a second":        {claim("iat", float64(at)+0.25), ""},
		"the oldest":                    {claim("iat", at-59), ""},
		"the newest":                    {claim("iat", at+5), ""},
		"a nonce that nobody looks at":  {claim("nonce", "x"), ""},
		"members of others":             {claim("exp", 1), ""},
		"a jwk of WebCrypto":            {member("key_ops", []string{"verify"}), ""},
		"no typ":                        {header("typ", nil), `proof header typ: "" is not dpop+jwt`},
		"another typ":                   {header("typ", "JWT"), `proof header typ: "JWT" is not dpop+jwt`},
		"alg none":                      {header("alg", "none"), `proof header alg: "none" is not`},
		"HMAC":                          {header("alg", "HS256"), `proof header alg: "HS256" is not`},
		"an algorithm of another curve": {header("alg", "ES384"), `proof header jwk: no key for alg "ES384"`},
		"an algorithm of another kind":  {header("alg", "RS256"), `proof header jwk: no key for alg "RS256"`},
		"crit":                          {header("crit", []string{"exp"}), "proof header crit"},
		"b64":                           {header("b64", false), "proof header b64"},
		"no jwk":                        {header("jwk", nil), "proof header jwk: missing"},
		"a jwk that is no object":       {header("jwk", "x"), "proof header jwk: not an object"},
		"a private jwk":                 {header("jwk", json.RawMessage(private)), "proof header jwk: it holds the private member d"},
		"a symmetric jwk":               {header("jwk", map[string]any{"kty": "oct", "k": "AAAA"}), "proof header jwk: it holds the private member k"},
		"a private member of RSA":       {member("qi", "AQAB"), "proof header jwk: it holds the private member qi"},
		"a jwk for encryption":          {member("use", "enc"), "proof header jwk: its use"},
		"a jwk of another algorithm":    {member("alg", "ES512"), "proof header jwk"},
		"a jwk of an unknown kind":      {member("kty", "X"), "proof header jwk"},
		"a point off the curve":         {member("x", strings.Repeat("A", 43)), "proof header jwk"},
		"another's key":                 {header("jwk", other.jwk(t)), "proof: signature verification failed"},
		"no jti":                        {claim("jti", nil), "proof jti: not a string"},
		"an empty jti":                  {claim("jti", ""), "proof jti: not a string"},
		"a number as jti":               {claim("jti", 1), "proof jti: not a string"},
		"a long jti":                    {claim("jti", strings.Repeat("x", 257)), "proof jti: not a string"},
		"no htm":                        {claim("htm", nil), `proof htm: "" is not "POST"`},
		"another htm":                   {claim("htm", "GET"), `proof htm: "GET" is not "POST"`},
		"htm in lower case":             {claim("htm", "post"), `proof htm: "post" is not "POST"`},
		"no htu":                        {claim("htu", nil), "proof htu: not a URL"},
		"another path":                  {claim("htu", proofURL+"/"), "proof htu: \"https://server.example.com/token/\" is not"},
		"another host":                  {claim("htu", "https://example.com/token"), "proof htu"},
		"another scheme":                {claim("htu", "http://server.example.com/token"), "proof htu"},
		"another port":                  {claim("htu", "https://server.example.com:444/token"), "proof htu"},
		"a relative htu":                {claim("htu", "/token"), "proof htu: not a URL of http"},
		"htu is a list":                 {claim("htu", []string{proofURL}), "proof htu"},
		"the same URL otherwise":        {claim("htu", "HTTPS://SERVER.example.com:443/a/../%74oken?q#f"), ""},
		"no iat":                        {claim("iat", nil), "proof iat: not a time"},
		"a text as iat":                 {claim("iat", fmt.Sprint(at)), "proof iat: not a time"},
		"too old":                       {claim("iat", at-60), "proof iat: made at 2023-11-14T22:12:20Z, 1m1s ago, at most 1m0s are accepted"},
		"too new":                       {claim("iat", at+6), "proof iat: made in the future"},
		"no ath":                        {claim("ath", nil), "proof ath"},
		"another ath":                   {claim("ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"), "proof ath"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProofs(t, nil)
			got, err := p.Verify(t.Context(), proofRequest(h.proof(t, c.adjust)))
			if c.want == "" {
				want, thumbErr := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
				if err != nil || thumbErr != nil || got != base64.RawURLEncoding.EncodeToString(want) {
					t.Errorf("%s, %v", got, err)
				}
				return
			}
			if got != "" || !errors.Is(err, ErrProof) || errors.Is(err, ErrProofNonce) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestAProofHasOneSpellingOnly(t *testing.T) {
	h, p := newHolder(t), newProofs(t, nil)
	good := h.proof(t, nil)
	twice := h.sign(t, `{"typ":"dpop+jwt","alg":"ES256","jwk":{},"jwk":{}}`, "{}")
	for name, raw := range map[string]string{
		"empty": "", "two segments": good[:strings.LastIndexByte(good, '.')], "padded": good + "=", "a line end": good + "\n",
		"two proofs": good + ", " + good, "a member twice": twice, "no signature": good[:strings.LastIndexByte(good, '.')+1],
		"a changed payload": tampered(good), "too long": good + strings.Repeat("A", token.MaxLength),
	} {
		if _, err := p.Verify(t.Context(), proofRequest(raw)); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Verify(t.Context(), proofRequest(good)); err != nil {
		t.Errorf("refused proofs used a good one up: %v", err)
	}
	if _, err := p.Verify(t.Context(), ProofRequest{Proof: h.proof(t, nil), Method: "POST", URL: "https:// x"}); !errors.Is(err, ErrProof) {
		t.Errorf("a request to nowhere: %v", err)
	}
}

func TestProofsOfEveryAlgorithmAreAcceptedWhereConfigured(t *testing.T) {
	generate := func(curve elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, edwardsKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	holders := []holder{
		{generate(elliptic.P256()), jwt.SigningMethodES256},
		{generate(elliptic.P384()), jwt.SigningMethodES384},
		{generate(elliptic.P521()), jwt.SigningMethodES512},
		{edwardsKey, jwt.SigningMethodEdDSA},
		{edwardsKey, edwards{jwt.SigningMethodEdDSA}},
	}
	for _, m := range rsaMethods() {
		holders = append(holders, holder{strong, m})
	}
	if len(holders) != len(proofAlgorithms()) {
		t.Errorf("%d holders for %d algorithms", len(holders), len(proofAlgorithms()))
	}
	for _, h := range holders {
		if _, err := newProofs(t, nil).Verify(t.Context(), proofRequest(h.proof(t, nil))); err != nil {
			t.Errorf("%s: %v", h.method.Alg(), err)
		}
		p := newProofs(t, func(c *ProofConfig) { c.Algorithms = []string{"ES256"} })
		if _, err := p.Verify(t.Context(), proofRequest(h.proof(t, nil))); (err == nil) != (h.method.Alg() == "ES256") {
			t.Errorf("%s where ES256 alone is accepted: %v", h.method.Alg(), err)
		}
	}
	h := holder{weak, jwt.SigningMethodRS256}
	if _, err := newProofs(t, nil).Verify(t.Context(), proofRequest(h.proof(t, nil))); !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("a weak key: %v", err)
	}
}

func TestANonceIsDemandedAndJudgedWhereConfigured(t *testing.T) {
	h := newHolder(t)
	with := func(nonce any, age int64) string {
		return h.proof(t, func(_, c map[string]any) { c["nonce"], c["iat"] = nonce, testNow.Unix()-age })
	}
	for name, c := range map[string]struct {
		proof    string
		required bool
		want     error
		nonce    bool // ErrProofNonce
	}{
		"good":                    {with("good", 0), true, nil, false},
		"missing":                 {with(nil, 0), true, ErrProof, true},
		"missing, not demanded":   {with(nil, 0), false, nil, false},
		"another":                 {with("old", 0), false, ErrProof, true},
		"a number":                {with(1, 0), false, ErrProof, false},
		"missing, and a slow one": {with(nil, 9999), true, ErrProof, true},
	} {
		p := newProofs(t, func(p *ProofConfig) {
			p.NonceRequired, p.Nonce = c.required, func(n string) bool { return n == "good" }
		})
		_, err := p.Verify(t.Context(), proofRequest(c.proof))
		if !errors.Is(err, c.want) || errors.Is(err, ErrProofNonce) != c.nonce {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewProofsRefusesWhatMakesNoSense(t *testing.T) {
	for want, c := range map[string]ProofConfig{
		`algorithm "HS256"`:           {Algorithms: []string{"ES256", "HS256"}},
		`algorithm "none"`:            {Algorithms: []string{"none"}},
		"no algorithm":                {Algorithms: []string{}},
		"maximum age -1s":             {MaxAge: -time.Second},
		"maximum age 5m1s":            {MaxAge: MaxLeeway + time.Second},
		"leeway -1s":                  {Leeway: -time.Second},
		"leeway 5m1s":                 {Leeway: MaxLeeway + time.Second},
		"a nonce is required of proo": {NonceRequired: true},
	} {
		if _, err := NewProofs(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

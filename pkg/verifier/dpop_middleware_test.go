package verifier

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// jkt is the thumbprint of the holder's key.
func (h *holder) jkt(t testing.TB) string {
	t.Helper()
	s, err := thumbprintOf(h.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forToken makes a good proof for a GET of a URL with that access token.
func (h *holder) forToken(t testing.TB, raw, url string) string {
	return h.proof(t, func(_, c map[string]any) {
		sum := sha256.Sum256([]byte(raw))
		c["htm"], c["htu"], c["ath"] = "GET", url, base64.RawURLEncoding.EncodeToString(sum[:])
	})
}

const bothAlgs = `DPoP algs="ES256 EdDSA"`

func TestABoundTokenIsLetThroughWithAProofOfItsKeyOnly(t *testing.T) {
	h, thief := newHolder(t), newHolder(t)
	bound := claimed(`{"exp":1700000060,"sub":"marco","scope":"read","cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	plain := claimed(`{"exp":1700000060,"sub":"marco","scope":"read"}`)
	other := claimed(`{"exp":1700000060,"sub":"marco","cnf":{"x5t#S256":"x"}}`)
	both := claimed(`{"exp":1700000060,"sub":"marco","cnf":{"jkt":"` + h.jkt(t) + `","x5t#S256":"x"}}`)
	odd := claimed(`{"exp":1700000060,"sub":"marco","cnf":"` + h.jkt(t) + `"}`)
	expired := claimed(`{"exp":1600000000,"cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	const url = "http://example.com/x"
	challenge := func(code, description string) []string {
		return []string{`DPoP realm="ats-auth", error="` + code + `", error_description="` + description + `", algs="ES256 EdDSA"`}
	}
	proofOf := func(raw string) []string { return []string{h.forToken(t, raw, url)} }
	for name, c := range map[string]struct {
		authorization string
		proofs        []string
		status        int
		challenge     []string
	}{
		"bound, with proof":       {"DPoP " + bound, proofOf(bound), 200, nil},
		"the scheme otherwise":    {"dpop  " + bound, proofOf(bound), 200, nil},
		"plain, as ever":          {"Bearer " + plain, nil, 200, nil},
		"plain, with a proof too": {"Bearer " + plain, proofOf(plain), 200, nil},
		"no token":                {"", nil, 401, []string{`Bearer realm="ats-auth"`, bothAlgs}},
		"bound, as Bearer": {
			"Bearer " + bound, proofOf(bound), 401,
			[]string{`Bearer realm="ats-auth", error="invalid_token", error_description="cnf: the token is bound to a key and was sent as a plain bearer token"`, bothAlgs},
		},
		"plain, as DPoP":          {"DPoP " + plain, proofOf(plain), 401, challenge("invalid_token", "cnf: missing: the token is bound to no key and was sent as one that is")},
		"bound otherwise":         {"DPoP " + other, proofOf(other), 401, challenge("invalid_token", "cnf: the token is bound by other means than jkt alone, which are not looked at here")},
		"bound otherwise too":     {"DPoP " + both, proofOf(both), 401, challenge("invalid_token", "cnf: the token is bound by other means than jkt alone, which are not looked at here")},
		"a cnf that is no object": {"DPoP " + odd, proofOf(odd), 401, challenge("invalid_token", "cnf: not an object")},
		"no proof":                {"DPoP " + bound, nil, 401, challenge("invalid_dpop_proof", "proof: 0 DPoP headers, one is needed")},
		"two proofs":              {"DPoP " + bound, append(proofOf(bound), proofOf(bound)...), 401, challenge("invalid_dpop_proof", "proof: 2 DPoP headers, one is needed")},
		"a thief's proof":         {"DPoP " + bound, []string{thief.forToken(t, bound, url)}, 401, challenge("invalid_token", "cnf: the token is bound to another key than that of the proof")},
		"a proof for another":     {"DPoP " + bound, proofOf(plain), 401, challenge("invalid_dpop_proof", "proof ath: not the hash of the token that came along")},
		"a proof for elsewhere":   {"DPoP " + bound, []string{h.forToken(t, bound, "https://example.com/x")}, 401, challenge("invalid_dpop_proof", "proof htu: 'https://example.com/x' is not 'http://example.com/x'")},
		"an expired token":        {"DPoP " + expired, proofOf(expired), 401, challenge("invalid_token", "exp: token expired at 2020-09-13T12:26:40Z, 27777h46m41s ago")},
		"nothing behind it":       {"DPoP", nil, 400, challenge("invalid_request", "no token behind DPoP")},
		"two tokens":              {"DPoP " + bound + "," + bound, nil, 400, challenge("invalid_request", "what stands behind DPoP is no token")},
		"a scope too few":         {"DPoP " + bound, proofOf(bound), 403, []string{`DPoP realm="ats-auth", error="insufficient_scope", error_description="the token lacks a scope", scope="write", algs="ES256 EdDSA"`}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, func(c *Config) {
				c.Proofs = newProofs(t, func(p *ProofConfig) { p.Algorithms = []string{"ES256", "EdDSA"} })
			})
			next := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }))
			if c.status == 403 {
				next = v.RequireScope(next, "write")
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, url+"?q=1", nil)
			r.Header["Dpop"] = c.proofs
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			v.Middleware(next).ServeHTTP(w, r)
			if w.Code != c.status || !slices.Equal(w.Header().Values("WWW-Authenticate"), c.challenge) || (w.Body.String() == "hello") != (c.status == 200) {
				t.Errorf("%d, %q, %s", w.Code, w.Header().Values("WWW-Authenticate"), w.Body)
			}
		})
	}
}

func TestAProofNamesTheServiceAsItIsReached(t *testing.T) {
	h := newHolder(t)
	raw := claimed(`{"exp":1700000060,"cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	for name, c := range map[string]struct {
		base, target, proof string
		tls, good           bool
	}{
		"by TLS":                    {"", "/x", "https://example.com/x", true, true},
		"without":                   {"", "/x", "https://example.com/x", false, false},
		"behind a proxy":            {"https://api.example.org/v1/", "/x", "https://api.example.org/v1/x", false, true},
		"its own name behind one":   {"https://api.example.org/v1", "/x", "http://example.com/x", false, false},
		"the root":                  {"https://api.example.org", "/", "https://api.example.org", false, true},
		"an escaped slash":          {"", "/a%2Fb", "http://example.com/a%2fb", false, true},
		"a slash for an escape":     {"", "/a%2Fb", "http://example.com/a/b", false, false},
		"an encoded number sign":    {"", "/a%23/b", "http://example.com/a%23/b", false, true},
		"a path cut at one":         {"", "/a#/b", "http://example.com/a", false, false},
		"behind a prefix handler":   {"", "/prefix/x", "http://example.com/prefix/x", false, true},
		"the rest behind a handler": {"", "/prefix/x", "http://example.com/x", false, false},
	} {
		v := newVerifier(t, func(config *Config) { config.Proofs, config.BaseURL = newProofs(t, nil), c.base })
		served := http.StripPrefix("/prefix", v.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		if !strings.HasPrefix(c.target, "/prefix") {
			served = v.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RequestURI = c.target
		r.URL.Path, r.URL.RawPath = c.target, ""
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		r.Header.Set("Authorization", "DPoP "+raw)
		r.Header.Set("DPoP", h.forToken(t, raw, c.proof))
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)
		if (w.Code == 200) != c.good {
			t.Errorf("%s: %d, %s", name, w.Code, w.Body)
		}
	}
	for _, bad := range []string{"x", "/v1", "ftp://a.example", "https://a.example/?q", "https://a.example/#f", "https://u@a.example"} {
		if _, err := New(Config{Keys: []Key{strongKey()}, BaseURL: bad}); err == nil || !strings.Contains(err.Error(), "base URL") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestANonceIsHandedOutAndAskedFor(t *testing.T) {
	h := newHolder(t)
	raw := claimed(`{"exp":1700000060,"cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	v := newVerifier(t, func(c *Config) {
		c.Proofs = newProofs(t, func(p *ProofConfig) {
			p.NonceRequired, p.Nonce, p.NextNonce = true, func(n string) bool { return n == "fresh" }, func() string { return "fresh" }
		})
	})
	send := func(nonce any) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://example.com/x", nil)
		r.Header.Set("Authorization", "DPoP "+raw)
		r.Header.Set("DPoP", h.proof(t, func(_, c map[string]any) {
			sum := sha256.Sum256([]byte(raw))
			c["htm"], c["htu"], c["ath"], c["nonce"] = "GET", "http://example.com/x", base64.RawURLEncoding.EncodeToString(sum[:]), nonce
		}))
		v.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w
	}
	for _, nonce := range []any{nil, "stale"} {
		w := send(nonce)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(got, `DPoP realm="ats-auth", error="use_dpop_nonce"`) {
			t.Errorf("%v: %d, %s", nonce, w.Code, got)
		}
		if got := w.Header().Get("DPoP-Nonce"); got != "fresh" {
			t.Errorf("%v: nonce %q", nonce, got)
		}
	}
	if w := send("fresh"); w.Code != 200 || w.Header().Get("DPoP-Nonce") != "fresh" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

func TestAProofThatNobodyCanRememberIsNotLetThrough(t *testing.T) {
	h := newHolder(t)
	raw := claimed(`{"exp":1700000060,"cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	v := newVerifier(t, func(c *Config) {
		c.Proofs = newProofs(t, func(p *ProofConfig) {
			p.Seen = func(context.Context, string, time.Time) error { return errors.New("disk of 10.0.0.1 full") }
		})
	})
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://example.com/x", nil)
	r.Header.Set("Authorization", "DPoP "+raw)
	r.Header.Set("DPoP", h.forToken(t, raw, "http://example.com/x"))
	v.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })).ServeHTTP(w, r)
	if w.Code != 503 || strings.Contains(w.Body.String(), "10.0.0.1") || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d, %v, %s", w.Code, w.Header(), w.Body)
	}
}

func TestWithoutProofsABoundTokenIsRefusedByEitherScheme(t *testing.T) {
	h := newHolder(t)
	raw := claimed(`{"exp":1700000060,"cnf":{"jkt":"` + h.jkt(t) + `"}}`)
	for scheme, want := range map[string]string{"Bearer ": "invalid_token", "DPoP ": ""} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://example.com/x", nil)
		r.Header.Set("Authorization", scheme+raw)
		r.Header.Set("DPoP", h.forToken(t, raw, "http://example.com/x"))
		newVerifier(t, nil).Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })).ServeHTTP(w, r)
		var body map[string]string
		if err := json.NewDecoder(w.Body).Decode(&body); err != nil || w.Code != 401 || body["error"] != want || len(w.Header().Values("WWW-Authenticate")) != 1 {
			t.Errorf("%s: %d, %v, %v, %v", scheme, w.Code, body, w.Header(), err)
		}
	}
}

func TestScopesAreReadInEverySpelling(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`:                                nil,
		`{"scope":"read  write"}`:           {"read", "write"},
		`{"scope":["read","write"]}`:        {"read", "write"},
		`{"scp":["a b"],"scope":"c"}`:       {"c", "a", "b"},
		`{"scope":1,"scp":["a",null]}`:      nil,
		`{"scope":"","scp":" ","scopes":1}`: nil,
	} {
		c, err := token.ParseClaims(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Scopes(c); !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
}

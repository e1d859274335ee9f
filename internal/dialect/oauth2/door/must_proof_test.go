package door_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
)

// proofChange changes a proof before it is signed.
type proofChange = func(header, claims map[string]any)

// proofText is a proof of possession for a request (RFC 9449 section 4.2).
func (w *world) proofText(key *ecdsa.PrivateKey, method, path string, changes ...proofChange) string {
	header := map[string]any{"typ": "dpop+jwt", "jwk": jwkOf(key)}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": w.url + path, "iat": w.clock.Now().Unix()}
	for _, change := range changes {
		change(header, claims)
	}
	return sign(key, header, claims)
}

func (w *world) proof(key *ecdsa.PrivateKey, method, path string, changes ...proofChange) option {
	return withHeader("DPoP", w.proofText(key, method, path, changes...))
}

// ath makes a proof for a token.
func ath(raw string) proofChange {
	return func(_, claims map[string]any) {
		sum := sha256.Sum256([]byte(raw))
		claims["ath"] = encode64(sum[:])
	}
}

func claim(name string, value any) proofChange {
	return func(_, claims map[string]any) { claims[name] = value }
}

func head(name string, value any) proofChange {
	return func(header, _ map[string]any) { header[name] = value }
}

func noClaim(name string) proofChange { return func(_, claims map[string]any) { delete(claims, name) } }

func noHead(name string) proofChange { return func(header, _ map[string]any) { delete(header, name) } }

// thumbprint is RFC 7638's.
func thumbprint(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	jwk := jwkOf(key)
	sum := sha256.Sum256([]byte(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, jwk["x"], jwk["y"])))
	return encode64(sum[:])
}

// boundLogin gets an application tokens for marco that are bound to a key.
func (w *world) boundLogin(app string, key *ecdsa.PrivateKey, pairs ...string) answer {
	w.Helper()
	return w.token(app, trade(app, w.code(app, pairs...)), w.proof(key, "POST", "/oauth2/token"))
}

// place is an endpoint that judges proofs.
type place struct {
	method, path string
	ask          func(w *world, options ...option) answer // with what it needs besides the proof
	status       int                                      // of a bad proof
	bound        bool                                     // it takes a token that is bound to the key
	raw          string                                   // that token
}

// places are the token endpoint, and our own that take a token.
func (w *world) places(key *ecdsa.PrivateKey) []place {
	w.Helper()
	list := []place{{method: "POST", path: "/oauth2/token", status: 400, ask: func(w *world, options ...option) answer {
		return w.post("/oauth2/token", machineForm(), append([]option{w.as(machine)}, options...)...)
	}}}
	// The last one ends all that the user has.
	for _, path := range []string{"/oauth2/userinfo", "/oauth2/logins", "/oauth2/global-token-revocation"} {
		method, ask := "GET", bearerEndpoints()[path]
		if strings.Contains(path, "revocation") {
			method = "POST"
		}
		raw := w.boundLogin(web, key).text("access_token")
		list = append(list, place{method: method, path: path, status: 401, bound: true, raw: raw, ask: func(w *world, options ...option) answer {
			return ask(w, append([]option{withHeader("Authorization", "DPoP "+raw)}, options...)...)
		}})
	}
	return list
}

// good is a proof that the place takes, but for the changes.
func (p place) good(w *world, key *ecdsa.PrivateKey, changes ...proofChange) string {
	if p.bound {
		changes = append([]proofChange{ath(p.raw)}, changes...)
	}
	return w.proofText(key, p.method, p.path, changes...)
}

func (p place) wantBad(w *world, what, code string, options ...option) {
	w.Helper()
	a := p.ask(w, options...)
	told := a.failure() == code
	if p.bound {
		challenge := a.header.Get("WWW-Authenticate")
		told = told && strings.HasPrefix(challenge, `DPoP algs="ES256 `) && strings.Contains(challenge, `error="`+code+`"`)
	}
	if a.status != p.status || !told {
		w.Errorf("%s, %s: %d %q %s, want %d %s", p.path, what, a.status, a.header.Get("WWW-Authenticate"), a.body, p.status, code)
	}
}

func (p place) wantGood(w *world, what string, options ...option) {
	w.Helper()
	if a := p.ask(w, options...); a.status/100 != 2 {
		w.Errorf("%s, %s: %d %s", p.path, what, a.status, a.body)
	}
}

// everywhere holds each place against what it must not take, then shows it that
// what it was shown was bad for that reason alone.
func everywhere(t *testing.T, bad map[string]func(w *world, p place, key *ecdsa.PrivateKey) string) {
	t.Helper()
	w, key := newWorld(t), newKey(t)
	for _, p := range w.places(key) {
		for what, proof := range bad {
			p.wantBad(w, what, "invalid_dpop_proof", withHeader("DPoP", proof(w, p, key)))
		}
		p.wantGood(w, "the proof as it should be", withHeader("DPoP", p.good(w, key)))
	}
}

// spoiled is a proof that lacks nothing but what a change takes.
func spoiled(changes ...proofChange) func(w *world, p place, key *ecdsa.PrivateKey) string {
	return func(w *world, p place, key *ecdsa.PrivateKey) string { return p.good(w, key, changes...) }
}

func TestMustRFC9449Proof(t *testing.T) {
	type bad = map[string]func(w *world, p place, key *ecdsa.PrivateKey) string
	private := func(w *world, p place, key *ecdsa.PrivateKey) string {
		jwk := jwkOf(key)
		d, err := key.Bytes()
		w.do(err)
		jwk["d"] = encode64(d)
		return p.good(w, key, head("jwk", jwk))
	}
	another := func(w *world, p place, key *ecdsa.PrivateKey) string {
		return p.good(w, key, head("jwk", jwkOf(newKey(w))))
	}
	text := func(raw string) func(*world, place, *ecdsa.PrivateKey) string {
		return func(*world, place, *ecdsa.PrivateKey) string { return raw }
	}
	edited := func(edit func(string) string) func(*world, place, *ecdsa.PrivateKey) string {
		return func(w *world, p place, key *ecdsa.PrivateKey) string { return edit(p.good(w, key)) }
	}
	unsigned := func(raw string) string { return raw[:strings.LastIndex(raw, ".")+1] }
	for name, list := range map[string]bad{
		"RFC 9449 section 4.3 item 2: it is one well-formed JWT": {
			"no JWT": text("x"), "nothing in it": text("a.b.c"), "a letter more": edited(func(s string) string { return s + "A" }),
			"two": edited(func(s string) string { return s + ", " + s }), "a segment less": edited(func(s string) string { return s[:strings.LastIndex(s, ".")] }),
			"padding": edited(func(s string) string { return s + "=" }),
		},
		"RFC 9449 section 4.3 item 3: it has all its claims": {
			"no jti": spoiled(noClaim("jti")), "no htm": spoiled(noClaim("htm")), "no htu": spoiled(noClaim("htu")), "no iat": spoiled(noClaim("iat")),
			"an empty jti": spoiled(claim("jti", "")), "a jti that is a number": spoiled(claim("jti", 1)), "a long jti": spoiled(claim("jti", strings.Repeat("j", 257))),
			"iat as text": spoiled(claim("iat", "now")),
		},
		"RFC 9449 section 4.3 item 4: its typ is dpop+jwt": {
			"no typ": spoiled(noHead("typ")), "JWT": spoiled(head("typ", "JWT")), "an access token's": spoiled(head("typ", "at+jwt")),
		},
		"RFC 9449 section 4.3 item 5: its alg is asymmetric and one of ours": {
			"none": spoiled(head("alg", "none")), "HS256": spoiled(head("alg", "HS256")), "ES256K": spoiled(head("alg", "ES256K")), "not the key's": spoiled(head("alg", "RS256")),
		},
		"RFC 9449 section 4.3 item 6: its signature verifies with its own key": {
			"another key": another, "no signature": edited(unsigned), "no key": spoiled(noHead("jwk")),
		},
		"RFC 9449 section 4.3 item 7: its key is public": {"private": private},
		"RFC 9449 section 4.3 item 8: htm is the method": {
			"another": spoiled(claim("htm", "DELETE")), "another case": spoiled(func(_, c map[string]any) { c["htm"] = strings.ToLower(c["htm"].(string)) }),
		},
		"RFC 9449 section 4.3 item 9: htu is the address": {
			"another endpoint": spoiled(claim("htu", issuerURL+"/oauth2/revoke")), "another host": spoiled(func(_, c map[string]any) {
				c["htu"] = strings.Replace(c["htu"].(string), "auth.", "evil.", 1)
			}),
			"another scheme": spoiled(func(_, c map[string]any) { c["htu"] = strings.Replace(c["htu"].(string), "https:", "http:", 1) }),
			"a slash more":   spoiled(func(_, c map[string]any) { c["htu"] = c["htu"].(string) + "/" }), "the path alone": spoiled(claim("htu", "/oauth2/token")),
		},
		"RFC 9449 section 4.3 item 11: it was made just now": {
			"long ago": spoiled(func(_, c map[string]any) { c["iat"] = c["iat"].(int64) - 61 }), "later": spoiled(func(_, c map[string]any) { c["iat"] = c["iat"].(int64) + 6 }),
			"in milliseconds": spoiled(func(_, c map[string]any) { c["iat"] = c["iat"].(int64) * 1000 }),
		},
		"RFC 7515 section 4.1.11: nothing critical that we do not know": {"crit": spoiled(head("crit", []string{"x"}), head("x", 1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, list)
		})
	}
}

func TestMustRFC9449Acceptance(t *testing.T) {
	must(t, []rule{
		{"RFC 9449 section 4.3 item 1: there is one proof", func(_ *testing.T, w *world) {
			key := newKey(w)
			for _, p := range w.places(key) {
				p.wantBad(w, "two", "invalid_dpop_proof", withHeader("DPoP", p.good(w, key)), withHeader("DPoP", p.good(w, key)))
			}
		}},
		{"RFC 9449 section 4.3 item 9: query, fragment, and the spelling of the host do not matter", func(_ *testing.T, w *world) {
			key := newKey(w)
			for _, p := range w.places(key)[:1] {
				for _, htu := range []string{p.path + "?a=b", p.path + "#x"} {
					p.wantGood(w, htu, withHeader("DPoP", p.good(w, key, claim("htu", w.url+htu))))
				}
				p.wantGood(w, "default port", withHeader("DPoP", p.good(w, key, claim("htu", "HTTPS://AUTH.example.com:443"+p.path))))
			}
		}},
		{"RFC 9449 section 4.3 item 9: htu is the address from outside, also behind a path", func(_ *testing.T, w *world) {
			w = newWorld(w, at("https://example.com/auth"))
			key := newKey(w)
			for _, p := range w.places(key) {
				p.wantBad(w, "without the path", "invalid_dpop_proof", withHeader("DPoP", p.good(w, key, claim("htu", "https://example.com"+p.path))))
				p.wantGood(w, "with it", withHeader("DPoP", p.good(w, key)))
			}
		}},
		{"RFC 9449 section 4.3 item 12: at a resource it is for the very token", func(_ *testing.T, w *world) {
			key := newKey(w)
			for _, p := range w.places(key)[1:] {
				for what, change := range map[string]proofChange{
					"no ath": noClaim("ath"), "another token's": ath(p.raw + "x"), "of nothing": ath(""), "not hashed": claim("ath", p.raw), "a list": claim("ath", []string{"x"}),
				} {
					p.wantBad(w, what, "invalid_dpop_proof", withHeader("DPoP", p.good(w, key, change)))
				}
				p.wantGood(w, "its own", withHeader("DPoP", p.good(w, key)))
			}
		}},
		{"RFC 9449 section 4.3 item 12: and by the key that the token is bound to", func(_ *testing.T, w *world) {
			key := newKey(w)
			for _, p := range w.places(key)[1:] {
				p.wantBad(w, "another key", "invalid_token", withHeader("DPoP", p.good(w, newKey(w))))
				p.wantBad(w, "no proof", "invalid_token")
			}
		}},
		{"RFC 9449 section 11.1: a proof is good once, whichever process it comes to", func(_ *testing.T, w *world) {
			key := newKey(w)
			twin, err := door.New(door.Config{URL: w.url, Core: w.issuer, Door: w.door, Report: w.report, Now: w.clock.Now})
			w.do(err)
			for _, p := range w.places(key)[:3] {
				if strings.Contains(p.path, "revocation") {
					continue // it ends its own token
				}
				proof := withHeader("DPoP", p.good(w, key))
				p.wantGood(w, "first", proof)
				p.wantBad(w, "again", "invalid_dpop_proof", proof)
				own := w.handler
				w.handler = twin
				p.wantBad(w, "at another handler", "invalid_dpop_proof", proof)
				w.handler = own
				w.clock.move(59 * time.Second)
				p.wantBad(w, "a minute later", "invalid_dpop_proof", proof)
			}
		}},
		{"RFC 9449 section 11.1: a bad proof uses nothing up, and another key's jti is another", func(_ *testing.T, w *world) {
			key := newKey(w)
			p := w.places(key)[0]
			p.wantBad(w, "bad", "invalid_dpop_proof", withHeader("DPoP", p.good(w, key, claim("jti", "one"), claim("htm", "GET"))))
			p.wantGood(w, "good", withHeader("DPoP", p.good(w, key, claim("jti", "one"))))
			p.wantGood(w, "another key", withHeader("DPoP", p.good(w, newKey(w), claim("jti", "one"))))
		}},
		{"RFC 9449 section 11.1: a proof that nobody can remember is not taken", func(t *testing.T, w *world) {
			key := newKey(w)
			p := w.places(key)[0]
			w.store.breakDown(true)
			if a := p.ask(w, withHeader("DPoP", p.good(w, key))); a.status != 503 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"RFC 9449 sections 8 and 9: a nonce that is not ours or too old asks for another, which is sent along", func(t *testing.T, w *world) {
			key := newKey(w)
			for i := range w.places(key) {
				w := newWorld(t)
				p := w.places(key)[i]
				first := p.ask(w, withHeader("DPoP", p.good(w, key, claim("nonce", "theirs")))).header.Get("DPoP-Nonce")
				if first == "" {
					t.Fatalf("%s: no nonce was sent along", p.path)
				}
				for _, wrong := range []string{"", ".", first + "x", first[1:], strings.ToLower(first), "AAAAAAAAAAA." + strings.Split(first, ".")[1]} {
					p.wantBad(w, "nonce "+wrong, "use_dpop_nonce", withHeader("DPoP", p.good(w, key, claim("nonce", wrong))))
				}
				p.wantBad(w, "a number", "invalid_dpop_proof", withHeader("DPoP", p.good(w, key, claim("nonce", 1))))
				w.clock.move(299 * time.Second)
				p.wantGood(w, "ours", withHeader("DPoP", p.good(w, key, claim("nonce", first))))
				if strings.Contains(p.path, "revocation") {
					return
				}
				w.clock.move(2 * time.Second)
				p.wantBad(w, "one that is too old", "use_dpop_nonce", withHeader("DPoP", p.good(w, key, claim("nonce", first))))
			}
		}},
		{"RFC 9449 section 8.2: the next nonce goes along with success", func(t *testing.T, w *world) {
			key := newKey(w)
			p := w.places(key)[0]
			nonce := p.ask(w, withHeader("DPoP", p.good(w, key))).header.Get("DPoP-Nonce")
			a := p.ask(w, withHeader("DPoP", p.good(w, key, claim("nonce", nonce))))
			if nonce == "" || a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("nonce %q: %d %s", nonce, a.status, a.body)
			}
		}},
		{"RFC 9449 section 5.1: what the metadata says of algorithms is what is taken", func(t *testing.T, w *world) {
			listed, _ := w.get("/.well-known/oauth-authorization-server").member("dpop_signing_alg_values_supported").([]any)
			if len(listed) < 5 {
				t.Fatalf("%v", listed)
			}
			for _, algorithm := range listed {
				if a := w.post("/oauth2/token", machineForm(), w.as(machine), w.otherProof(algorithm.(string))); a.status != 200 || a.text("token_type") != "DPoP" {
					t.Errorf("%s: %d %s", algorithm, a.status, a.body)
				}
			}
		}},
	})
}

// otherProof is one by a fresh key of some algorithm.
func (w *world) otherProof(algorithm string) option {
	w.Helper()
	if algorithm == "Ed25519" { // RFC 9864's name for what is EdDSA elsewhere
		return w.edwardsProof()
	}
	key, err := signing.Generate(algorithm)
	w.do(err)
	text, err := signing.JWK(key.Public(), "", algorithm)
	w.do(err)
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": w.url + "/oauth2/token", "iat": w.clock.Now().Unix()}
	proof, err := signing.Compact(key, algorithm, map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(text)}, []byte(jsonText(claims)))
	w.do(err)
	return withHeader("DPoP", proof)
}

func (w *world) edwardsProof() option {
	w.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	w.do(err)
	header := map[string]any{"typ": "dpop+jwt", "alg": "Ed25519", "jwk": map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode64(public)}}
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": w.url + "/oauth2/token", "iat": w.clock.Now().Unix()}
	text := encode64([]byte(jsonText(header))) + "." + encode64([]byte(jsonText(claims)))
	return withHeader("DPoP", text+"."+encode64(ed25519.Sign(private, []byte(text))))
}

func TestMustRFC9449Binding(t *testing.T) {
	must(t, []rule{
		{"RFC 9449 sections 5 and 6.1: a proof binds the token, which says so", func(t *testing.T, w *world) {
			key := newKey(t)
			set := w.boundLogin(web, key)
			if set.text("token_type") != "DPoP" || jktOf(w, set) != thumbprint(t, key) {
				t.Errorf("%s", set.body)
			}
			plain := w.logIn(web)
			if _, has := w.claims(plain.text("access_token"))["cnf"]; has || plain.text("token_type") != "Bearer" {
				t.Errorf("without a proof: %s", plain.body)
			}
		}},
		{"RFC 9449 section 6.2: introspection tells the key", func(t *testing.T, w *world) {
			key := newKey(t)
			a := w.post("/oauth2/introspect", fields("token", w.boundLogin(web, key).text("access_token")), w.as(web))
			cnf, _ := a.member("cnf").(map[string]any)
			if cnf["jkt"] != thumbprint(t, key) || a.text("token_type") != "DPoP" {
				t.Errorf("%s", a.body)
			}
		}},
		{"RFC 9449 section 5: refresh tokens of public applications are bound to the key", func(t *testing.T, w *world) {
			key := newKey(t)
			set := w.boundLogin(native, key)
			refresh := set.text("refresh_token")
			w.wantError(w.renew(native, refresh), 400, "invalid_grant")
			w.wantError(w.renew(native, refresh, w.proof(newKey(t), "POST", "/oauth2/token")), 400, "invalid_grant")
			w.wantLive(refresh, true, "after those who had not the key")
			next := w.renew(native, refresh, w.proof(key, "POST", "/oauth2/token"))
			if next.status != 200 || jktOf(w, next) != thumbprint(t, key) {
				t.Errorf("with the key: %d %s", next.status, next.body)
			}
			w.wantError(w.renew(native, next.text("refresh_token")), 400, "invalid_grant")
		}},
		{"RFC 9449 section 5: those of a device too", func(t *testing.T, w *world) {
			key, started := newKey(t), w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			set := w.token(tv, polling(started), w.proof(key, "POST", "/oauth2/token"))
			w.wantError(w.renew(tv, set.text("refresh_token")), 400, "invalid_grant")
			if next := w.renew(tv, set.text("refresh_token"), w.proof(key, "POST", "/oauth2/token")); next.status != 200 {
				t.Errorf("%d %s", next.status, next.body)
			}
		}},
		{"RFC 9449 section 5: those of confidential applications are bound to the application alone", func(t *testing.T, w *world) {
			set := w.boundLogin(web, newKey(t))
			key := newKey(t)
			next := w.renew(web, set.text("refresh_token"), w.proof(key, "POST", "/oauth2/token"))
			if next.status != 200 || jktOf(w, next) != thumbprint(t, key) {
				t.Errorf("%d %s", next.status, next.body)
			}
			if plain := w.renew(web, next.text("refresh_token")); plain.text("token_type") != "Bearer" {
				t.Errorf("%d %s", plain.status, plain.body)
			}
		}},
		{"RFC 9449 section 7.1: a bound token with its proof is honoured, by its own scheme", func(t *testing.T, w *world) {
			key := newKey(t)
			for _, p := range w.places(key)[1:] {
				p.wantGood(w, "bound", withHeader("DPoP", p.good(w, key)))
			}
			raw := w.logIn(web).text("access_token")
			a := w.get("/oauth2/userinfo", withHeader("Authorization", "DPoP "+raw), w.proof(key, "GET", "/oauth2/userinfo", ath(raw)))
			if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "DPoP ") {
				t.Errorf("a plain token by the scheme DPoP: %d %s", a.status, a.body)
			}
		}},
		{"RFC 9449 section 7.2: a bound token is refused as a plain bearer, with a proof or without", func(t *testing.T, w *world) {
			key := newKey(t)
			raw := w.boundLogin(web, key).text("access_token")
			for path, ask := range bearerEndpoints() {
				for what, options := range map[string][]option{
					"without a proof": {withBearer(raw)}, "with one": {withBearer(raw), w.proof(key, "GET", path, ath(raw))},
				} {
					a := ask(w, options...)
					if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "DPoP ") || a.failure() != "invalid_token" {
						t.Errorf("%s %s: %d %q %s", path, what, a.status, a.header.Get("WWW-Authenticate"), a.body)
					}
				}
			}
			w.wantLive(raw, true, "it")
		}},
		{"RFC 9449 section 7.1: without any token both schemes are offered", func(t *testing.T, w *world) {
			challenge := w.get("/oauth2/userinfo").header.Get("WWW-Authenticate")
			if !strings.Contains(challenge, "Bearer ") || !strings.Contains(challenge, `DPoP algs="ES256 `) {
				t.Errorf("%q", challenge)
			}
		}},
		{"RFC 9449 section 10: dpop_jkt binds the code", func(t *testing.T, w *world) {
			key := newKey(t)
			form := trade(web, w.code(web, "dpop_jkt", thumbprint(t, key)))
			w.refused(400, "invalid_grant", form, w.as(web))
			w.refused(400, "invalid_grant", form, w.as(web), w.proof(newKey(t), "POST", "/oauth2/token"))
			w.token(web, form, w.proof(key, "POST", "/oauth2/token"))
		}},
		{"RFC 9449 section 10: a dpop_jkt that is no thumbprint fits no key", func(t *testing.T, w *world) {
			for _, jkt := range []string{"x", thumbprint(t, newKey(t)) + "="} {
				a := w.person().visit(authorizeTarget(authorization(web, "dpop_jkt", jkt)))
				if code := a.query().Get("code"); code != "" {
					w.refused(400, "invalid_grant", trade(web, code), w.as(web), w.proof(newKey(t), "POST", "/oauth2/token"))
				}
			}
		}},
		{"RFC 9449 section 5: client credentials are bound too", func(t *testing.T, w *world) {
			key := newKey(t)
			if set := w.token(machine, machineForm(), w.proof(key, "POST", "/oauth2/token")); jktOf(w, set) != thumbprint(t, key) {
				t.Errorf("%s", set.body)
			}
		}},
		{"security.md: the ats door, which knows no proofs, acts for no bound token", func(t *testing.T, w *world) {
			raw := w.boundLogin(web, newKey(t), "scope", issuer.ScopeAccount).text("access_token")
			if err := w.ats.RevokeAll(t.Context(), raw, ""); err == nil {
				t.Error("it did")
			}
			w.wantLive(raw, true, "it")
		}},
	})
}

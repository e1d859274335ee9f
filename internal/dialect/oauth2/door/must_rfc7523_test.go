package door_test

import (
	"crypto/ecdsa"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
)

type spoil = func(header, claims map[string]any)

func asserted(assertion string) option {
	return func(m *message) {
		m.form.Set("client_assertion_type", oauth2.AssertionType)
		m.form.Set("client_assertion", assertion)
	}
}

func TestMustRFC7523Assertions(t *testing.T) {
	claim := func(name string, value any) spoil { return func(_, claims map[string]any) { claims[name] = value } }
	drop := func(name string) spoil { return func(_, claims map[string]any) { delete(claims, name) } }
	heads := func(name string, value any) spoil { return func(header, _ map[string]any) { header[name] = value } }
	good := func(w *world, change ...spoil) {
		w.Helper()
		w.token(signer, machineForm(), asserted(w.assertion(change...)))
	}
	bad := func(w *world, change ...spoil) {
		w.Helper()
		w.refused(401, "invalid_client", machineForm(), asserted(w.assertion(change...)))
	}
	must(t, []rule{
		{"RFC 7523 section 3 item 1 and 2: iss and sub are the application", func(_ *testing.T, w *world) {
			for _, name := range []string{"iss", "sub"} {
				for _, value := range []any{web, "nobody", "", 1, []string{signer}, nil} {
					bad(w, claim(name, value))
				}
				bad(w, drop(name))
			}
		}},
		{"RFC 7523 section 3 item 3: aud is this service", func(_ *testing.T, w *world) {
			for _, value := range []any{"https://other.example", w.url + "/", "auth.example.com", "", []string{}, 1, signer, w.url + "/oauth2/revoke"} {
				bad(w, claim("aud", value))
			}
			bad(w, drop("aud"))
			good(w, claim("aud", w.url+"/oauth2/token"))
			good(w, claim("aud", []string{w.url}))
		}},
		{"RFC 7523 section 3 item 4: exp is required, in the future, and not far", func(_ *testing.T, w *world) {
			now := w.clock.Now().Unix()
			for _, value := range []any{now - 60, now - 6, now + 86400, 0, -1, "soon", 1e300} {
				bad(w, claim("exp", value), claim("iat", now-1))
			}
			bad(w, drop("exp"))
			good(w, claim("exp", now+300))
			good(w, drop("iat"))
			bad(w, drop("iat"), claim("exp", now+86400))
		}},
		{"RFC 7523 section 3 item 5 and 6: nbf and iat in the future are refused", func(_ *testing.T, w *world) {
			now := w.clock.Now().Unix()
			bad(w, claim("nbf", now+60))
			bad(w, claim("iat", now+60), claim("exp", now+120))
			good(w, claim("nbf", now-60))
		}},
		{"RFC 7523 section 3 item 7: an assertion is good once, at whatever endpoint", func(_ *testing.T, w *world) {
			once := w.assertion()
			w.token(signer, machineForm(), asserted(once))
			w.refused(401, "invalid_client", machineForm(), asserted(once))
			w.wantError(w.post("/oauth2/revoke", fields("token", "x"), asserted(once)), 401, "invalid_client")
			w.wantError(w.post("/oauth2/introspect", fields("token", "x"), asserted(once)), 401, "invalid_client")
			bad(w, drop("jti"))
			w.clock.move(59 * time.Second)
			w.refused(401, "invalid_client", machineForm(), asserted(once))
			bad(w, claim("jti", 1))
			bad(w, claim("jti", ""))
		}},
		{"RFC 7523 section 3 item 9: the signature is of the application's own key", func(t *testing.T, w *world) {
			own := w.key
			for _, key := range []*ecdsa.PrivateKey{newKey(t)} {
				w.key = key
				bad(w)
				bad(w, heads("jwk", jwkOf(key)))
			}
			w.key = own
			a := w.assertion()
			for _, text := range []string{a[:strings.LastIndex(a, ".")+1], a + "A", a[:len(a)-1], "x", "..", a + "." + a, strings.Replace(a, ".", "..", 1)} {
				w.refused(401, "invalid_client", machineForm(), asserted(text))
			}
			good(w)
		}},
		{"RFC 8725 section 3.1: alg is the key's, never none", func(_ *testing.T, w *world) {
			for _, alg := range []any{"none", "None", "HS256", "ES384", "RS256", "", nil, 1} {
				bad(w, heads("alg", alg))
			}
			for name, value := range map[string]any{"kid": "other", "crit": []string{"x"}, "typ": "at+jwt"} {
				bad(w, heads(name, value))
			}
			bad(w, heads("typ", "dpop+jwt"))
			bad(w, heads("typ", "logout+jwt"))
		}},
		{"RFC 7521 section 4.2: the type is required and the one that is known, the assertion too", func(_ *testing.T, w *world) {
			for _, kind := range []string{"", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt"} {
				w.refused(400, "invalid_request", machineForm(), asserted(w.assertion()), withField("client_assertion_type", kind))
			}
			w.refused(401, "invalid_client", machineForm(), withField("client_assertion_type", oauth2.AssertionType))
		}},
		{"RFC 7521 section 4.2: client_id beside it names the same application", func(_ *testing.T, w *world) {
			w.refused(400, "invalid_request", machineForm(), asserted(w.assertion()), withField("client_id", web))
			w.token(signer, machineForm(), withField("client_id", signer))
		}},
		{"RFC 7523 section 2.2: an assertion is good for codes, revocation and introspection", func(t *testing.T, w *world) {
			set := w.logIn(signer)
			if a := w.post("/oauth2/introspect", fields("token", set.text("access_token")), w.as(signer)); a.member("active") != true {
				t.Error(a.body)
			}
			if a := w.post("/oauth2/revoke", fields("token", set.text("access_token")), w.as(signer)); a.status != 200 {
				t.Error(a.body)
			}
			w.wantLive(set.text("access_token"), false, "after revocation")
		}},
		{"RFC 7523: a token of the service is no assertion", func(_ *testing.T, w *world) {
			set := w.logIn(signer)
			for _, name := range []string{"access_token", "id_token", "refresh_token"} {
				w.refused(401, "invalid_client", machineForm(), asserted(set.text(name)))
			}
		}},
	})
}

package door_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// bearerEndpoints are ours that take an access token, with a way to ask them.
func bearerEndpoints() map[string]func(w *world, options ...option) answer {
	return map[string]func(w *world, options ...option) answer{
		"/oauth2/userinfo": func(w *world, options ...option) answer { return w.get("/oauth2/userinfo", options...) },
		"/oauth2/logins":   func(w *world, options ...option) answer { return w.get("/oauth2/logins", options...) },
		"/oauth2/global-token-revocation": func(w *world, options ...option) answer {
			body := withBody("application/json", `{"sub_id":{"format":"opaque","id":"marco"}}`)
			return w.post("/oauth2/global-token-revocation", nil, append([]option{body}, options...)...)
		},
	}
}

// eachBearer asks every endpoint, and wants a status and a challenge with an
// error; the empty error: none in the challenge.
func eachBearer(t *testing.T, w *world, status int, code string, options ...option) {
	t.Helper()
	for path, ask := range bearerEndpoints() {
		a := ask(w, options...)
		challenge := a.header.Get("WWW-Authenticate")
		told := strings.Contains(challenge, `error="`+code+`"`)
		if code == "" {
			told = !strings.Contains(challenge, "error")
		}
		if a.status != status || !strings.HasPrefix(challenge, "Bearer ") || !told {
			t.Errorf("%s: %d, challenge %q, %s; want %d %s", path, a.status, challenge, a.body, status, code)
		}
	}
}

func TestMustRFC6750(t *testing.T) {
	must(t, []rule{
		{"RFC 6750 section 2.1: a token is taken from the header, its scheme in any case", func(t *testing.T, w *world) {
			set := w.logIn(web)
			for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
				for path, ask := range bearerEndpoints() {
					if strings.Contains(path, "revocation") {
						continue // it ends the very token
					}
					if a := ask(w, withHeader("Authorization", scheme+" "+set.text("access_token"))); a.status != 200 {
						t.Errorf("%s by %s: %d %s", path, scheme, a.status, a.body)
					}
				}
			}
			if a := bearerEndpoints()["/oauth2/global-token-revocation"](w, withBearer(set.text("access_token"))); a.status != http.StatusNoContent {
				t.Errorf("%d %s", a.status, a.body)
			}
			w.wantLive(set.text("access_token"), false, "after the revocation of all")
		}},
		{"RFC 6750 section 2.3: a token in the URL or the body is none", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for _, a := range []answer{
				w.get("/oauth2/userinfo?access_token=" + raw), w.get("/oauth2/logins?access_token=" + raw),
				w.post("/oauth2/userinfo", fields("access_token", raw)),
			} {
				if a.status != 401 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		}},
		{"RFC 6750 section 3: without a token the answer is a 401 with a challenge that tells no error", func(t *testing.T, w *world) {
			eachBearer(t, w, 401, "")
			eachBearer(t, w, 401, "", withBasic(web, w.secrets[web]))
			eachBearer(t, w, 401, "", withHeader("Authorization", "Bearer"))
			eachBearer(t, w, 401, "", withHeader("Cookie", "__Host-ats_session=x"))
		}},
		{"RFC 6750 section 3.1: more than one way at once is invalid_request", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			eachBearer(t, w, 400, "invalid_request", withBearer(raw), withBearer(raw))
		}},
		{"RFC 6750 section 3.1: a token that is malformed, revoked, expired, or none of ours is invalid_token", func(t *testing.T, w *world) {
			set, revoked := w.logIn(web), w.logIn(web)
			w.post("/oauth2/revoke", fields("token", revoked.text("access_token")), w.as(web))
			raw := set.text("access_token")
			foreign := sign(newKey(t), map[string]any{"typ": "at+jwt"}, map[string]any{"iss": w.url, "sub": "marco", "aud": w.url, "exp": w.clock.Now().Unix() + 60})
			for _, bad := range []string{"x", raw + "x", raw[:len(raw)-4], raw + " " + raw, "a.b.c", foreign, set.text("refresh_token"), revoked.text("access_token"), "\xff"} {
				eachBearer(t, w, 401, "invalid_token", withBearer(bad))
			}
			w.clock.move(600*time.Second + time.Millisecond)
			eachBearer(t, w, 401, "invalid_token", withBearer(raw))
		}},
		{"RFC 9068 section 4 and OpenID Connect Core section 2: an id_token is no access token", func(t *testing.T, w *world) {
			eachBearer(t, w, 401, "invalid_token", withBearer(w.logIn(web, "scope", "openid account").text("id_token")))
		}},
		{"RFC 6750 section 3.1: a token without the scope is insufficient_scope, a 403 with a challenge", func(t *testing.T, w *world) {
			eachBearer(t, w, 403, "insufficient_scope", withBearer(w.logIn(native, "scope", "read").text("access_token")))
		}},
		{"RFC 9068 section 4 and RFC 9700 section 2.3: a token for another resource is no good here", func(t *testing.T, w *world) {
			set := w.token(web, trade(web, w.code(web, "scope", "openid account read")), withField("resource", resource))
			if got := w.claims(set.text("access_token"))["aud"]; got != resource {
				t.Fatalf("aud %v", got)
			}
			eachBearer(t, w, 401, "invalid_token", withBearer(set.text("access_token")))
		}},
		{"server.md: a login of the user's own, through another door, may do all here", func(t *testing.T, w *world) {
			set, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{})
			w.do(err)
			for _, path := range []string{"/oauth2/userinfo", "/oauth2/logins", "/oauth2/global-token-revocation"} { // the last ends it
				if a := bearerEndpoints()[path](w, withBearer(set.AccessToken.Reveal())); a.status >= 300 {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
		}},
		{"RFC 6750 section 5.3: answers about a person are not to be kept", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for path, ask := range bearerEndpoints() {
				if a := ask(w, withBearer(raw)); a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", path, a.header)
				}
			}
		}},
		{"security.md: a person ends the tokens of nobody else, an admin of anybody", func(t *testing.T, w *world) {
			marco := w.logIn(web)
			ada := w.browserTokens("ada", web)
			about := func(user string) option {
				return withBody("application/json", jsonText(map[string]any{"sub_id": map[string]any{"format": "iss_sub", "iss": w.url, "sub": user}}))
			}
			const path = "/oauth2/global-token-revocation"
			for _, user := range []string{"ada", "nobody", "Marco"} {
				if a := w.post(path, nil, withBearer(marco.text("access_token")), about(user)); a.status != 403 {
					t.Errorf("%s: %d %s", user, a.status, a.body)
				}
			}
			w.wantLive(ada.text("access_token"), true, "ada's")
			if a := w.post(path, nil, withBearer(ada.text("access_token")), about("marco")); a.status != 204 {
				t.Errorf("%d %s", a.status, a.body)
			}
			w.wantLive(marco.text("access_token"), false, "marco's access token")
			w.wantLive(marco.text("refresh_token"), false, "marco's refresh token")
			w.wantLive(ada.text("access_token"), true, "ada's")
		}},
		{"global-token-revocation section 3: what is no subject is a 400, and ends nothing", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for _, body := range []string{
				"", "x", "[]", `{"sub_id":"marco"}`, `{"sub_id":{}}`, `{"sub_id":{"format":"email","email":"marco"}}`, `{"sub_id":{"format":"opaque"}}`,
				`{"sub_id":{"format":"iss_sub","iss":"https://evil.example","sub":"marco"}}`, `{"sub_id":{"format":"iss_sub","sub":"marco"}}`, `{"sub_id":{"format":"opaque","id":""}}`,
				`{"sub_id":{"format":"opaque","id":"marco","id":"ada"}}`, `{"sub_id":{"format":"opaque","id":1}}`, `{"sub_id":null}`, `{"sub_id":{"format":"opaque","id":"marco"}}{}`,
			} {
				w.wantError(w.post("/oauth2/global-token-revocation", nil, withBearer(raw), withBody("application/json", body)), 400, "invalid_request")
			}
			w.wantError(w.post("/oauth2/global-token-revocation", nil, withBearer(raw), withBody("application/json", strings.Repeat(" ", 17<<10))), 413, "invalid_request")
			w.wantLive(raw, true, "after nonsense")
		}},
		{"global-token-revocation section 3: without a subject it is the bearer, admin or not", func(t *testing.T, w *world) {
			for _, user := range []string{"marco", "ada"} {
				set, other := w.browserTokens(user, web), w.browserTokens(map[string]string{"marco": "ada", "ada": "marco"}[user], web)
				if a := w.post("/oauth2/global-token-revocation", nil, withBearer(set.text("access_token")), withBody("application/json", "{}")); a.status != 204 {
					t.Errorf("%d %s", a.status, a.body)
				}
				w.wantLive(set.text("refresh_token"), false, user)
				w.wantLive(other.text("refresh_token"), true, "the other's")
			}
		}},
	})
}

// browserTokens is logIn for any user.
func (w *world) browserTokens(user, app string) answer {
	w.Helper()
	b := w.person().login(user)
	a := b.visit(authorizeTarget(authorization(app)))
	return w.token(app, trade(app, a.query().Get("code")))
}

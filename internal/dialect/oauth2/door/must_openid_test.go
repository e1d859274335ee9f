package door_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func headerOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	m := map[string]any{}
	if err != nil || json.Unmarshal(b, &m) != nil {
		t.Fatalf("no JWT: %q", raw)
	}
	return m
}

func TestMustOpenIDConnect(t *testing.T) {
	must(t, []rule{
		{"OpenID Connect Core section 2 and 3.1.3.6: the id_token has its claims", func(t *testing.T, w *world) {
			w.clock.move(time.Minute)
			b := w.person().login("marco")
			w.clock.move(time.Minute)
			a := b.visit(authorizeTarget(authorization(web, "scope", "openid", "nonce", "n-0S6_WzA2Mj é")))
			set := w.token(web, trade(web, a.query().Get("code")))
			sum := sha256.Sum256([]byte(set.text("access_token")))
			claims := w.claims(set.text("id_token"))
			for name, want := range map[string]any{
				"iss": w.url, "sub": "marco", "aud": web, "nonce": "n-0S6_WzA2Mj é", "at_hash": encode64(sum[:16]),
				"iat": 1_800_000_120.0, "auth_time": 1_800_000_060.0, "exp": 1_800_000_720.0,
			} {
				if claims[name] != want {
					t.Errorf("%s is %v, want %v", name, claims[name], want)
				}
			}
			if h := headerOf(t, set.text("id_token")); h["alg"] != "ES256" || h["typ"] != "JWT" || h["kid"] == nil {
				t.Error(h)
			}
			if h := headerOf(t, set.text("access_token")); h["typ"] != "at+jwt" { // RFC 9068 section 2.1
				t.Error(h)
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: a request may be posted, and decides nothing by that", func(t *testing.T, w *world) {
			for _, b := range []*person{w.person(), w.person().login("marco")} {
				f := authorization(web)
				f.Set("decision", "allow")
				f.Set("csrf", "x")
				a := b.post("/oauth2/authorize", f)
				if a.status != http.StatusSeeOther || !strings.HasPrefix(w.own(a), "/oauth2/authorize?") {
					t.Fatalf("%d %s", a.status, a.location())
				}
				if a = b.visit(b.own(a)); a.query().Get("code") == "" || a.query().Get("state") != "st-1" {
					t.Errorf("%d %s", a.status, a.location())
				}
				if a := b.get(b.own(b.post("/oauth2/authorize", f))); a.status != 200 || !strings.Contains(a.body, `name="decision"`) {
					t.Errorf("it was decided: %d %s", a.status, a.location())
				}
			}
			wantPage(t, w.person().post("/oauth2/authorize", fields("a", strings.Repeat("x", 17<<10))), 413)
			wantPage(t, w.person().post("/oauth2/authorize", nil, withBody(formType, "a=1&a=2")), 400)
			wantPage(t, w.person().visit(w.own(w.post("/oauth2/authorize", url.Values{}))), 400)
		}},
		{"OpenID Connect Core section 3.1.2.1: without the scope openid there is no id_token, without a nonce none in it", func(t *testing.T, w *world) {
			if a := w.logIn(web, "scope", "read"); a.member("id_token") != nil {
				t.Error(a.body)
			}
			if claims := w.claims(w.logIn(web, "scope", "openid").text("id_token")); claims["nonce"] != nil {
				t.Error(claims)
			}
		}},
		{"OpenID Connect Core section 12.2: a refresh gives an id_token of the same person, application and login", func(t *testing.T, w *world) {
			set := w.logIn(web, "scope", "openid", "nonce", "n1")
			w.clock.move(time.Hour)
			first, next := w.claims(set.text("id_token")), w.claims(w.renew(web, set.text("refresh_token")).text("id_token"))
			for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
				if next[name] != first[name] {
					t.Errorf("%s is %v, was %v", name, next[name], first[name])
				}
			}
			if next["iat"] == first["iat"] || next["nonce"] != nil {
				t.Error(next)
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: prompt none asks nobody anything", func(t *testing.T, w *world) {
			b := w.person()
			wantBack(t, b.get(authorizeTarget(authorization(house, "prompt", "none"))), "https://house.example.com/cb", "login_required")
			b.login("marco")
			wantBack(t, b.get(authorizeTarget(authorization(web, "prompt", "none"))), webCallback, "consent_required")
			if a := b.get(authorizeTarget(authorization(house, "prompt", "none"))); a.query().Get("code") == "" {
				t.Errorf("%d %s", a.status, a.location())
			}
			w.clock.move(time.Minute)
			wantBack(t, b.get(authorizeTarget(authorization(house, "prompt", "none", "max_age", "30"))), "https://house.example.com/cb", "login_required")
		}},
		{"OpenID Connect Core section 3.1.2.1: prompt none goes with no other, and words must be known", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			for _, prompt := range []string{"none login", "consent none", "colour", "login colour", "NONE"} {
				wantBack(t, b.get(authorizeTarget(authorization(house, "prompt", prompt))), "https://house.example.com/cb", "invalid_request")
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: prompt login and select_account ask for the password again, once", func(t *testing.T, w *world) {
			for _, prompt := range []string{"login", "select_account", "login consent"} {
				b := w.person().login("marco")
				w.clock.move(time.Minute)
				a := b.get(authorizeTarget(authorization(house, "prompt", prompt)))
				if !strings.HasPrefix(w.own(a), "/login?next=") {
					t.Fatalf("%s: %d %s", prompt, a.status, a.location())
				}
				a = b.visit(b.own(a))
				set := w.token(house, trade(house, a.query().Get("code")))
				if got := w.claims(set.text("id_token"))["auth_time"]; got != float64(w.clock.Now().Unix()) {
					t.Errorf("%s: auth_time %v", prompt, got)
				}
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: prompt consent asks also for an application of the house", func(t *testing.T, w *world) {
			a := w.person().login("marco").get(authorizeTarget(authorization(house, "prompt", "consent")))
			if a.status != 200 || !strings.Contains(a.body, `name="decision"`) {
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: max_age asks for the password again when the login is older", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			w.clock.move(60 * time.Second)
			if a := b.get(authorizeTarget(authorization(house, "max_age", "60"))); a.query().Get("code") == "" {
				t.Errorf("at 60: %d %s", a.status, a.location())
			}
			for _, age := range []string{"59", "0"} {
				a := b.get(authorizeTarget(authorization(house, "max_age", age)))
				if !strings.HasPrefix(w.own(a), "/login?next=") {
					t.Fatalf("%s: %d %s", age, a.status, a.location())
				}
			}
			a := b.visit(authorizeTarget(authorization(house, "max_age", "0")))
			if got := w.claims(w.token(house, trade(house, a.query().Get("code"))).text("id_token"))["auth_time"]; got != float64(w.clock.Now().Unix()) {
				t.Errorf("auth_time %v", got)
			}
			for _, age := range []string{"-1", "x", "1.5", "99999999999999"} {
				wantBack(t, b.get(authorizeTarget(authorization(house, "max_age", age))), "https://house.example.com/cb", "invalid_request")
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: a form that was open stays good no longer than the login it asked for", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			page := b.get(authorizeTarget(authorization(web, "max_age", "60")))
			w.clock.move(2 * time.Minute)
			if a := b.submit(page, "/oauth2/authorize", "decision", "allow"); !strings.HasPrefix(w.own(a), "/login?next=") {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"OpenID Connect Core section 3.1.2.1: login_hint stands in the form", func(t *testing.T, w *world) {
			b := w.person()
			a := b.get(b.own(b.get(authorizeTarget(authorization(web, "login_hint", "ma\"rco@example.com")))))
			if got := w.form(a, "/login").fields.Get("username"); got != "ma\"rco@example.com" {
				t.Errorf("username %q in %s", got, a.body)
			}
		}},
		{"OpenID Connect Core section 6: request objects are refused by their own errors", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			wantBack(t, b.get(authorizeTarget(authorization(web, "request", "a.b.c"))), webCallback, "request_not_supported")
			wantBack(t, b.get(authorizeTarget(authorization(web, "request_uri", "https://evil.example/r"))), webCallback, "request_uri_not_supported")
			m := metadataOf(t, w.get(openIDPath))
			for _, name := range []string{"request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"} {
				if m[name] != false {
					t.Errorf("%s is %v", name, m[name])
				}
			}
		}},
		{"OpenID Connect Core section 5.3: userinfo tells sub by GET and POST, the name where profile was granted", func(t *testing.T, w *world) {
			for scope, name := range map[string]any{"openid": nil, "openid profile": "marco"} {
				raw := w.logIn(web, "scope", scope).text("access_token")
				for _, a := range []answer{w.get("/oauth2/userinfo", withBearer(raw)), w.post("/oauth2/userinfo", nil, withBearer(raw)), w.post("/oauth2/userinfo", url.Values{}, withBearer(raw))} {
					if a.status != http.StatusOK || a.text("sub") != "marco" || a.member("preferred_username") != name {
						t.Errorf("%s: %d %s", scope, a.status, a.body)
					}
				}
			}
		}},
		{"OpenID Connect Core section 5.3.2: sub is that of the id_token", func(t *testing.T, w *world) {
			set := w.logIn(native, "scope", "openid")
			if a := w.get("/oauth2/userinfo", withBearer(set.text("access_token"))); a.text("sub") != w.claims(set.text("id_token"))["sub"] {
				t.Error(a.body)
			}
		}},
		{"OpenID Connect Core section 3.1.2.2: the application and its redirect URI come first: nothing is asked before they are good", func(t *testing.T, w *world) {
			wantPage(t, w.person().get(authorizeTarget(authorization("nobody", "prompt", "none"))), 400)
		}},
		{"RFC 9068 section 2.2: an access token has its claims", func(t *testing.T, w *world) {
			claims := w.claims(w.logIn(web, "scope", "read", "resource", resource).text("access_token"))
			for name, want := range map[string]any{
				"iss": w.url, "sub": "marco", "aud": resource, "client_id": web, "scope": "read", "iat": 1_800_000_000.0, "exp": 1_800_000_600.0, "auth_time": 1_800_000_000.0,
			} {
				if claims[name] != want {
					t.Errorf("%s is %v, want %v", name, claims[name], want)
				}
			}
			if claims["jti"] == nil {
				t.Error("no jti")
			}
		}},
	})
}

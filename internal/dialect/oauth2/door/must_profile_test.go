package door_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// everyGrant is one access token of each grant, all about marco but the first.
func (w *world) everyGrant() map[string]answer {
	w.Helper()
	code := w.logIn(web, "scope", "openid read")
	return map[string]answer{
		"client_credentials": w.token(machine, machineForm()),
		"authorization_code": code,
		"refresh_token":      w.renew(web, w.logIn(web, "scope", "openid read").text("refresh_token")),
		"device_code":        w.deviceLogin(tv, "scope", "read"),
		"token-exchange":     w.token(gateway, exchange(code.text("access_token"))),
		"password":           w.token(house, fields("grant_type", "password", "username", "marco", "password", pass, "scope", "read")),
	}
}

// judge verifies a token as a resource server does: by the published keys.
func (w *world) judge(raw, audience string) error {
	w.Helper()
	keys, err := verifier.ParseKeys([]byte(w.get("/.well-known/jwks.json").body))
	w.do(err)
	v, err := verifier.New(verifier.Config{
		Keys: keys, Issuer: w.url, Audience: audience, Types: []string{"at+jwt"}, Now: w.clock.Now,
		Required: []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"},
	})
	w.do(err)
	_, err = v.Verify(w.Context(), raw)
	return err
}

// header is that of a JWT.
func (w *world) header(raw string) map[string]any {
	w.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	w.do(err)
	m := map[string]any{}
	w.do(json.Unmarshal(b, &m))
	return m
}

// resigned is a token with another header and payload, signed by the service's
// own key.
func (w *world) resigned(raw string, header map[string]any, edit func(string) string) string {
	w.Helper()
	keys, err := w.door.Keys(w.Context())
	w.do(err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	w.do(err)
	full := map[string]any{"typ": "at+jwt", "kid": keys[0].ID}
	for name, v := range header {
		full[name] = v
	}
	signed, err := signing.Compact(keys[0].Private, "ES256", full, []byte(edit(string(payload))))
	w.do(err)
	return signed
}

func asItIs(s string) string { return s }

func TestMustRFC9068Token(t *testing.T) {
	must(t, []rule{
		{"RFC 9068 section 2.1: tokens of every grant are signed, typed at+jwt, and verify by the published keys", func(t *testing.T, w *world) {
			for grant, set := range w.everyGrant() {
				raw := set.text("access_token")
				h, claims := w.header(raw), w.claims(raw)
				if h["typ"] != "at+jwt" || h["alg"] != "ES256" || h["kid"] == "" {
					t.Errorf("%s: header %v", grant, h)
				}
				aud, _ := claims["aud"].(string)
				if list, ok := claims["aud"].([]any); ok {
					aud = list[0].(string)
				}
				if err := w.judge(raw, aud); err != nil {
					t.Errorf("%s: %v", grant, err)
				}
				if err := w.judge(raw, "https://other.example.com"); !errors.Is(err, token.ErrClaims) {
					t.Errorf("%s, at another resource: %v", grant, err)
				}
			}
		}},
		{"RFC 9068 section 2.1: RS256 is one of the algorithms", func(t *testing.T, w *world) {
			w.do(w.door.RotateKey(t.Context(), issuer.Rotation{Algorithm: "RS256", Now: true}))
			raw := w.token(basic, machineForm()).text("access_token")
			if alg := w.header(raw)["alg"]; alg != "RS256" {
				t.Errorf("alg %v", alg)
			}
			if err := w.judge(raw, w.url); err != nil {
				t.Error(err)
			}
			w.wantLive(raw, true, "it")
		}},
		{"RFC 9068 section 2.2: every token has its seven claims, and an id that no other has", func(t *testing.T, w *world) {
			seen := map[any]bool{}
			for grant, set := range w.everyGrant() {
				claims := w.claims(set.text("access_token"))
				for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
					if claims[name] == nil || claims[name] == "" {
						t.Errorf("%s: %s is missing in %v", grant, name, claims)
					}
				}
				if seen[claims["jti"]] || claims["iss"] != w.url || claims["exp"].(float64) > claims["iat"].(float64)+600 {
					t.Errorf("%s: %v", grant, claims)
				}
				seen[claims["jti"]] = true
			}
		}},
		{"RFC 9068 section 2.2: sub is the user, or the application where no user is concerned", func(t *testing.T, w *world) {
			for grant, set := range w.everyGrant() {
				want := "marco"
				if grant == "client_credentials" {
					want = machine
				}
				if sub := w.claims(set.text("access_token"))["sub"]; sub != want {
					t.Errorf("%s: sub %v, want %s", grant, sub, want)
				}
			}
		}},
		{"RFC 9068 section 2.2.1: auth_time is when the person logged in, the same for all that comes of it", func(t *testing.T, w *world) {
			loggedIn := float64(w.clock.Now().Unix())
			b := w.person().login("marco")
			w.clock.move(100 * time.Second)
			code := b.visit(authorizeTarget(authorization(web, "scope", "openid read"))).query().Get("code")
			set := w.token(web, trade(web, code))
			w.clock.move(100 * time.Second)
			next := w.renew(web, set.text("refresh_token"))
			w.clock.move(100 * time.Second)
			exchanged := w.token(gateway, exchange(next.text("access_token")))
			for what, raw := range map[string]string{
				"the first token": set.text("access_token"), "its id_token": set.text("id_token"), "a refreshed one": next.text("access_token"),
				"its id_token, refreshed": next.text("id_token"), "an exchanged one": exchanged.text("access_token"),
			} {
				if got := w.claims(raw)["auth_time"]; got != loggedIn {
					t.Errorf("%s: auth_time %v, want %v", what, got, loggedIn)
				}
			}
			if _, has := w.claims(w.token(machine, machineForm()).text("access_token"))["auth_time"]; has {
				t.Error("an application's own token has an auth_time")
			}
		}},
		{"RFC 9068 section 2.2.3: scope is in the token where there is one", func(t *testing.T, w *world) {
			if got := w.claims(w.logIn(web, "scope", "write read").text("access_token"))["scope"]; got != "read write" {
				t.Errorf("scope %v", got)
			}
			if _, has := w.claims(w.token(basic, machineForm()).text("access_token"))["scope"]; has {
				t.Error("a token without scope has the claim")
			}
		}},
		{"RFC 9068 section 3: aud is the resources that were asked for, else a default of ours", func(t *testing.T, w *world) {
			if got := w.claims(w.logIn(web, "scope", "read", "resource", files).text("access_token"))["aud"]; got != files {
				t.Errorf("aud %v", got)
			}
			if got := w.claims(w.logIn(native, "scope", "read").text("access_token"))["aud"]; got != w.url {
				t.Errorf("aud by default %v", got)
			}
		}},
		{"RFC 9068 section 5 and RFC 9700 section 4.15: no application has a user's name, and no user an application's", func(t *testing.T, w *world) {
			u := store.User{Tenant: store.DefaultTenant, Name: machine}
			if err := w.issuer.AddUser(t.Context(), u, token.NewPassword(pass)); !errors.Is(err, store.ErrExists) {
				t.Errorf("a user of an application's name: %v", err)
			}
			a := store.Application{Tenant: store.DefaultTenant, ID: "marco", Name: "Marco", Grants: []string{token.GrantClientCredentials}}
			if _, _, err := w.issuer.AddApplication(t.Context(), a); !errors.Is(err, store.ErrExists) {
				t.Errorf("an application of a user's name: %v", err)
			}
		}},
	})
}

func TestMustRFC9068Resource(t *testing.T) {
	must(t, []rule{
		{"RFC 9068 section 4: our own endpoints want typ at+jwt, by whatever key of ours", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for typ, want := range map[string]int{"at+jwt": 200, "application/at+jwt": 200, "AT+JWT": 200, "JWT": 401, "": 401, "id+jwt": 401, "dpop+jwt": 401, "logout+jwt": 401} {
				if a := w.get("/oauth2/userinfo", withBearer(w.resigned(raw, map[string]any{"typ": typ}, asItIs))); a.status != want {
					w.Errorf("typ %q: %d %s, want %d", typ, a.status, a.body, want)
				}
			}
		}},
		{"RFC 9068 section 4: and a signature, never none", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			parts := strings.Split(raw, ".")
			for _, alg := range []string{"none", "None", "NONE", "nOnE", "HS256"} {
				h := encode64([]byte(`{"alg":"` + alg + `","typ":"at+jwt"}`))
				for _, signature := range []string{"", parts[2], "AAAA"} {
					if a := w.get("/oauth2/userinfo", withBearer(h+"."+parts[1]+"."+signature)); a.status != 401 {
						w.Errorf("alg %s, signature %q: %d %s", alg, signature, a.status, a.body)
					}
				}
			}
		}},
		{"RFC 9068 section 4: iss is ours, and nothing in a token can be changed, even by who has the key", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for what, edit := range map[string]func(string) string{
				"another issuer": func(s string) string {
					return strings.Replace(s, `"iss":"`+w.url, `"iss":"https://evil.example.com`, 1)
				},
				"another subject": func(s string) string { return strings.Replace(s, `"sub":"marco"`, `"sub":"ada"`, 1) },
				"another scope":   func(s string) string { return strings.Replace(s, `"scope":"`, `"scope":"admin `, 1) },
				"no issuer":       func(s string) string { return strings.Replace(s, `"iss":"`+w.url+`",`, ``, 1) },
			} {
				forged := w.resigned(raw, nil, edit)
				if w.claims(forged)["jti"] != w.claims(raw)["jti"] || forged == raw {
					w.Fatalf("%s: the test changed nothing", what)
				}
				if a := w.get("/oauth2/userinfo", withBearer(forged)); a.status != 401 {
					w.Errorf("%s: %d %s", what, a.status, a.body)
				}
			}
		}},
		{"RFC 9068 section 4: exp is honoured to the second", func(_ *testing.T, w *world) {
			set := w.logIn(web)
			w.clock.move(599 * time.Second)
			if a := w.get("/oauth2/userinfo", withBearer(set.text("access_token"))); a.status != 200 {
				w.Errorf("before: %d %s", a.status, a.body)
			}
			w.clock.move(time.Second + time.Millisecond)
			if a := w.get("/oauth2/userinfo", withBearer(set.text("access_token"))); a.status != 401 {
				w.Errorf("afterwards: %d %s", a.status, a.body)
			}
		}},
		{"RFC 9068 section 4: a token of another service, of the same name, is none", func(_ *testing.T, w *world) {
			if a := w.get("/oauth2/userinfo", withBearer(newWorld(w).logIn(web).text("access_token"))); a.status != 401 {
				w.Errorf("%d %s", a.status, a.body)
			}
		}},
	})
}

const revocationPath = "/oauth2/global-token-revocation"

// revokeAll asks that all of a user's be revoked.
func (w *world) revokeAll(raw, user string, options ...option) answer {
	w.Helper()
	body := withBody("application/json", jsonText(map[string]any{"sub_id": map[string]any{"format": "iss_sub", "iss": w.url, "sub": user}}))
	return w.post(revocationPath, nil, append([]option{withBearer(raw), body}, options...)...)
}

func TestMustGlobalTokenRevocation(t *testing.T) {
	must(t, []rule{
		{"global-token-revocation section 3: the metadata names the endpoint, which takes POST alone", func(t *testing.T, w *world) {
			if got := w.get("/.well-known/oauth-authorization-server").text("global_token_revocation_endpoint"); got != w.url+revocationPath {
				t.Errorf("%q", got)
			}
			w.wantError(w.get(revocationPath), 405, "invalid_request")
		}},
		{"global-token-revocation section 3.1: nothing that the user had is of use any more: tokens of all applications and doors, codes, device codes, browsers", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			code := b.visit(authorizeTarget(authorization(web))).query().Get("code")
			started := w.startDevice(tv)
			b.decideDevice(started.text("user_code"), "allow")
			ats, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{Refresh: true})
			w.do(err)
			all := w.everyGrant()
			others := w.browserTokens("ada", web)
			w.clock.move(time.Second)
			if a := w.revokeAll(w.logIn(web).text("access_token"), "marco"); a.status != 204 || a.body != "" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %q %v", a.status, a.body, a.header)
			}
			for grant, set := range all {
				w.wantLive(set.text("access_token"), grant == "client_credentials", grant)
				if refresh := set.text("refresh_token"); refresh != "" {
					w.wantLive(refresh, false, grant+": the refresh token")
				}
			}
			w.wantLive(ats.AccessToken.Reveal(), false, "the ats door's token")
			if _, err := w.ats.Refresh(t.Context(), ats.RefreshToken, token.Request{}); !errors.Is(err, token.ErrRevoked) {
				t.Errorf("the ats door's refresh token: %v", err)
			}
			w.wantError(w.renew(web, all["authorization_code"].text("refresh_token")), 400, "invalid_grant")
			w.refused(400, "invalid_grant", trade(web, code), w.as(web))
			w.refused(400, "invalid_grant", polling(started), w.as(tv))
			if a := b.get("/account"); !strings.HasPrefix(b.own(a), "/login") {
				t.Errorf("the browser is still let in: %d %s", a.status, a.location())
			}
			w.wantLive(others.text("access_token"), true, "another user's")
			w.wantLive(w.logIn(web).text("access_token"), true, "a login afterwards")
		}},
		{"global-token-revocation section 3: the subject by issuer and name, or by name alone (RFC 9493 sections 3.2.3 and 3.2.6)", func(t *testing.T, w *world) {
			for _, id := range []map[string]any{
				{"format": "iss_sub", "iss": w.url, "sub": "marco"}, {"format": "opaque", "id": "marco"}, {"format": "opaque", "id": "marco", "more": 1},
			} {
				raw := w.logIn(web).text("access_token")
				if a := w.post(revocationPath, nil, withBearer(raw), withBody("application/json", jsonText(map[string]any{"sub_id": id}))); a.status != 204 {
					t.Errorf("%v: %d %s", id, a.status, a.body)
				}
				w.wantLive(raw, false, fmt.Sprint(id))
			}
		}},
		{"global-token-revocation section 3: who may not is told 403, and ends nothing", func(t *testing.T, w *world) {
			ada := w.browserTokens("ada", web).text("access_token")
			for what, raw := range map[string]string{
				"another user": w.logIn(web).text("access_token"), "without the scope": w.browserTokensFor("ada", "read"),
				"an application for itself": w.token(machine, machineForm(), withField("resource", w.url)).text("access_token"),
			} {
				for _, user := range []string{"ada", "nobody"} {
					if a := w.revokeAll(raw, user); a.status != 403 {
						t.Errorf("%s, of %s: %d %s", what, user, a.status, a.body)
					}
				}
			}
			w.wantLive(ada, true, "ada's")
		}},
		{"global-token-revocation section 3: who is not known is told 401 before anything is read", func(_ *testing.T, w *world) {
			if a := w.post(revocationPath, nil, withBody("application/json", "nonsense")); a.status != 401 {
				w.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"server.md: while it cannot be made durable it is not said to be done", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			w.store.breakDown(true)
			if a := w.revokeAll(raw, "marco"); a.status != 503 || a.header.Get("Retry-After") == "" {
				w.Errorf("%d %s", a.status, a.body)
			}
			w.store.breakDown(false)
		}},
	})
}

// browserTokensFor is an access token of a user's with a scope.
func (w *world) browserTokensFor(user, scope string) string {
	w.Helper()
	code := w.person().login(user).visit(authorizeTarget(authorization(web, "scope", scope, "resource", w.url))).query().Get("code")
	return w.token(web, trade(web, code)).text("access_token")
}

type listed struct {
	Logins []struct {
		ID, Name, Dialect, Scope string
		ClientID                 string `json:"client_id"`
		Created                  int64  `json:"created_at"`
		Expires                  int64  `json:"expires_at"`
		Current                  bool
	}
	More bool
}

func (w *world) list(raw string) listed {
	w.Helper()
	a := w.get("/oauth2/logins", withBearer(raw))
	if a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
		w.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	var l listed
	w.do(json.Unmarshal([]byte(a.body), &l))
	return l
}

func (l listed) doors() []string {
	var doors []string
	for _, one := range l.Logins {
		doors = append(doors, one.Dialect)
	}
	slices.Sort(doors)
	return doors
}

func TestMustLogins(t *testing.T) {
	must(t, []rule{
		{"server.md: a person sees all own logins, through whatever door, and nobody else's", func(t *testing.T, w *world) {
			w.browserTokens("ada", web)
			raw := w.logIn(web).text("access_token") // and a browser's login
			_, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{Refresh: true})
			w.do(err)
			l := w.list(raw)
			if got := l.doors(); fmt.Sprint(got) != "[ats browser oauth2]" || l.More {
				t.Errorf("%v, more %t", got, l.More)
			}
			now := w.clock.Now().Unix()
			for _, one := range l.Logins {
				if one.ID == "" || one.Name == "" || one.Created < now-1 || one.Created > now || one.Current != (one.Dialect == "oauth2") {
					t.Errorf("%+v", one)
				}
				if one.Dialect == "oauth2" && (one.ClientID != web || one.Name != "The Web App" || one.Expires != now+30*86400) {
					t.Errorf("%+v", one)
				}
			}
		}},
		{"security.md: nothing in the list is a secret", func(t *testing.T, w *world) {
			set := w.logIn(web)
			body := w.get("/oauth2/logins", withBearer(set.text("access_token"))).body
			session := w.claims(set.text("access_token"))["jti"].(string)[:20]
			for _, secret := range []string{"ats_rt_", "ats_bs_", "ats_ac_", "eyJ", session} {
				if strings.Contains(body, secret) {
					t.Errorf("%q stands in %s", secret, body)
				}
			}
		}},
		{"server.md: a login that has ended is not in it", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for n := range 3 {
				other := w.logIn(native)
				before := len(w.list(raw).Logins)
				w.post("/oauth2/revoke", fields("token", other.text("refresh_token")), w.as(native))
				if now := len(w.list(raw).Logins); now != before-1 {
					t.Errorf("round %d: %d logins, there were %d", n, now, before)
				}
			}
		}},
		{"server.md: an application sees them only with the scope account", func(t *testing.T, w *world) {
			for scope, want := range map[string]int{"account": 200, "openid account": 200, "openid": 403, "read": 403} {
				if a := w.get("/oauth2/logins", withBearer(w.logIn(web, "scope", scope, "resource", w.url).text("access_token"))); a.status != want {
					t.Errorf("%s: %d %s", scope, a.status, a.body)
				}
			}
			if a := w.get("/oauth2/logins", withBearer(w.token(machine, machineForm()).text("access_token"))); a.status == 200 {
				t.Errorf("an application for itself: %s", a.body)
			}
		}},
		{"server.md: a login of the person's own, of no application, needs none", func(t *testing.T, w *world) {
			set, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{Refresh: true})
			w.do(err)
			if l := w.list(set.AccessToken.Reveal()); len(l.Logins) != 1 || !l.Logins[0].Current {
				t.Errorf("%+v", l)
			}
		}},
		{"server.md: a list that is cut short says so", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for range issuer.MaxLogins {
				_, err := w.door.Issue(t.Context(), w.door.Tick(), issuer.Order{Subject: "marco", Client: web, Refresh: true})
				w.do(err)
			}
			if l := w.list(raw); len(l.Logins) != issuer.MaxLogins || !l.More {
				t.Errorf("%d logins, more %t", len(l.Logins), l.More)
			}
		}},
	})
}

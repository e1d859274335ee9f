package door_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const inactiveBody = `{"active":false}`

func TestMustRFC7662Introspection(t *testing.T) {
	ask := func(w *world, app, raw string, options ...option) answer {
		return w.post("/oauth2/introspect", fields("token", raw), append([]option{w.as(app)}, options...)...)
	}
	must(t, []rule{
		{"RFC 7662 section 2: POST alone", func(t *testing.T, w *world) {
			for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
				if a := w.send(method, "/oauth2/introspect", nil, w.as(watcher)); a.status != http.StatusMethodNotAllowed {
					t.Errorf("%s: %d", method, a.status)
				}
			}
			w.wantError(w.post("/oauth2/introspect?token=x", fields("token", "x"), w.as(watcher)), 400, "invalid_request")
		}},
		{"RFC 7662 section 2.1: the caller must prove itself: a public application cannot", func(_ *testing.T, w *world) {
			raw := w.logIn(native).text("access_token")
			for _, proof := range []option{withField("client_id", native), withField("client_id", watcher), withField("x", "y"), withBearer(raw), withBasic(watcher, "x"), withBasic("nobody", "x")} {
				w.wantError(w.post("/oauth2/introspect", fields("token", raw), proof), 401, "invalid_client")
			}
		}},
		{"RFC 7662 section 2.1: the token is required, hints are not trusted", func(t *testing.T, w *world) {
			w.wantError(ask(w, watcher, ""), 400, "invalid_request")
			set := w.logIn(web)
			for _, hint := range []string{"access_token", "refresh_token", "id_token", "colour"} {
				for _, name := range []string{"access_token", "refresh_token"} {
					if a := ask(w, watcher, set.text(name), withField("token_type_hint", hint)); a.member("active") != true {
						t.Errorf("%s as %s: %s", name, hint, a.body)
					}
				}
			}
		}},
		{"RFC 7662 section 2.2: an access token is told with its claims", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "openid read").text("access_token")
			a := ask(w, web, raw)
			for name, want := range map[string]any{
				"active": true, "client_id": web, "sub": "marco", "username": "marco", "scope": "openid read", "token_type": "Bearer", "iss": w.url,
				"exp": 1_800_000_600.0, "iat": 1_800_000_000.0,
			} {
				if a.member(name) != want {
					t.Errorf("%s is %v, want %v", name, a.member(name), want)
				}
			}
			if fmt.Sprint(a.member("aud")) != fmt.Sprint(w.claims(raw)["aud"]) || a.text("jti") == "" {
				t.Error(a.body)
			}
			wantUnkept(t, a)
		}},
		{"RFC 7662 section 2.2: a refresh token is told with what it is good for", func(t *testing.T, w *world) {
			a := ask(w, web, w.logIn(web, "scope", "read").text("refresh_token"))
			if a.member("active") != true || a.text("client_id") != web || a.text("sub") != "marco" || a.text("scope") != "read" || a.member("exp") != 1_802_592_000.0 {
				t.Error(a.body)
			}
		}},
		{"RFC 7662 section 2.2: whatever is not to be honoured reads the same, to the byte, header and all", sameInactive},
		{"RFC 7662 section 4: the answer is for the application of the token, for its audience, and for watchers alone", func(t *testing.T, w *world) {
			w.addApplication(store.Application{ID: "api", Name: "API", Grants: []string{token.GrantClientCredentials}})
			w.addApplication(store.Application{ID: "asker", Name: "Asker", Grants: []string{token.GrantClientCredentials}, Audiences: []string{"api"}})
			raw := w.token("asker", machineForm()).text("access_token")
			for app, want := range map[string]bool{"asker": true, "api": true, watcher: true, machine: false, web: false, gateway: false} {
				if a := ask(w, app, raw); (a.member("active") == true) != want || !want && a.body != inactiveBody {
					t.Errorf("%s is told %s", app, a.body)
				}
			}
			refresh := w.logIn(web).text("refresh_token")
			for app, want := range map[string]bool{web: true, watcher: true, machine: false, house: false} {
				if a := ask(w, app, refresh); (a.member("active") == true) != want || !want && a.body != inactiveBody {
					t.Errorf("%s is told of the refresh token %s", app, a.body)
				}
			}
		}},
		{"RFC 7662 section 4: asking changes nothing: a refresh token can be used after, and an old one does not end its login", func(t *testing.T, w *world) {
			first := w.logIn(web)
			w.wantLive(first.text("refresh_token"), true, "unused")
			second := w.renew(web, first.text("refresh_token"))
			w.clock.move(time.Minute)
			w.wantLive(first.text("refresh_token"), false, "used")
			if a := w.renew(web, second.text("refresh_token")); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
		{"server.md: a token of another door of the tenant is known here", func(t *testing.T, w *world) {
			set, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{})
			w.do(err)
			a := ask(w, watcher, set.AccessToken.Reveal())
			if a.member("active") != true || a.text("username") != "marco" || a.text("iss") != "ats.auth" {
				t.Error(a.body)
			}
			if a := ask(w, web, set.AccessToken.Reveal()); a.body != inactiveBody {
				t.Errorf("web is told %s", a.body)
			}
		}},
	})
}

func sameInactive(t *testing.T, w *world) {
	set, expired := w.logIn(web), w.logIn(web).text("access_token")
	w.clock.move(601 * time.Second)
	ended, old, others := w.logIn(web), w.logIn(web), w.logIn(house)
	w.post("/oauth2/revoke", fields("token", ended.text("access_token")), w.as(web))
	w.renew(web, old.text("refresh_token"))
	live := ended.text("access_token")
	texts := map[string]string{}
	for what, raw := range map[string]string{
		"no token": "x", "no JWT": "a.b.c", "expired": expired, "revoked": live, "revoked refresh": ended.text("refresh_token"),
		"used refresh": old.text("refresh_token"), "another's": others.text("access_token"), "another's refresh": others.text("refresh_token"),
		"id_token": set.text("id_token"), "spoilt": live[:len(live)-4] + "AAAA", "spoilt refresh": set.text("refresh_token") + "A",
		"foreign": sign(newKey(t), map[string]any{"typ": "at+jwt"}, map[string]any{"iss": w.url, "sub": "marco", "exp": w.clock.Now().Unix() + 60}),
		"odd":     "\u2028\u202e", "code": w.code(web), "long": strings.Repeat("x", 8000),
	} {
		a := w.post("/oauth2/introspect", fields("token", raw), w.as(web))
		if a.status != 200 || a.body != inactiveBody {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		texts[fmt.Sprint(a.status, a.header, a.body)] = what
	}
	if len(texts) != 1 {
		t.Error(texts)
	}
}

package door_test

import (
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC7009Revocation(t *testing.T) {
	revoke := func(w *world, app, raw string, options ...option) answer {
		return w.post("/oauth2/revoke", fields("token", raw), append([]option{w.as(app)}, options...)...)
	}
	wantDone := func(t *testing.T, a answer) {
		t.Helper()
		if a.status != 200 || a.body != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v %q", a.status, a.header, a.body)
		}
	}
	must(t, []rule{
		{"RFC 7009 section 2: a refresh token is void at once, and all access tokens of its login", func(t *testing.T, w *world) {
			first := w.logIn(web)
			second := w.renew(web, first.text("refresh_token"))
			wantDone(t, revoke(w, web, second.text("refresh_token")))
			w.wantError(w.renew(web, second.text("refresh_token")), 400, "invalid_grant")
			w.wantLive(first.text("access_token"), false, "the first access token")
			w.wantLive(second.text("access_token"), false, "the second access token")
		}},
		{"RFC 7009 section 2.1: an access token is void at once, and here the refresh token with it", func(t *testing.T, w *world) {
			set := w.logIn(web)
			wantDone(t, revoke(w, web, set.text("access_token")))
			w.wantLive(set.text("access_token"), false, "access")
			w.wantError(w.renew(web, set.text("refresh_token")), 400, "invalid_grant")
		}},
		{"RFC 7009 section 2.1: a refresh token that was renewed ends its login all the same", func(t *testing.T, w *world) {
			first := w.logIn(web)
			second := w.renew(web, first.text("refresh_token"))
			wantDone(t, revoke(w, web, first.text("refresh_token")))
			w.wantLive(second.text("refresh_token"), false, "the successor")
		}},
		{"RFC 7009 section 2.1: a wrong or unknown hint does no harm", func(t *testing.T, w *world) {
			for _, hint := range []string{"access_token", "refresh_token", "colour"} {
				set := w.logIn(web)
				wantDone(t, revoke(w, web, set.text("refresh_token"), withField("token_type_hint", hint)))
				w.wantLive(set.text("refresh_token"), false, hint)
				set = w.logIn(web)
				wantDone(t, revoke(w, web, set.text("access_token"), withField("token_type_hint", hint)))
				w.wantLive(set.text("access_token"), false, hint)
			}
		}},
		{"RFC 7009 section 2.2: an unknown, expired or revoked token is a success", func(t *testing.T, w *world) {
			set := w.logIn(web)
			for _, raw := range []string{"x", "a.b.c", "ats_rt_x", set.text("access_token"), set.text("access_token"), set.text("refresh_token"), set.text("id_token"), "é\u2028"} {
				wantDone(t, revoke(w, web, raw))
			}
			set = w.logIn(web)
			w.clock.move(time.Hour)
			wantDone(t, revoke(w, web, set.text("access_token")))
		}},
		{"RFC 7009 section 2.1: another application's token lives on, and nobody is told that there is one", func(t *testing.T, w *world) {
			set := w.logIn(web)
			unknown := revoke(w, machine, "ats_rt_x")
			for _, app := range []string{machine, native, house, watcher, signer} {
				for _, name := range []string{"access_token", "refresh_token"} {
					a := revoke(w, app, set.text(name))
					if a.status != unknown.status || a.body != unknown.body {
						t.Errorf("%s, %s: %d %q", app, name, a.status, a.body)
					}
					w.wantLive(set.text(name), true, name+" after "+app)
				}
			}
		}},
		{"RFC 7009 section 2.1: tokens of the user's own logins are no application's to revoke", func(t *testing.T, w *world) {
			set, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{Refresh: true})
			w.do(err)
			for _, s := range []token.Secret{set.AccessToken, set.RefreshToken} {
				wantDone(t, revoke(w, web, s.Reveal()))
				w.wantLive(s.Reveal(), true, "the user's own")
			}
		}},
		{"RFC 7009 section 2.1: the application has to prove itself; a public one to name itself", func(t *testing.T, w *world) {
			set := w.logIn(web)
			w.wantError(w.post("/oauth2/revoke", fields("token", set.text("access_token"), "client_id", web)), 401, "invalid_client")
			w.wantError(w.post("/oauth2/revoke", fields("token", set.text("access_token"))), 401, "invalid_client")
			w.wantLive(set.text("access_token"), true, "after strangers")
			public := w.logIn(native)
			wantDone(t, revoke(w, native, public.text("refresh_token")))
			w.wantLive(public.text("refresh_token"), false, "the public one's")
		}},
		{"RFC 7009 section 2.1: the token is required", func(_ *testing.T, w *world) {
			w.wantError(w.post("/oauth2/revoke", fields("x", "y"), w.as(web)), 400, "invalid_request")
			w.wantError(revoke(w, web, ""), 400, "invalid_request")
		}},
		{"RFC 7009 section 2.2.1: a kind of token that cannot be revoked is unsupported_token_type", func(_ *testing.T, w *world) {
			set := w.logIn(web)
			w.wantError(revoke(w, web, set.text("id_token"), withField("token_type_hint", "id_token")), 400, "unsupported_token_type")
		}},
		{"RFC 7009 section 2: a token of an application for itself is its own to revoke", func(t *testing.T, w *world) {
			a, b := w.token(machine, machineForm()), w.token(machine, machineForm())
			wantDone(t, revoke(w, machine, a.text("access_token")))
			w.wantLive(a.text("access_token"), false, "the revoked")
			w.wantLive(b.text("access_token"), true, "the other")
		}},
	})
}

package door_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC6749Refresh(t *testing.T) {
	must(t, []rule{
		{"RFC 6749 section 6: a refresh token is bound to its application", func(_ *testing.T, w *world) {
			set := w.logIn(web)
			for _, other := range []string{house, native, legacy, signer} {
				w.wantError(w.renew(other, set.text("refresh_token")), 400, "invalid_grant")
			}
			w.wantError(w.post("/oauth2/token", fields("grant_type", "refresh_token", "refresh_token", set.text("refresh_token"), "client_id", web)), 401, "invalid_client")
			w.wantLive(set.text("refresh_token"), true, "after others have tried")
		}},
		{"RFC 6749 section 6: the scope may be narrower for one access token, and is whole again after", func(t *testing.T, w *world) {
			set := w.logIn(web, "scope", "read write")
			narrow := w.renew(web, set.text("refresh_token"), withField("scope", "read"))
			if narrow.text("scope") != "read" || w.claims(narrow.text("access_token"))["scope"] != "read" {
				t.Error(narrow.body)
			}
			if whole := w.renew(web, narrow.text("refresh_token")); whole.text("scope") != "read write" {
				t.Error(whole.body)
			}
		}},
		{"RFC 6749 section 6: the scope is never wider than what was granted, even where the application may have more", func(_ *testing.T, w *world) {
			set := w.logIn(web, "scope", "read")
			for _, scope := range []string{"read write", "write", "openid", "admin", "read  read", "\"", "READ"} {
				w.wantError(w.renew(web, set.text("refresh_token"), withField("scope", scope)), 400, "invalid_scope")
			}
			w.wantLive(set.text("refresh_token"), true, "after wrong scopes")
		}},
		{"RFC 8707 section 2.2: the resources are never more than what was granted", func(t *testing.T, w *world) {
			set := w.logIn(web, "scope", "read", "resource", resource)
			w.wantError(w.renew(web, set.text("refresh_token"), withField("resource", files)), 400, "invalid_target")
			w.wantError(w.renew(web, set.text("refresh_token"), withField("resource", resource, files)), 400, "invalid_target")
			next := w.renew(web, set.text("refresh_token"), withField("resource", resource))
			if got := w.claims(next.text("access_token"))["aud"]; got != resource {
				t.Errorf("aud %v", got)
			}
		}},
		{"RFC 9700 section 4.14.2: each refresh gives another refresh token, and the old one is void after the grace", func(t *testing.T, w *world) {
			first := w.logIn(native)
			second := w.renew(native, first.text("refresh_token"))
			if second.text("refresh_token") == "" || second.text("refresh_token") == first.text("refresh_token") {
				t.Fatal(second.body)
			}
			w.wantLive(first.text("refresh_token"), false, "the old one")
			w.wantLive(second.text("refresh_token"), true, "the new one")
		}},
		{"RFC 9700 section 4.14.2: the reuse of an old refresh token ends the login, access tokens and all, and is logged", func(t *testing.T, w *world) {
			first := w.logIn(native)
			second := w.renew(native, first.text("refresh_token"))
			w.clock.move(31 * time.Second)
			w.wantError(w.renew(native, first.text("refresh_token")), 400, "invalid_grant")
			w.wantError(w.renew(native, second.text("refresh_token")), 400, "invalid_grant")
			for _, raw := range []string{first.text("access_token"), second.text("access_token"), second.text("refresh_token")} {
				w.wantLive(raw, false, "after reuse")
			}
			if log := w.logged(); len(log) == 0 {
				t.Error("nothing is logged")
			}
		}},
		{"RFC 9700 section 4.14.2: the reuse of one older than the last ends the login within the grace too", func(_ *testing.T, w *world) {
			first := w.logIn(native)
			second := w.renew(native, first.text("refresh_token"))
			third := w.renew(native, second.text("refresh_token"))
			w.wantError(w.renew(native, first.text("refresh_token")), 400, "invalid_grant")
			w.wantLive(third.text("refresh_token"), false, "the last")
		}},
		{"server.md promise 3: within 30 s a client that lost the answer is given the very same successor", func(t *testing.T, w *world) {
			first := w.logIn(native)
			second := w.renew(native, first.text("refresh_token"))
			w.clock.move(29 * time.Second)
			again := w.renew(native, first.text("refresh_token"))
			if again.text("refresh_token") != second.text("refresh_token") || again.text("refresh_token") == "" {
				t.Errorf("%s\n%s", second.body, again.body)
			}
			w.wantError(w.renew(house, first.text("refresh_token")), 400, "invalid_grant") // the grace is the application's own
		}},
		{"server.md promise 3: of parallel uses one moves on, and all get the one successor", func(t *testing.T, w *world) {
			set := w.logIn(native)
			var wait sync.WaitGroup
			answers := make([]answer, 8)
			for i := range answers {
				wait.Go(func() { answers[i] = w.renew(native, set.text("refresh_token")) })
			}
			wait.Wait()
			for _, a := range answers {
				if a.status != 200 || a.text("refresh_token") != answers[0].text("refresh_token") {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		}},
		{"RFC 9700 section 4.14.2: a refresh token ends 30 days after the login, however often it was renewed", func(_ *testing.T, w *world) {
			set := w.logIn(native)
			for range 29 {
				w.clock.move(24 * time.Hour)
				set = w.renew(native, set.text("refresh_token"))
			}
			w.clock.move(24*time.Hour - time.Minute)
			w.wantLive(set.text("refresh_token"), true, "a minute before")
			last := w.renew(native, set.text("refresh_token"))
			if seconds, _ := last.member("expires_in").(float64); seconds > 61 || seconds <= 0 {
				w.Errorf("an access token outlives its login: %s", last.body)
			}
			w.clock.move(2 * time.Minute)
			w.wantError(w.renew(native, last.text("refresh_token")), 400, "invalid_grant")
		}},
		{"RFC 9700 section 4.14.2: revoked with password change, disabling, deletion, and the end of all logins", func(_ *testing.T, w *world) {
			ctx := w.Context()
			for name, end := range map[string]func() error{
				"p": func() error {
					return w.issuer.SetPassword(ctx, store.DefaultTenant, "p", token.NewPassword(pass), false)
				},
				"d": func() error { return w.issuer.SetDisabled(ctx, store.DefaultTenant, "d", true) },
				"x": func() error { return w.issuer.DeleteUser(ctx, store.DefaultTenant, "x") },
				"r": func() error { return w.door.RevokeAllOf(ctx, "r") },
			} {
				w.addUser(name)
				set := w.token(house, fields("grant_type", "password", "username", name, "password", pass))
				w.do(end())
				w.wantError(w.renew(house, set.text("refresh_token")), 400, "invalid_grant")
				w.wantLive(set.text("access_token"), false, name)
			}
		}},
		{"RFC 6749 section 6: of an application that is gone nothing is left", func(_ *testing.T, w *world) {
			set := w.logIn(native)
			w.do(w.issuer.DeleteApplication(w.Context(), store.DefaultTenant, native))
			w.wantError(w.renew(native, set.text("refresh_token")), 401, "invalid_client")
			w.wantLive(set.text("access_token"), false, "access")
			w.wantLive(set.text("refresh_token"), false, "refresh")
		}},
		{"RFC 6749 section 5.2: what is no refresh token is invalid_grant", func(_ *testing.T, w *world) {
			set := w.logIn(web)
			good := set.text("refresh_token")
			for _, bad := range []string{"x", good + "A", good[:len(good)-1], good + "=", good + "\n", "ats_ac_" + good[7:], set.text("access_token"), set.text("id_token")} {
				w.wantError(w.renew(web, bad), 400, "invalid_grant")
			}
		}},
	})
}

func TestMustRFC9700ARefreshTokenThatLiesUnusedEnds(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.RefreshIdle = 3600 }))
	set := w.logIn(native)
	for range 3 {
		w.clock.move(59 * time.Minute)
		set = w.renew(native, set.text("refresh_token"))
	}
	w.clock.move(61 * time.Minute)
	w.wantError(w.renew(native, set.text("refresh_token")), 400, "invalid_grant")
}

func TestMustRFC9700WithoutGraceTheFirstReuseEndsTheLogin(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.ReuseGrace = 0 }))
	first := w.logIn(native)
	second := w.renew(native, first.text("refresh_token"))
	w.wantError(w.renew(native, first.text("refresh_token")), 400, "invalid_grant")
	w.wantLive(second.text("refresh_token"), false, "the successor")
	w.wantLive(second.text("access_token"), false, "the access token")
}

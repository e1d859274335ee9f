package door_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC6749Codes(t *testing.T) {
	must(t, []rule{
		{"RFC 6749 section 4.1.2: a code is bound to its application", func(_ *testing.T, w *world) {
			code := w.code(web)
			form := trade(web, code)
			w.refused(400, "invalid_grant", form, w.as(plainApp))
			w.refused(400, "invalid_grant", form, w.as(native))
			w.refused(401, "invalid_client", form, withField("client_id", web))
			w.token(web, form) // nobody else has spent it
		}},
		{"RFC 6749 section 4.1.3: a code is bound to its redirect URI, character for character", func(_ *testing.T, w *world) {
			form := trade(web, w.code(web))
			for _, uri := range []string{"", webCallback + "/", webCallback + "?", "https://APP.example.com/cb", "https://app.example.com:443/cb", "https://house.example.com/cb"} {
				w.refused(400, "invalid_grant", form, w.as(web), withField("redirect_uri", uri))
			}
			w.token(web, form)
			form = trade(legacy, w.code(legacy))
			w.refused(400, "invalid_grant", form, w.as(legacy), withField("redirect_uri", "https://old.example.com/cb"))
			form = trade(native, w.code(native, "redirect_uri", "http://127.0.0.1:5000/cb"))
			w.refused(400, "invalid_grant", form, w.as(native), withField("redirect_uri", "http://127.0.0.1:5001/cb"))
			w.token(native, form, withField("redirect_uri", "http://127.0.0.1:5000/cb"))
		}},
		{"RFC 6749 section 4.1.2: a code lives for a minute", func(_ *testing.T, w *world) {
			first, second := w.code(web), w.code(web)
			w.clock.move(59 * time.Second)
			w.token(web, trade(web, first))
			w.clock.move(time.Second + time.Millisecond)
			w.refused(400, "invalid_grant", trade(web, second), w.as(web))
		}},
		{"RFC 6749 section 4.1.2 and RFC 9700 section 4.5: a code that is used twice ends what it gave: access and refresh token, and all that came of them", func(_ *testing.T, w *world) {
			code := w.code(web)
			first := w.token(web, trade(web, code))
			second := w.renew(web, first.text("refresh_token"))
			w.wantLive(second.text("access_token"), true, "before")
			w.refused(400, "invalid_grant", trade(web, code), w.as(web))
			for what, raw := range map[string]string{
				"access": first.text("access_token"), "renewed access": second.text("access_token"), "renewed refresh": second.text("refresh_token"),
			} {
				w.wantLive(raw, false, what)
			}
			w.wantError(w.renew(web, second.text("refresh_token")), 400, "invalid_grant")
		}},
		{"RFC 6749 section 4.1.2: it ends it also without the verifier, with another redirect URI or resource, and after the minute", func(_ *testing.T, w *world) {
			for _, spoil := range []option{without("code_verifier"), without("redirect_uri"), withField("resource", "https://other.example/")} {
				code := w.code(web)
				first := w.token(web, trade(web, code))
				w.clock.move(5 * time.Minute)
				w.refused(400, "invalid_grant", trade(web, code), w.as(web), spoil)
				w.wantLive(first.text("access_token"), false, "access")
				w.wantLive(first.text("refresh_token"), false, "refresh")
			}
		}},
		{"RFC 6749 section 4.1.2: it ends it too where no refresh token was given", func(_ *testing.T, w *world) {
			code := w.code(plainApp)
			first := w.token(plainApp, trade(plainApp, code))
			w.refused(400, "invalid_grant", trade(plainApp, code), w.as(plainApp))
			w.wantLive(first.text("access_token"), false, "access")
		}},
		{"RFC 6749 section 4.1.2: another application's second use ends nothing", func(_ *testing.T, w *world) {
			code := w.code(web)
			first := w.token(web, trade(web, code))
			w.refused(400, "invalid_grant", trade(web, code), w.as(plainApp))
			w.wantLive(first.text("access_token"), true, "access")
		}},
		{"RFC 6749 section 4.1.2: of many parallel uses one succeeds at most", func(t *testing.T, w *world) {
			form := trade(web, w.code(web))
			var wait sync.WaitGroup
			answers := make([]answer, 8)
			for i := range answers {
				wait.Go(func() { answers[i] = w.post("/oauth2/token", form, w.as(web)) })
			}
			wait.Wait()
			good := 0
			for _, a := range answers {
				if a.status == 200 {
					good++
					w.wantLive(a.text("access_token"), false, "after the others")
				}
			}
			if good > 1 {
				t.Errorf("%d succeeded", good)
			}
		}},
		{"RFC 6749 section 5.2: what is no code is invalid_grant, none is invalid_request", func(_ *testing.T, w *world) {
			code := w.code(web)
			set := w.logIn(web)
			for _, bad := range []string{"x", code + "A", code[:len(code)-1], code + "=", " " + code, "ats_dc_" + code[7:], set.text("refresh_token"), set.text("access_token"), "\u2028"} {
				w.refused(400, "invalid_grant", trade(web, bad), w.as(web))
			}
			w.refused(400, "invalid_request", trade(web, ""), w.as(web))
		}},
		{"RFC 9700 section 4.14: what ends a person's tokens ends codes that are under way", func(_ *testing.T, w *world) {
			for _, end := range []func() error{
				func() error { return w.door.RevokeAllOf(w.Context(), "marco") },
				func() error {
					return w.issuer.SetPassword(w.Context(), store.DefaultTenant, "marco", token.NewPassword(pass), false)
				},
				func() error { return w.issuer.RevokeEverything(w.Context()) },
				func() error { return w.issuer.SetDisabled(w.Context(), store.DefaultTenant, "marco", true) },
			} {
				code := w.code(web)
				w.do(end())
				w.refused(400, "invalid_grant", trade(web, code), w.as(web))
			}
		}},
		{"RFC 6749 section 4.1.4: the tokens are for what was allowed, whatever is asked for now", func(t *testing.T, w *world) {
			a := w.token(web, trade(web, w.code(web, "scope", "read")), withField("scope", "read write"))
			if a.text("scope") != "read" || w.claims(a.text("access_token"))["scope"] != "read" {
				t.Error(a.body)
			}
		}},
		{"RFC 8707 section 2.2: the tokens are for the resources that were allowed, or fewer", func(t *testing.T, w *world) {
			code := w.code(web, "scope", "read", "resource", resource)
			w.refused(400, "invalid_target", trade(web, code), w.as(web), withField("resource", files))
			a := w.token(web, trade(web, code), withField("resource", resource))
			if got := w.claims(a.text("access_token"))["aud"]; got != resource {
				t.Errorf("aud %v", got)
			}
		}},
		{"RFC 6749 section 6 and 1.5: an application without the grant gets no refresh token", func(t *testing.T, w *world) {
			if a := w.logIn(plainApp); a.member("refresh_token") != nil {
				t.Error(a.body)
			}
		}},
	})
}

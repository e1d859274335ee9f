package door_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// startDevice begins the login of a device.
func (w *world) startDevice(app string, pairs ...string) answer {
	w.Helper()
	a := w.post("/oauth2/device_authorization", fields(pairs...), w.as(app))
	if a.status != http.StatusOK || a.text("device_code") == "" {
		w.Fatalf("no device code: %d %s", a.status, a.body)
	}
	return a
}

func polling(started answer) url.Values {
	return fields("grant_type", token.GrantDeviceCode, "device_code", started.text("device_code"))
}

// decideDevice has a person type a code and decide.
func (b *person) decideDevice(typed, decision string) answer {
	b.Helper()
	shown := b.submit(b.get("/device"), "/device", "user_code", typed)
	if shown.status != http.StatusOK || !strings.Contains(shown.body, `name="decision"`) {
		return shown
	}
	return b.submit(shown, "/device", "decision", decision)
}

// deviceLogin gets a device tokens for marco.
func (w *world) deviceLogin(app string, pairs ...string) answer {
	w.Helper()
	started := w.startDevice(app, pairs...)
	w.person().login("marco").decideDevice(started.text("user_code"), "allow")
	return w.token(app, polling(started))
}

func TestMustRFC8628Begin(t *testing.T) {
	const path = "/oauth2/device_authorization"
	must(t, []rule{
		{"RFC 8628 section 3.1: applications prove themselves as at the token endpoint", func(_ *testing.T, w *world) {
			w.addApplication(store.Application{ID: "box", Name: "Box", Grants: []string{token.GrantDeviceCode}})
			w.startDevice("box")
			w.wantError(w.post(path, fields("client_id", "box")), 401, "invalid_client")
			w.wantError(w.post(path, fields("scope", "read"), withBasic("box", "wrong")), 401, "invalid_client")
			w.wantError(w.post(path, fields("client_id", "who")), 401, "invalid_client")
			w.wantError(w.post(path, fields("scope", "read")), 401, "invalid_client")
		}},
		{"RFC 8628 section 3.1: an application without the grant is unauthorized_client", func(_ *testing.T, w *world) {
			w.wantError(w.post(path, fields(), w.as(web)), 400, "unauthorized_client")
		}},
		{"RFC 8628 section 3.1: parameters without a value are left out, unknown ones ignored, repeated ones refused", func(_ *testing.T, w *world) {
			w.startDevice(tv, "scope", "", "resource", "", "colour", "blue")
			w.wantError(w.post(path, fields("scope", "read", "scope", "write"), w.as(tv)), 400, "invalid_request")
			w.wantError(w.post(path+"?scope=read", fields(), w.as(tv)), 400, "invalid_request")
			w.wantError(w.send("GET", path, nil), 405, "invalid_request")
		}},
		{"RFC 8628 section 3.1: a scope that the application does not have is invalid_scope", func(_ *testing.T, w *world) {
			w.wantError(w.post(path, fields("scope", "admin"), w.as(tv)), 400, "invalid_scope")
			w.wantError(w.post(path, fields("resource", "https://other.example.com"), w.as(tv)), 400, "invalid_target")
		}},
		{"RFC 8628 section 3.2: the answer has every member that it needs, as JSON that nobody keeps", func(t *testing.T, w *world) {
			a := w.startDevice(tv)
			if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", a.header)
			}
			code := a.text("user_code")
			if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(code) {
				t.Errorf("user_code %q", code)
			}
			if a.text("verification_uri") != w.url+"/device" || a.text("verification_uri_complete") != w.url+"/device?user_code="+code {
				t.Errorf("verification_uri %q, complete %q", a.text("verification_uri"), a.text("verification_uri_complete"))
			}
			if a.member("expires_in") != 600.0 || a.member("interval") != 5.0 {
				t.Errorf("expires_in %v, interval %v", a.member("expires_in"), a.member("interval"))
			}
		}},
		{"RFC 8628 section 5.2: device codes cannot be guessed", func(t *testing.T, w *world) {
			a, b := w.startDevice(tv).text("device_code"), w.startDevice(tv).text("device_code")
			if len(a) < 43 || a == b {
				t.Errorf("%q and %q", a, b)
			}
			for _, wrong := range []string{"x", a[:len(a)-1], a + "A", a[:10] + other(a[10]) + a[11:], strings.ToUpper(a), "ats_dc_" + strings.Repeat("A", 64)} {
				w.refused(400, "invalid_grant", fields("grant_type", token.GrantDeviceCode, "device_code", wrong), w.as(tv))
			}
		}},
	})
}

func TestMustRFC8628Person(t *testing.T) {
	must(t, []rule{
		{"RFC 8628 section 3.3: nobody decides who is not logged in", func(t *testing.T, w *world) {
			started := w.startDevice(tv)
			b := w.person()
			if a := b.get("/device?user_code=" + started.text("user_code")); !strings.HasPrefix(b.own(a), "/login?") {
				t.Errorf("%d %s", a.status, a.location())
			}
			if a := b.get("/device"); !strings.HasPrefix(b.own(a), "/login?") {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"RFC 8628 section 3.3: the code is taken as people type it", func(_ *testing.T, w *world) {
			b := w.person().login("marco")
			for _, spell := range []func(string) string{
				strings.ToLower, func(s string) string { return strings.ReplaceAll(s, "-", "") }, func(s string) string { return " " + strings.ReplaceAll(s, "-", " ") + " " },
			} {
				started := w.startDevice(tv)
				b.decideDevice(spell(started.text("user_code")), "allow")
				w.token(tv, polling(started))
			}
		}},
		{"RFC 8628 section 3.3.1: a code that came in the address is shown and asked about, not acted on", func(t *testing.T, w *world) {
			started := w.startDevice(tv, "scope", "read")
			b := w.person().login("marco")
			target := strings.TrimPrefix(started.text("verification_uri_complete"), w.url)
			a := b.get(target)
			for _, text := range []string{started.text("user_code"), "Television", "read"} {
				if !strings.Contains(a.body, text) {
					t.Errorf("the page does not show %q", text)
				}
			}
			b.get(target + "&decision=allow")
			w.refused(400, "authorization_pending", polling(started), w.as(tv))
			b.submit(a, "/device", "decision", "allow")
			w.token(tv, polling(started))
		}},
		{"RFC 8628 section 5.4: a form of another site decides nothing", func(t *testing.T, w *world) {
			started := w.startDevice(tv)
			b := w.person().login("marco")
			form := fields("user_code", started.text("user_code"), "decision", "allow")
			foreign := b.post("/device", form)
			crossed := b.post("/device", form, withHeader("Origin", "https://evil.example"), withHeader("Sec-Fetch-Site", "cross-site"))
			if foreign.status != 403 || crossed.status != 403 {
				t.Errorf("%d, %d", foreign.status, crossed.status)
			}
			w.refused(400, "authorization_pending", polling(started), w.as(tv))
		}},
		{"RFC 8628 section 5.1: who guesses user codes is slowed down", func(t *testing.T, _ *world) {
			w := newWorld(t, func(s *settings) { s.throttle.Attempts = 5 })
			b := w.person().login("marco")
			status := map[int]int{}
			for range 12 {
				status[b.decideDevice("BBBB-BBBB", "allow").status]++
			}
			if status[404] == 0 || status[429] == 0 || status[404] > 5 {
				t.Errorf("answers %v", status)
			}
		}},
		{"RFC 8628 section 6.1: a code is one person's decision, once", func(t *testing.T, w *world) {
			started := w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			if a := w.person().login("ada").decideDevice(started.text("user_code"), "deny"); a.status != 404 {
				t.Errorf("a second decision: %d", a.status)
			}
			if sub := w.claims(w.token(tv, polling(started)).text("access_token"))["sub"]; sub != "marco" {
				t.Errorf("token of %v", sub)
			}
		}},
	})
}

func TestMustRFC8628Poll(t *testing.T) {
	must(t, []rule{
		{"RFC 8628 section 3.4: device_code and the application are needed", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			w.refused(400, "invalid_request", polling(started), w.as(tv), without("device_code"))
			w.refused(401, "invalid_client", polling(started))
			w.refused(400, "unauthorized_client", polling(started), w.as(web))
		}},
		{"RFC 8628 section 3.4: a device code is of the application that it was given to", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			w.refused(400, "invalid_grant", polling(started), w.as(native))
			w.token(tv, polling(started))
		}},
		{"RFC 8628 section 3.5: authorization_pending until somebody decides, then tokens", func(t *testing.T, w *world) {
			started := w.startDevice(tv, "scope", "openid read", "resource", resource)
			w.refused(400, "authorization_pending", polling(started), w.as(tv))
			w.clock.move(5 * time.Second)
			w.refused(400, "authorization_pending", polling(started), w.as(tv))
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			w.clock.move(5 * time.Second)
			set := w.token(tv, polling(started))
			claims := w.claims(set.text("access_token"))
			if claims["sub"] != "marco" || claims["client_id"] != tv || claims["scope"] != "openid read" || set.text("refresh_token") == "" || set.text("id_token") == "" {
				t.Errorf("%v from %s", claims, set.body)
			}
		}},
		{"RFC 8628 section 3.5: slow_down for who polls too often, five seconds more each time", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			poll := func(code string) { w.refused(400, code, polling(started), w.as(tv)) }
			poll("authorization_pending")
			w.clock.move(time.Second)
			poll("slow_down") // 10 from now on
			w.clock.move(8 * time.Second)
			poll("slow_down") // 15
			w.clock.move(13 * time.Second)
			poll("slow_down") // 20
			w.clock.move(20 * time.Second)
			poll("authorization_pending")
			w.clock.move(12 * time.Second)
			poll("slow_down") // what was asked of it once holds for all that follow
			other := w.startDevice(tv)
			w.refused(400, "authorization_pending", polling(other), w.as(tv))
		}},
		{"RFC 8628 section 3.5: access_denied, for good", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "deny")
			w.refused(400, "access_denied", polling(started), w.as(tv))
			w.clock.move(5 * time.Second)
			w.refused(400, "access_denied", polling(started), w.as(tv))
		}},
		{"RFC 8628 section 3.5: expired_token when the time is over, decided or not", func(t *testing.T, w *world) {
			pending, allowed := w.startDevice(tv), w.startDevice(tv)
			b := w.person().login("marco")
			b.decideDevice(allowed.text("user_code"), "allow")
			w.clock.move(600*time.Second + time.Millisecond)
			w.refused(400, "expired_token", polling(pending), w.as(tv))
			w.refused(400, "expired_token", polling(allowed), w.as(tv))
			b.login("marco") // the browser has lain idle
			if a := b.decideDevice(pending.text("user_code"), "allow"); a.status != 404 {
				t.Errorf("a decision afterwards: %d", a.status)
			}
			w.refused(400, "expired_token", polling(pending), w.as(tv))
		}},
		{"RFC 8628 section 3.5: a device code is good once; a second use ends the login", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			set := w.token(tv, polling(started))
			w.refused(400, "invalid_grant", polling(started), w.as(tv))
			w.wantLive(set.text("access_token"), false, "the access token")
			w.wantLive(set.text("refresh_token"), false, "the refresh token")
		}},
		{"RFC 8628 section 3.5: errors are those of RFC 6749 section 5.2, kept by nobody", func(t *testing.T, w *world) {
			a := w.refused(400, "authorization_pending", polling(w.startDevice(tv)), w.as(tv))
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" || a.text("error_description") == "" {
				t.Errorf("%v %s", a.header, a.body)
			}
		}},
		{"RFC 8628 section 5.3: what voids the person's tokens voids what was allowed", func(_ *testing.T, w *world) {
			started := w.startDevice(tv)
			w.person().login("marco").decideDevice(started.text("user_code"), "allow")
			w.do(w.issuer.RevokeUser(w.Context(), store.DefaultTenant, "marco"))
			w.refused(400, "invalid_grant", polling(started), w.as(tv))
		}},
		{"RFC 8707 section 2.2: a device may ask for fewer resources than were allowed, for no others", func(t *testing.T, w *world) {
			w.addApplication(store.Application{ID: "box", Name: "Box", Grants: []string{token.GrantDeviceCode}, Audiences: []string{resource, files}})
			for _, c := range []struct{ asked, aud string }{{files, files}, {resource, resource}} {
				started := w.startDevice("box", "resource", resource, "resource", files)
				w.person().login("marco").decideDevice(started.text("user_code"), "allow")
				w.refused(400, "invalid_target", polling(started), w.as("box"), withField("resource", "https://other.example.com"))
				if aud := w.claims(w.token("box", polling(started), withField("resource", c.asked)).text("access_token"))["aud"]; aud != c.aud {
					t.Errorf("aud %v, want %s", aud, c.aud)
				}
			}
		}},
	})
}

// other is another letter of base64url.
func other(letter byte) string {
	if letter == '_' {
		return "-"
	}
	return "_"
}

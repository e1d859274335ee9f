package door_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC9700EveryFormComesFromOurOwnPage(t *testing.T) {
	w := newWorld(t)
	device := w.post("/oauth2/device_authorization", fields("client_id", tv))
	other := w.person().login("ada")
	stolen := w.form(other.get("/account"), "/logout").fields.Get("csrf")
	b := w.person().login("marco")
	for target, form := range map[string]url.Values{
		"/login":                            fields("username", "marco", "password", pass),
		"/logout":                           {},
		"/account/end":                      fields("id", "x"),
		"/account/end-all":                  {},
		"/device":                           fields("user_code", device.text("user_code"), "decision", "allow"),
		authorizeTarget(authorization(web)): fields("decision", "allow"),
	} {
		good := w.form(b.get("/account"), "/logout").fields.Get("csrf")
		for what, token := range map[string]string{"none": "", "a guess": "x", "another's": stolen, "its beginning": good[:len(good)-1]} {
			a := b.post(target, form, withField("csrf", token))
			if a.status != http.StatusForbidden || a.location() != "" {
				t.Errorf("%s with %s: %d %s", target, what, a.status, a.location())
			}
		}
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			if a := b.post(target, form, withField("csrf", good), withHeader(header[0], header[1]), withHeader("Origin", "null")); a.status != http.StatusForbidden {
				t.Errorf("%s from %s %s: %d", target, header[0], header[1], a.status)
			}
		}
		if a := b.post(target+queryMark(target)+"csrf="+good, form); a.status != http.StatusForbidden {
			t.Errorf("%s with the token in the URL: %d", target, a.status)
		}
	}
	// A browser without fetch metadata calls our own pages null, since they tell no
	// referrer: there the token alone says it.
	if a := b.post("/device", fields("user_code", "x"), withHeader("Origin", "null"), withField("csrf", "x")); a.status != http.StatusForbidden {
		t.Errorf("a foreign form without fetch metadata: %d", a.status)
	}
	if a := b.get("/account"); a.status != 200 {
		t.Errorf("the login has ended: %d", a.status)
	}
}

func queryMark(target string) string {
	if strings.Contains(target, "?") {
		return "&"
	}
	return "?"
}

func TestMustRFC9700CookiesAreOutOfReach(t *testing.T) {
	for _, address := range []string{issuerURL, issuerURL + "/base", "http://127.0.0.1:8081"} {
		w := newWorld(t, at(address))
		secure := strings.HasPrefix(address, "https")
		b := w.person()
		var set []*http.Cookie
		for _, a := range []answer{b.get("/login"), b.submit(b.get("/login"), "/login", "username", "marco", "password", pass), b.submit(b.get("/account"), "/logout")} {
			set = append(set, (&http.Response{Header: a.header}).Cookies()...)
		}
		if len(set) < 3 {
			t.Fatalf("%d cookies", len(set))
		}
		for _, c := range set {
			if !c.HttpOnly || c.Secure != secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || strings.HasPrefix(c.Name, "__Host-") != secure {
				t.Errorf("%s: %s", address, c)
			}
		}
	}
}

func TestMustALoginGivesABrowserACookieThatNobodyKnewBefore(t *testing.T) {
	w := newWorld(t)
	planted := w.person().login("ada").jar["__Host-ats_session"].Value
	b := w.person()
	for _, value := range []string{planted, "x", ""} {
		b.jar["__Host-ats_session"] = &http.Cookie{Name: "__Host-ats_session", Value: value}
		b.login("marco")
		if got := b.jar["__Host-ats_session"].Value; got == value || len(got) < 64 {
			t.Errorf("planted %q, got %q", value, got)
		}
	}
	other := w.person()
	other.jar["__Host-ats_session"] = &http.Cookie{Name: "__Host-ats_session", Value: planted}
	if a := other.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("what was planted is still good: %d %s", a.status, a.body)
	}
}

func TestMustABrowsersLoginEnds(t *testing.T) {
	ends := map[string]func(w *world, b *person){
		"by logout":                func(_ *world, b *person) { b.submit(b.get("/account"), "/logout") },
		"by the end of all logins": func(_ *world, b *person) { b.submit(b.get("/account"), "/account/end-all") },
		"by its own end":           func(_ *world, b *person) { b.submit(b.get("/account"), "/account/end") },
		"without a visit":          func(w *world, _ *person) { w.clock.move(10*time.Minute + time.Second) },
		"with eight hours": func(w *world, b *person) {
			for range 49 {
				b.get("/account")
				w.clock.move(10*time.Minute - time.Second)
			}
		},
		"with another password": func(w *world, _ *person) {
			w.do(w.issuer.SetPassword(w.Context(), store.DefaultTenant, "marco", token.NewPassword("new"), false))
		},
		"with the user":       func(w *world, _ *person) { w.do(w.issuer.DeleteUser(w.Context(), store.DefaultTenant, "marco")) },
		"with the user's end": func(w *world, _ *person) { w.do(w.issuer.SetDisabled(w.Context(), store.DefaultTenant, "marco", true)) },
		"by the API": func(w *world, b *person) {
			a := b.visit(authorizeTarget(authorization(web)))
			raw := w.token(web, trade(web, a.query().Get("code"))).text("access_token")
			w.post("/oauth2/global-token-revocation", nil, withBearer(raw), withBody("application/json", `{"sub_id":{"format":"opaque","id":"marco"}}`))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.person().login("marco")
			kept := *b.jar["__Host-ats_session"]
			end(w, b)
			b.jar["__Host-ats_session"] = &kept // a browser that did not forget it
			for _, target := range []string{"/account", "/device", authorizeTarget(authorization(house))} {
				if a := b.get(target); a.status != http.StatusSeeOther || !strings.HasPrefix(w.own(a), "/login") {
					t.Errorf("%s: %d %s", target, a.status, a.location())
				}
			}
		})
	}
}

func TestMustAPersonEndsOwnLoginsAlone(t *testing.T) {
	w := newWorld(t)
	adas := w.browserTokens("ada", native)
	marcos := w.browserTokens("marco", native)
	idOf := func(raw string) string {
		list, _ := w.get("/oauth2/logins", withBearer(raw)).member("logins").([]any)
		for _, one := range list {
			if m, _ := one.(map[string]any); m["current"] == true {
				return m["id"].(string)
			}
		}
		t.Fatal("no current login")
		return ""
	}
	b := w.person().login("marco")
	page := b.get("/account")
	b.submit(page, "/account/end", "id", idOf(adas.text("access_token")))
	w.wantLive(adas.text("access_token"), true, "ada's")
	b.submit(page, "/account/end", "id", idOf(marcos.text("access_token")))
	w.wantLive(marcos.text("access_token"), false, "marco's")
	w.wantLive(marcos.text("refresh_token"), false, "marco's")
}

func TestMustGuessingAtTheLoginPageIsSlowed(t *testing.T) {
	w := newWorld(t, func(s *settings) { s.throttle.Attempts = 3 })
	for _, user := range []string{"marco", "nobody"} {
		b := w.person()
		page := b.get("/login?next=%2Fdevice")
		var texts []string
		for range 3 {
			a := b.submit(page, "/login", "username", user, "password", "wrong")
			if a.status != http.StatusUnauthorized || a.location() != "" || b.jar["__Host-ats_session"] != nil || strings.Contains(a.body, "wrong\"") {
				t.Fatalf("%s: %d %s", user, a.status, a.body)
			}
			texts = append(texts, strings.ReplaceAll(a.body, user, "U"))
		}
		if texts[0] != texts[2] {
			t.Errorf("%s: the page tells how often", user)
		}
		a := b.submit(page, "/login", "username", user, "password", pass)
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || b.jar["__Host-ats_session"] != nil {
			t.Errorf("%s: %d %v", user, a.status, a.header)
		}
		if f := w.form(a, "/login"); f.fields.Get("next") != "/device" || f.fields.Get("password") != "" {
			t.Errorf("the form has %v", f.fields)
		}
	}
	a := w.post("/oauth2/token", fields("grant_type", "password", "username", "marco", "password", pass), w.as(house))
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("the password grant: %d %s", a.status, a.body)
	}
	w.clock.move(10 * time.Minute)
	w.person().login("marco")
}

func TestMustWrongUserAndWrongPasswordCostTheSame(t *testing.T) {
	w := newWorld(t)
	for _, user := range []string{"marco", "nobody"} {
		before := w.hasher.Stats()
		b := w.person()
		b.submit(b.get("/login"), "/login", "username", user, "password", "wrong")
		if after := w.hasher.Stats(); after.Hashes-before.Hashes != 1 {
			t.Errorf("%s: %d hashes", user, after.Hashes-before.Hashes)
		}
	}
}

func TestMustAPasswordInTheURLIsNotTaken(t *testing.T) {
	w := newWorld(t)
	b := w.person()
	if a := b.get("/login?" + fields("username", "marco", "password", pass).Encode()); a.status != 200 || b.jar["__Host-ats_session"] != nil || strings.Contains(a.body, pass) {
		t.Errorf("%d %s", a.status, a.body)
	}
	f := w.form(b.get("/login"), "/login")
	if a := b.post("/login?"+fields("username", "marco", "password", pass).Encode(), f.fields); a.status != http.StatusBadRequest || b.jar["__Host-ats_session"] != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
}

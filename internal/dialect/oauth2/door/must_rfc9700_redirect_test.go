package door_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// TestMustRFC9700RedirectURIsAreComparedByteForByte is RFC 9700 section 2.1 and
// 4.1.3, with RFC 8252 section 7.3 for the ports of loopback addresses.
func TestMustRFC9700RedirectURIsAreComparedByteForByte(t *testing.T) {
	for _, c := range []struct {
		app, uri string
		want     bool
	}{
		{web, webCallback, true},
		{web, webCallback + "/", false},
		{web, webCallback + "?", false},
		{web, webCallback + "?a=b", false},
		{web, webCallback + "#", false},
		{web, webCallback + "#fragment", false},
		{web, webCallback + "x", false},
		{web, webCallback + "/../cb", false},
		{web, "https://app.example.com/x/../cb", false},
		{web, "https://app.example.com/./cb", false},
		{web, "https://app.example.com//cb", false},
		{web, "https://app.example.com/%63b", false},
		{web, "https://app.example.com/CB", false},
		{web, "https://APP.example.com/cb", false},
		{web, "HTTPS://app.example.com/cb", false},
		{web, "http://app.example.com/cb", false},
		{web, "https://app.example.com:443/cb", false},
		{web, "https://app.example.com:8443/cb", false},
		{web, "https://app.example.com./cb", false},
		{web, "https://user@app.example.com/cb", false},
		{web, "https://app.example.com@evil.example/cb", false},
		{web, "https://evil.example/https://app.example.com/cb", false},
		{web, "https://app.example.com.evil.example/cb", false},
		{web, "https://app.example.com/cb\n", false},
		{web, " https://app.example.com/cb", false},
		{web, "//app.example.com/cb", false},
		{web, "/cb", false},
		{web, "https://app.example.com\\@evil.example/cb", false},
		{web, "https://house.example.com/cb", false}, // another application's
		{web, "http://127.0.0.1/cb", false},
		{web, "javascript:alert(1)", false},
		{web, issuerURL + "/oauth2/authorize", false},
		{legacy, "https://old.example.com/cb?kind=a", true},
		{legacy, "https://old.example.com/cb", true},
		{legacy, "https://old.example.com/cb?kind=b", false},
		{legacy, "https://old.example.com/cb?kind=a&x=y", false},
		{native, "http://127.0.0.1/cb", true},
		{native, "http://127.0.0.1:1/cb", true},
		{native, "http://127.0.0.1:65535/cb", true},
		{native, "http://127.0.0.1:0/cb", false},
		{native, "http://127.0.0.1:65536/cb", false},
		{native, "http://127.0.0.1:99999999999/cb", false},
		{native, "http://127.0.0.1:-1/cb", false},
		{native, "http://127.0.0.1:x/cb", false},
		{native, "http://127.0.0.1:+80/cb", false},
		{native, "http://127.0.0.1:8080/cb/", false},
		{native, "http://127.0.0.1:8080/CB", false},
		{native, "http://127.0.0.1:8080/cb?x=y", false},
		{native, "http://127.0.0.1:8080/cb#x", false},
		{native, "http://127.0.0.1:8080/x/../cb", false},
		{native, "https://127.0.0.1:8080/cb", false},
		{native, "HTTP://127.0.0.1:8080/cb", false},
		{native, "http://user@127.0.0.1:8080/cb", false},
		{native, "http://127.0.0.1:8080@evil.example/cb", false},
		{native, "http://127.0.0.1:80@127.0.0.1:80/cb", false},
		{native, "http://127.0.0.2:8080/cb", false},
		{native, "http://127.1:8080/cb", false},
		{native, "http://2130706433:8080/cb", false},
		{native, "http://0177.0.0.1:8080/cb", false},
		{native, "http://0.0.0.0:8080/cb", false},
		{native, "http://127.0.0.1.evil.example:8080/cb", false},
		{native, "http://[::1]/cb", true},
		{native, "http://[::1]:8080/cb", true},
		{native, "http://[0:0:0:0:0:0:0:1]:8080/cb", false},
		{native, "http://[::ffff:127.0.0.1]:8080/cb", false},
		{native, "http://[::1%25lo]:8080/cb", false},
		{native, "http://[::]:8080/cb", false},
		{native, "http://::1:8080/cb", false},
		{native, "http://localhost:3000/cb", true}, // RFC 8252 section 8.3: a name, exact to the port
		{native, "http://localhost:3001/cb", false},
		{native, "http://localhost/cb", false},
		{native, "http://LOCALHOST:3000/cb", false},
		{native, "com.example.app:/cb", true}, // RFC 8252 section 7.1
		{native, "com.example.app:/cb/", false},
		{native, "com.example.app://cb", false},
		{native, "com.example.app:cb", false},
		{native, "COM.example.app:/cb", false},
	} {
		t.Run(c.app+" "+c.uri, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.person().login("marco")
			f := authorization(c.app)
			f.Set("redirect_uri", c.uri)
			if !c.want {
				wantPage(t, b.get(authorizeTarget(f)), 400)
				f.Set("response_type", "token") // an error, either
				wantPage(t, b.get(authorizeTarget(f)), 400)
				return
			}
			a := b.visit(authorizeTarget(f))
			before, _, _ := strings.Cut(a.location(), "code=")
			if a.status != http.StatusSeeOther || strings.TrimRight(before, "?&") != c.uri || a.query().Get("code") == "" {
				t.Fatalf("%d %s %s", a.status, a.location(), a.body)
			}
			form := trade(c.app, a.query().Get("code"))
			form.Set("redirect_uri", c.uri)
			w.token(c.app, form)
		})
	}
}

// nextTricks are addresses that lead elsewhere, or would if they were believed.
func nextTricks() []string {
	return []string{
		"https://evil.example", "//evil.example", "///evil.example", "////evil.example/account", "/\\evil.example", "\\/evil.example", "\\\\evil.example",
		"https:evil.example", "https:/evil.example", "https:///evil.example", "http:evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x",
		"/%2f%2fevil.example", "%2f%2fevil.example", "/%5cevil.example", "/\tevil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example",
		"//evil.example/account", "//evil.example/oauth2/authorize?client_id=web", "/account@evil.example", "@evil.example/account", "evil.example", "./account/../..//evil.example",
		"/account/../..//evil.example", "/account/..%2f..%2f/evil.example", "//account", "//auth.example.com@evil.example/account", "https://auth.example.com.evil.example/account",
		"https://auth.example.com@evil.example/account", "/logout", "/login?next=//evil.example", "/account\r\nLocation: https://evil.example", "/account\x00", "?//evil.example", "#//evil.example",
		"/oauth2/token", "/.well-known/jwks.json", "mailto:a@evil.example", "//[::1]/account", "/;//evil.example", "/Account", "/account/", "https://auth.example.com/account", "ACCOUNT",
		"/oauth2/authorize/..//evil.example", "/oauth2/authorize%3f//evil.example", "//;@evil.example/account", "/%09/evil.example", "/%2e%2e//evil.example", "/\u2028/evil.example", "／／evil.example", "/%ff",
	}
}

func TestMustRFC9700LoginLeadsToPagesOfOurOwnAlone(t *testing.T) {
	for _, base := range []string{issuerURL, issuerURL + "/base", "http://127.0.0.1:8081"} {
		w := newWorld(t, at(base))
		for _, next := range nextTricks() {
			b := w.person()
			page := b.get("/login?" + fields("next", next).Encode())
			if strings.Contains(next, "\x00") {
				wantPage(t, page, 400)
				continue
			}
			for _, a := range []answer{
				b.submit(page, "/login", "username", "marco", "password", pass),
				b.submit(b.get("/login"), "/login", "username", "marco", "password", pass, "next", next),
			} {
				if a.status != http.StatusSeeOther || a.location() != w.path("/account") {
					t.Errorf("%s, next %q: %d to %q", base, next, a.status, a.location())
				}
			}
		}
		for _, next := range []string{"/account", "/device", "/device?user_code=BCDF-GHJK", "/account?x=//evil.example", authorizeTarget(authorization(web))} {
			a := w.person().submit(w.person().get("/login"), "/login")
			if a.status != http.StatusForbidden { // another's form
				t.Errorf("%d %s", a.status, a.body)
			}
			b := w.person()
			a = b.submit(b.get("/login?"+fields("next", w.path(next)).Encode()), "/login", "username", "marco", "password", pass)
			if a.status != http.StatusSeeOther || a.location() != w.path(next) {
				t.Errorf("%s, next %q: %d to %q", base, next, a.status, a.location())
			}
		}
	}
}

func TestMustRFC9700ARedirectionAfterALoginIsA303(t *testing.T) {
	w := newWorld(t)
	b := w.person()
	first := b.get(authorizeTarget(authorization(web)))
	second := b.submit(b.get(b.own(first)), "/login", "username", "marco", "password", pass)
	third := b.submit(b.get(b.own(second)), "/oauth2/authorize", "decision", "allow")
	for i, a := range []answer{first, second, third} { // RFC 9700 section 4.12
		if a.status != http.StatusSeeOther || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer" || a.body != "" {
			t.Errorf("step %d: %d %v %q", i+1, a.status, a.header, a.body)
		}
		if strings.Contains(a.location(), pass) || strings.Contains(a.location(), "csrf") {
			t.Errorf("step %d: %s", i+1, a.location())
		}
	}
}

func TestMustRFC9700ErrorsNeverLeadToAnAddressThatIsNotRegistered(t *testing.T) {
	w := newWorld(t)
	w.addApplication(store.Application{ID: "mute", Name: "Mute", Grants: []string{token.GrantClientCredentials}})
	for _, b := range []*person{w.person(), w.person().login("marco")} {
		for _, app := range []string{web, native, machine, "mute", "nobody", ""} {
			for _, spoil := range [][2]string{{"response_type", "token"}, {"scope", "admin"}, {"prompt", "none"}, {"max_age", "x"}, {"request", "x"}, {"state", "x"}, {"code_challenge", ""}} {
				f := authorization(app, spoil[0], spoil[1], "redirect_uri", "https://evil.example/cb")
				wantPage(t, b.get(authorizeTarget(f)), 400)
				f = authorization(app, spoil[0], spoil[1])
				f["redirect_uri"] = []string{"https://evil.example/cb", webCallback}
				wantPage(t, b.get(authorizeTarget(f)), 400)
			}
		}
	}
}

func TestMustRFC9700PagesAreNotOpenToScriptsOfOtherSites(t *testing.T) {
	w := newWorld(t)
	open := map[string]bool{
		"/oauth2/token": true, "/oauth2/revoke": true, "/oauth2/device_authorization": true, "/oauth2/userinfo": true,
		"/.well-known/jwks.json": true, "/.well-known/oauth-authorization-server": true, "/.well-known/openid-configuration": true,
		"/oauth2/authorize": false, "/oauth2/introspect": false, "/oauth2/global-token-revocation": false, "/oauth2/logins": false,
		"/login": false, "/logout": false, "/account": false, "/account/end": false, "/account/end-all": false, "/device": false,
	}
	origin := withHeader("Origin", "https://spa.example")
	for path, want := range open {
		preflight := w.send("OPTIONS", path, nil, origin, withHeader("Access-Control-Request-Method", "POST"), withHeader("Access-Control-Request-Headers", "authorization"))
		for _, a := range []answer{preflight, w.get(path, origin), w.post(path, url.Values{}, origin)} {
			if got := a.header.Get("Access-Control-Allow-Origin"); (got == "*") != want || !want && got != "" {
				t.Errorf("%s: %d allows %q, want %t", path, a.status, got, want)
			}
			if a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s allows cookies", path)
			}
		}
		if want && (preflight.status != 204 || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "Authorization")) {
			t.Errorf("%s: preflight %d %v", path, preflight.status, preflight.header)
		}
		if !want && preflight.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: preflight %d", path, preflight.status)
		}
	}
}

func TestMustAnswersThatCachesKeepAreTheSameForAllSites(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{metadataPath, openIDPath, "/.well-known/jwks.json"} {
		a, b := w.get(path), w.get(path, withHeader("Origin", "https://spa.example"))
		if name := "Access-Control-Allow-Origin"; a.header.Get(name) != b.header.Get(name) || a.header.Get(name) != "*" {
			t.Errorf("%s: %v, %v", path, a.header, b.header)
		}
	}
}

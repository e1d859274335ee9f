package door_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// wantPage wants a problem told by a page of ours, and nobody sent away.
func wantPage(t *testing.T, a answer, status int) {
	t.Helper()
	if a.status != status || a.location() != "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || strings.Contains(a.body, "http-equiv") {
		t.Errorf("%d %q %s, want a page with %d", a.status, a.location(), a.body, status)
	}
}

// wantBack wants the browser sent to an application's address with an error.
func wantBack(t *testing.T, a answer, address, code string) {
	t.Helper()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), address) || a.query().Get("error") != code || a.query().Has("code") {
		t.Errorf("%d %q %s, want %s with %s", a.status, a.location(), a.body, address, code)
	}
}

func TestMustRFC6749AuthorizationEndpoint(t *testing.T) {
	must(t, []rule{
		{"RFC 6749 section 3.1: a person has to prove who it is before anything is allowed", func(t *testing.T, w *world) {
			a := w.person().get(authorizeTarget(authorization(house)))
			if a.status != 303 || !strings.HasPrefix(w.own(a), "/login?next=") {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"RFC 6749 section 3.1: GET is supported", func(_ *testing.T, w *world) { w.code(web) }},
		{"RFC 6749 section 3.1: parameters without a value are treated as omitted, unknown ones ignored", func(t *testing.T, w *world) {
			target := authorizeTarget(authorization(web)) + "&scope=&nonce=&response_mode=&colour=blue&request="
			if a := w.person().visit(target); a.query().Get("code") == "" {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"RFC 6749 section 3.1: a parameter that stands there twice is refused, by a page", func(t *testing.T, w *world) {
			for _, name := range []string{"client_id", "redirect_uri", "state", "scope", "response_type", "code_challenge", "nonce", "unknown"} {
				f := authorization(web)
				f[name] = []string{authorization(web).Get(name) + "x", "y"}
				wantPage(t, w.person().login("marco").get(authorizeTarget(f)), 400)
			}
		}},
		{"RFC 6749 section 3.1.1 and 4.1.2.1: a missing response_type is invalid_request, another one unsupported_response_type", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			wantBack(t, b.get(authorizeTarget(authorization(web, "response_type", ""))), webCallback, "invalid_request")
			// RFC 9700 section 2.1.2: no implicit grant.
			for _, kind := range []string{"token", "id_token", "code token", "code id_token", "none", "CODE", "code code"} {
				wantBack(t, b.get(authorizeTarget(authorization(web, "response_type", kind))), webCallback, "unsupported_response_type")
			}
		}},
		{"RFC 6749 section 4.1.2.1: without an application or its redirect URI nobody is sent away", func(t *testing.T, w *world) {
			for _, b := range []*person{w.person(), w.person().login("marco")} {
				for _, f := range []url.Values{
					authorization(web, "client_id", ""), authorization(web, "client_id", "nobody"), authorization(web, "client_id", "marco"),
					authorization(legacy, "redirect_uri", ""), authorization(web, "redirect_uri", "https://evil.example/"), authorization(machine, "redirect_uri", webCallback),
				} {
					wantPage(t, b.get(authorizeTarget(f)), 400)
				}
			}
		}},
		{"RFC 6749 section 3.1.2.3: the redirect URI may be left out where one alone is registered", func(t *testing.T, w *world) {
			a := w.person().visit(authorizeTarget(authorization(web, "redirect_uri", "")))
			if !strings.HasPrefix(a.location(), webCallback+"?") {
				t.Fatal(a.location())
			}
			form := trade(web, a.query().Get("code"))
			form.Del("redirect_uri")
			w.token(web, form)
		}},
		{"RFC 6749 section 4.1.2.1: an application without the grant is unauthorized_client", func(t *testing.T, w *world) {
			app, err := w.issuer.Application(t.Context(), "default", web)
			w.do(err)
			app.Grants = []string{"password"}
			_, err = w.issuer.UpdateApplication(t.Context(), app)
			w.do(err)
			wantBack(t, w.person().login("marco").get(authorizeTarget(authorization(web))), webCallback, "unauthorized_client")
		}},
		{"RFC 6749 section 4.1.2.1: a scope that cannot be had is invalid_scope", func(t *testing.T, w *world) {
			for _, scope := range []string{"admin", "read  write", "re\"ad"} {
				wantBack(t, w.person().login("marco").get(authorizeTarget(authorization(web, "scope", scope))), webCallback, "invalid_scope")
			}
		}},
		{"RFC 8707 section 2: a resource that cannot be had is invalid_target", func(t *testing.T, w *world) {
			for _, r := range []string{"https://other.example/", "relative", resource + "#f"} {
				wantBack(t, w.person().login("marco").get(authorizeTarget(authorization(web, "resource", r))), webCallback, "invalid_target")
			}
		}},
		{"RFC 6749 section 4.1.2.1: what the person denies is access_denied, with state and iss", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			a := b.submit(b.get(authorizeTarget(authorization(web))), "/oauth2/authorize", "decision", "deny")
			wantBack(t, a, webCallback, "access_denied")
			if a.query().Get("state") != "st-1" || a.query().Get("iss") != w.url {
				t.Error(a.location())
			}
			for _, decision := range []string{"", "Allow", "yes"} { // allowed is what says so, and nothing else
				a := b.submit(b.get(authorizeTarget(authorization(web))), "/oauth2/authorize", "decision", decision)
				wantBack(t, a, webCallback, "access_denied")
			}
		}},
		{"RFC 6749 section 4.1.2 and 4.1.2.1: state comes back byte for byte, with codes and with errors", func(t *testing.T, w *world) {
			for _, state := range []string{"a", "a+b c%20", "?x=1&y=2#z", "\"<script>'\\", "é日本", strings.Repeat("s", 2000), "a\r\nSet-Cookie: x=1", " "} {
				for _, f := range []url.Values{authorization(web), authorization(web, "response_type", "token")} {
					f.Set("state", state)
					a := w.person().visit(authorizeTarget(f))
					if got := a.query().Get("state"); got != state || strings.ContainsAny(a.location(), "\r\n\"<> ") {
						t.Errorf("state %q came back as %q in %q", state, got, a.location())
					}
				}
			}
			if a := w.person().visit(authorizeTarget(authorization(web, "state", ""))); a.query().Has("state") {
				t.Error(a.location())
			}
		}},
		{"RFC 6749 section 3.1.2: a query of the redirect URI is kept", func(t *testing.T, w *world) {
			a := w.person().visit(authorizeTarget(authorization(legacy)))
			if !strings.HasPrefix(a.location(), "https://old.example.com/cb?kind=a&") || a.query().Get("code") == "" {
				t.Error(a.location())
			}
		}},
		{"RFC 6749 section 3.1.2: a redirect URI with a fragment, a relative one and one without TLS off loopback cannot be registered", func(t *testing.T, w *world) {
			for _, uri := range []string{"https://x.example/cb#f", "/cb", "http://x.example/cb", "https://*.example/cb", "javascript:alert(1)", "data:text/html,x", "https://u@x.example/", "app:/cb", ""} {
				app, err := w.issuer.Application(t.Context(), "default", web)
				w.do(err)
				app.RedirectURIs = []string{uri}
				if _, err := w.issuer.UpdateApplication(t.Context(), app); err == nil {
					t.Errorf("%q was registered", uri)
				}
			}
		}},
		{"RFC 6749 section 10.12: a decision is taken from our own page alone", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			target := authorizeTarget(authorization(web))
			b.get(target)
			wantPage(t, b.post(target, fields("decision", "allow")), 403)
			wantPage(t, b.post(target, fields("decision", "allow", "csrf", "x")), 403)
			wantPage(t, b.post(authorizeTarget(authorization(house)), url.Values{}), 403)
		}},
		{"RFC 6749 section 10.13: pages are not to be framed", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			for _, target := range []string{"/login", "/account", "/device", authorizeTarget(authorization(web)), "/oauth2/authorize"} {
				wantPageHeaders(t, b.get(target))
			}
			wantPageHeaders(t, b.post("/logout", url.Values{}))
		}},
		{"RFC 6749 section 10.2: an application that is not the house's is asked about, each time", func(t *testing.T, w *world) {
			b := w.person()
			b.visit(authorizeTarget(authorization(web)))
			for _, app := range []string{web, native} {
				a := b.get(authorizeTarget(authorization(app, "scope", "openid write")))
				for _, want := range []string{`name="decision"`, "marco", "write", "openid", "<code>" + app} {
					if a.status != 200 || !strings.Contains(a.body, want) {
						t.Errorf("%s: the page lacks %q: %d %s", app, want, a.status, a.body)
					}
				}
			}
		}},
		{"RFC 6749 section 10.14: nothing of a request becomes part of a page unescaped", func(t *testing.T, w *world) {
			const evil = `"><script>alert(1)</script>`
			b := w.person()
			for _, target := range []string{
				"/oauth2/authorize?client_id=" + url.QueryEscape(evil), "/oauth2/authorize?" + url.QueryEscape(evil) + "=1&" + url.QueryEscape(evil) + "=2",
				"/login?username=" + url.QueryEscape(evil) + "&next=" + url.QueryEscape(evil), "/device?user_code=" + url.QueryEscape(evil),
				authorizeTarget(authorization(web, "login_hint", evil, "state", evil)), "/login?next=" + url.QueryEscape(authorizeTarget(authorization(web, "login_hint", evil))),
			} {
				for range 2 {
					if a := b.get(target); strings.Contains(a.body, "<script") {
						t.Errorf("%s: %s", target, a.body)
					}
					if b.jar["__Host-ats_session"] == nil {
						b.login("marco")
					}
				}
			}
		}},
		{"RFC 6749 section 4.1.2.1: while the store is away nobody is sent anywhere, and it can be tried again", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			page := b.get(authorizeTarget(authorization(web)))
			w.store.breakDown(true)
			wantPage(t, b.get(authorizeTarget(authorization(web))), 503)
			wantPage(t, b.submit(page, "/oauth2/authorize", "decision", "allow"), 503)
			w.store.breakDown(false)
			if a := b.submit(page, "/oauth2/authorize", "decision", "allow"); a.query().Get("code") == "" {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"RFC 9207 section 2: iss is in every authorization response, codes and errors, and is the issuer of the metadata", func(t *testing.T, w *world) {
			b := w.person()
			for _, f := range []url.Values{authorization(web), authorization(web, "response_type", "token"), authorization(web, "prompt", "none")} {
				if a := b.visit(authorizeTarget(f)); a.query().Get("iss") != w.url || len(a.query()["iss"]) != 1 {
					t.Error(a.location())
				}
			}
			if m := w.get("/.well-known/oauth-authorization-server"); m.text("issuer") != w.url || m.member("authorization_response_iss_parameter_supported") != true {
				t.Error(m.body)
			}
		}},
	})
}

func wantPageHeaders(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%d: %s is %q, want %q", a.status, name, got, want)
		}
	}
	policy := a.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%d: policy %q", a.status, policy)
		}
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%d: a page answers other sites: %s", a.status, name)
		}
	}
}

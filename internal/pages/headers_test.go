package pages

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryPageHasTheSameHeaders(t *testing.T) {
	want := http.Header{
		"Content-Type":               {"text/html; charset=utf-8"},
		"Cache-Control":              {"no-store"},
		"Content-Security-Policy":    {"default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
		"Referrer-Policy":            {"no-referrer"},
		"X-Content-Type-Options":     {"nosniff"},
		"X-Frame-Options":            {"DENY"},
	}
	everyPage(t, func(t *testing.T, v view) {
		if diff := cmp.Diff(want, answer(newPages(t, Config{}), 200, v).Header()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFormMayEndUpOnlyAtTargetsOfTheRightForm(t *testing.T) {
	for target, want := range map[string]string{
		"https://app.example.com":      " https://app.example.com",
		"https://app.example.com:8443": " https://app.example.com:8443",
		"http://127.0.0.1:51004":       " http://127.0.0.1:51004",
		"http://localhost":             " http://localhost",
		"com.example.app:":             " com.example.app:",
		"com.example.app://callback":   " com.example.app://callback",
		"http://[::1]:51004":           " http:",

		"": "", "'self'": "", "'none'": "", "'unsafe-inline'": "", "*": "", "https://*": "", "https://*.example.com": "",
		"https:": "", "HTTP:": "", "javascript:": "", "data:": "", "ws:": "",
		"https://app.example.com/cb": "", "https://app.example.com?x": "", "https://app.example.com#x": "",
		"https://user@app.example.com": "", "https://app.example.com:": "", "https://app.example.com:*": "",
		"https://a https://b": "", "https://a;script-src *": "", "https://a, default-src *": "",
		"https://a\nX-Evil: 1": "", "https://a\n": "", "com.example.app:\r\n": "", "com.example.app:/cb": "", "app.example.com": "",
		"https://ä.example": "", "com.example.app://[::1]": "", "https://[;]": "",
	} {
		w := answer(newPages(t, Config{}), 200, Consent{Frame: Frame{FormTargets: []string{target}}})
		want = "default-src 'none'; style-src 'self'; form-action 'self'" + want + "; frame-ancestors 'none'; base-uri 'none'"
		if got := w.Header().Get("Content-Security-Policy"); got != want {
			t.Errorf("%q: %s", target, got)
		}
	}
}

func TestATargetIsNamedOnce(t *testing.T) {
	w := answer(newPages(t, Config{}), 200, Login{Frame: Frame{FormTargets: []string{"https://a", "https://b", "https://a"}}})
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' https://a https://b;") {
		t.Error(got)
	}
}

func TestTheStyleIsServedForEverUnderItsOwnName(t *testing.T) {
	p := newPages(t, Config{Base: "/auth"})
	for _, c := range []struct {
		method, path string
		status       int
		body         bool
	}{
		{"GET", p.StylePath(), 200, true},
		{"HEAD", p.StylePath(), 200, false},
		{"GET", strings.TrimPrefix(p.StylePath(), "/auth"), 200, true},
		{"POST", p.StylePath(), 405, false},
		{"GET", "/auth/assets/style-older.css", 404, false},
	} {
		w := httptest.NewRecorder()
		p.Style(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || (w.Body.String() == string(p.style)) != c.body {
			t.Errorf("%s %s: %d, %d bytes", c.method, c.path, w.Code, w.Body.Len())
		}
		forEver := w.Header().Get("Cache-Control") == "public, max-age=31536000, immutable"
		if forEver != (c.status == 200) {
			t.Errorf("%s %s: Cache-Control %s", c.method, c.path, w.Header().Get("Cache-Control"))
		}
		if c.status == 200 && (w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s %s: %v", c.method, c.path, w.Header())
		}
		if c.method == "HEAD" && w.Body.Len() != 0 {
			t.Error("HEAD has a body")
		}
	}
}

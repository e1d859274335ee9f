package door_test

import (
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
)

// wantAnswer wants an answer that is no failure, in a shape of the dialect.
func (w *world) wantAnswer(a answer, sent string) {
	w.Helper()
	if a.status >= 500 || len(w.failed) > 0 {
		w.Errorf("%q: %d %q %v", sent, a.status, a.body, w.failed)
	}
	if a.status >= 400 && !strings.HasPrefix(a.body, `{"code":`) || a.header.Get("Location") != "" {
		w.Errorf("%q: %d %q", sent, a.status, a.body)
	}
}

func FuzzTradeBody(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []string{
		`{"username":"bob","password":"x"}`, `{"grant_type":"refresh_token","refresh_token":"` + strings.Repeat("A", 64) + `"}`,
		`{"grant_type":"refresh_token","refresh_token":"` + strings.Repeat("z", 64) + `","domain":"x"}`,
		`{"username":"bob","password":"x","labels":["a"],"refresh_token_lifetime":1e300,"cookies":true}`, `{"username":"a","username":"b"}`,
		`username=bob&password=x&labels=a,b&refresh_token_lifetime=1`, `grant_type=refresh_token&refresh_token=x`, `%`, ``, `null`, `{`, "{\"username\":\"\xff\"}", `{"grant_type":1}`,
		strings.Repeat(`{"a":`, 40),
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, body string, form bool) {
		w.TB, w.failed = t, nil
		kind := "application/json"
		if form {
			kind = "application/x-www-form-urlencoded"
		}
		a := w.post(body, "Content-Type", kind)
		w.wantAnswer(a, body)
		if a.status == 200 {
			t.Errorf("%q is traded for %s", body, a.body)
		}
		w.wantAnswer(w.send("POST", ciphertrust.PathRevoke, body, "Content-Type", kind), body)
	})
}

func FuzzPath(f *testing.F) {
	w := newWorld(f)
	jwt := w.login("admin", "").text(f, "jwt")
	for _, seed := range []string{"tokens?skip=1", "tokens/x?limit=9999999999", "../configs/properties/%2e%2e", "configs/properties/X/reset", "%zz", "tokens/%00", "tokens?labels=%ff&user_id=%7c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		w.TB, w.failed = t, nil
		if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Contains(path, "%") && !isEscaped(path) {
			return // no client can send it
		}
		for _, root := range []string{"/api/v1/auth/", "/api/v1/configs/properties/"} {
			for _, method := range []string{"GET", "POST", "PATCH"} {
				w.wantAnswer(w.send(method, root+path, `{"value":"x"}`, bearer(jwt)...), path)
			}
		}
	})
}

// isEscaped reports whether every percent sign begins an escape.
func isEscaped(path string) bool {
	for rest := path; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return true
		}
		if len(after) < 2 || strings.Trim(after[:2], "0123456789abcdefABCDEF") != "" {
			return false
		}
		rest = after
	}
}

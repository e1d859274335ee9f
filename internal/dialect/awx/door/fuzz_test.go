package door_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// fuzzed is a house whose secrets must not come back.
type fuzzed struct {
	*world
	secrets []string
	paths   []string
}

func newFuzzed(t testing.TB) *fuzzed {
	w := newHouse(t)
	app, secret := w.addApp(1, "shop")
	k, own := w.keep("rob", app.ID, "read write"), w.keep("root", "", "write")
	return &fuzzed{w, []string{testPassword, secret.Reveal(), k.Access.Reveal(), k.Refresh.Reveal(), own.Access.Reveal()}, []string{
		awx.PathTokens, awx.PathApplications, awx.PathOrganizations, item(awx.PathTokens, k.Number), item(awx.PathApplications, app.Number), item(awx.PathOrganizations, 1),
		beneath(awx.PathUsers, 1, awx.ListApplications), "/api/v2/users/rob/tokens/", "/api/v2/users/rob/authorized_tokens/", "/api/v2/users/rob/personal_tokens/",
		beneath(awx.PathApplications, app.Number, awx.ListTokens), beneath(awx.PathOrganizations, 1, awx.ListApplications),
		beneath(awx.PathOrganizations, 1, awx.ListUsers), beneath(awx.PathOrganizations, 1, awx.ListAdmins),
	}}
}

// wantShape wants an answer of the dialect's that tells nothing that was not sent.
func (w *fuzzed) wantShape(a answer, sent string) {
	w.Helper()
	if a.status >= 500 || len(w.failed) > 0 {
		w.Errorf("%q: %d %q %v", sent, a.status, a.body, w.failed)
	}
	for _, secret := range w.secrets {
		if strings.Contains(a.body, secret) && !strings.Contains(sent, secret) {
			w.Errorf("%q: a secret is told: %s", sent, a.body)
		}
	}
	if a.status == http.StatusNoContent || a.status == http.StatusMovedPermanently {
		return
	}
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil || a.header.Get("Content-Type") != "application/json" {
		w.Errorf("%q: %d %s %q", sent, a.status, a.header.Get("Content-Type"), a.body)
		return
	}
	if a.status < 400 {
		return
	}
	for name, value := range o {
		_, isText := value.(string)
		list, isList := value.([]any)
		if name == "detail" && !isText || name != "detail" && (!isList || len(list) == 0) {
			w.Errorf("%q: %d %s", sent, a.status, a.body)
		}
	}
}

func FuzzBody(f *testing.F) {
	w := newFuzzed(f)
	for _, seed := range []string{
		`{"description":"My Access Token","application":1,"scope":"write"}`, `{"scope":"read write","description":null,"application":null}`, newApp,
		`{"name":"AuthCodeApp","user":1,"client_type":"public","redirect_uris":"http://a.example/ com.example:/x","authorization_grant_type":"authorization-code","skip_authorization":true}`,
		`{"id":2,"disassociate":true}`, `{"name":"Green"}`, `{"application":1e300}`, `{"application":-0}`, `{"organization":{"a":[[[]]]}}`, `{"scope":"\ud800"}`,
		`{"redirect_uris":"https://u:p@h/ * # http://[::1"}`, `scope=read`, ``, `null`, `[]`, `{`, "\xff", strings.Repeat(`{"a":`, 40), `{"name":"\u202e\u0000"}`,
	} {
		for n := range w.paths {
			f.Add(seed, uint8(n))
		}
	}
	f.Fuzz(func(t *testing.T, body string, at uint8) {
		w.TB, w.failed = t, nil
		path := w.paths[int(at)%len(w.paths)]
		for _, method := range []string{"POST", "PUT", "PATCH"} {
			for _, user := range []string{"root", "rita"} {
				a := w.as(user, method, path, body)
				w.wantShape(a, body)
				if a.status == http.StatusCreated && strings.Contains(path, awx.ListTokens) {
					w.do(w.door.EndFamily(t.Context(), store.AccessToken{Family: a.number(t, "id")}))
				}
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	w := newFuzzed(f)
	for _, seed := range []string{"page=2", "page=1&page_size=1&after=1", "page=9223372036854775807&page_size=200", "after=9223372036854775807", "id=1&name=Red", "username=%00", "order_by=id", "%zz", "a=%ff;b", "page=1&page=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w.TB, w.failed = t, nil
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
			return // no client can send it
		}
		for _, path := range append([]string{awx.PathMe, awx.PathUsers}, w.paths...) {
			w.wantShape(w.as("rita", "GET", path+"?"+query, ""), query)
		}
	})
}

func FuzzPath(f *testing.F) {
	w := newFuzzed(f)
	for _, seed := range []string{"tokens/1", "users/r%6fb/tokens/", "users/%2e%2e/", "users//tokens/", "tokens/%00/", "organizations/1/users", "../v2/tokens/", "tokens/99999999999999999999/", "*/", "users/*/", "users/%ff/applications/", "%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		w.TB, w.failed = t, nil
		u, err := url.ParseRequestURI("/api/v2/" + path)
		if err != nil || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '?' || r == '#' }) {
			return // no client can send it
		}
		for _, method := range []string{"GET", "OPTIONS", "POST", "PATCH", "BREW"} {
			a := w.as("rita", method, u.RequestURI(), `{"description":"x"}`)
			w.wantShape(a, path)
			if location := a.header.Get("Location"); location != "" && !strings.HasPrefix(location, "/api/") {
				t.Errorf("%q leads to %q", path, location)
			}
		}
	})
}

func FuzzCredentials(f *testing.F) {
	w := newFuzzed(f)
	w.do(w.core.SetDisabled(w.Context(), store.DefaultTenant, "nina", true))
	for _, seed := range []string{"Bearer x", "Bearer " + strings.Repeat("0", 30), "Bearer " + strings.Repeat("z", 30), "Basic Og==", "Basic cm9iOng=", "bearer eyJhbGciOiJub25lIn0.e30.", "Basic", " ", "Digest a", "Bearer a b"} {
		f.Add(seed, "")
		f.Add("", "sessionid="+seed)
	}
	f.Fuzz(func(t *testing.T, header, cookie string) {
		w.TB, w.failed = t, nil
		for _, secret := range w.secrets {
			if strings.Contains(header+cookie, secret) {
				return
			}
		}
		headers := []string{"Cookie", cookie}
		if header != "" {
			headers = append(headers, "Authorization", header)
		}
		a := w.send("GET", awx.PathTokens, "", headers...)
		w.wantShape(a, header+cookie)
		if a.status != 401 && a.status != 429 {
			t.Errorf("%q %q: %d", header, cookie, a.status)
		}
	})
}

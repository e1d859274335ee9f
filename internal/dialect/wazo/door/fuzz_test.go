package door_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// fuzzed is a world whose secrets must not come back.
type fuzzed struct {
	*world
	root    string
	secrets []string
	paths   []string
}

func newFuzzed(t testing.TB) *fuzzed {
	w := newWorld(t)
	refresh, access := w.offline("alice", "app")
	root := w.login("root")
	p, err := w.core.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "one", Templates: []string{"confd.x"}})
	w.do(err)
	return &fuzzed{w, root, []string{testPassword, refresh, access, root}, []string{
		wazo.PathToken, tokenPath(access), tokenPath(access) + "/scopes/check", wazo.PathBackends, wazo.PathStatus, wazo.PathTokens,
		wazo.PathMyTokens, wazo.PathMyTokens + "/none", wazo.PathSessions, wazo.PathSessions + "/x", wazo.PathMySessions, wazo.PathMySessions + "/x",
		wazo.PathPolicies, wazo.PathPolicies + "/" + p.UUID, wazo.PathPolicies + "/" + p.UUID + "/acl_templates/confd.y",
	}}
}

// wantShape wants an answer of the dialect's that tells nothing that was not sent.
func (w *fuzzed) wantShape(a answer, sent string) {
	w.Helper()
	if a.status >= 500 || len(w.failed) > 0 {
		w.Fatalf("%q: %d %q %v", sent, a.status, a.body, w.failed)
	}
	for _, secret := range w.secrets {
		if strings.Contains(a.body, secret) && !strings.Contains(sent, secret) {
			w.Errorf("%q: a secret is told: %s", sent, a.body)
		}
	}
	switch {
	case a.header.Get("Cache-Control") != "no-store":
		w.Errorf("%q: %d may be kept", sent, a.status)
	case a.status >= 400:
		refused(w, a)
	case a.status != http.StatusNoContent && !json.Valid([]byte(a.body)):
		w.Errorf("%q: %d %q", sent, a.status, a.body)
	}
}

// tidy ends the token that an answer gives, so that the next one finds room.
func (w *fuzzed) tidy(a answer) {
	if raw := a.text(w, "token"); a.status == 200 && raw != "" {
		w.do(w.door.EndOpaque(w.Context(), raw))
	}
}

func FuzzBody(f *testing.F) {
	w := newFuzzed(f)
	for _, seed := range []string{
		`{"backend":"xivo_user","expiration":600}`, `{"expiration":"600","access_type":"offline","client_id":"app"}`, `{"refresh_token":"x","client_id":"app"}`,
		`{"tenant_id":"x","domain_name":null}`, `{"scopes":["confd.users.me.read","#"],"tenant_uuid":"x"}`, `{"name":"n","description":null,"acl_templates":["confd.{{ uuid }}.#"]}`,
		`{"name":"one","acl_templates":["!confd.x"]}`, `{"expiration":1e300}`, `{"expiration":-0}`, `{"backend":{"a":[[[]]]}}`, `{"client_id":"\ud800"}`, `{"name":"\u202e\u0000"}`,
		``, `null`, `[]`, `{`, "\xff", strings.Repeat(`{"a":`, 40), `{"scopes":[` + strings.Repeat(`"*#*#",`, 300) + `"x"]}`,
	} {
		for n := range w.paths {
			f.Add(seed, uint8(n), n%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, body string, at uint8, mobile bool) {
		w.TB, w.failed = t, nil
		headers := append(basic("alice", testPassword), wazo.HeaderToken, w.root)
		if mobile {
			headers = append(headers, wazo.HeaderSession, wazo.SessionMobile)
		}
		path := w.paths[int(at)%len(w.paths)]
		for _, method := range []string{"POST", "PUT"} {
			a := w.send(method, path, body, headers...)
			if path == wazo.PathToken && a.status == 200 {
				w.tidy(a)
				continue // it tells a token, and perhaps the refresh token that was asked for
			}
			w.wantShape(a, path+body)
			if path == wazo.PathPolicies && a.status == 200 {
				uuid, _ := a.object(t)["uuid"].(string)
				w.do(w.core.DeletePolicy(t.Context(), store.DefaultTenant, uuid, 0))
			}
		}
	})
}

func FuzzPathAndQuery(f *testing.F) {
	w := newFuzzed(f)
	for _, seed := range [][2]string{
		{"token/63f3dc3c-865d-419e-bec2-e18c4b118224", "scope=confd.users.%6De.read&tenant="},
		{"token/%00", "scope=%zz"},
		{"token/x/scopes/check", ""},
		{"token", "a=%ff;b"},
		{"tokens", "limit=9223372036854775807&offset=2147483647&order=mobile&direction=desc&search=%25_"},
		{"users/me/tokens", "limit=0"},
		{"users/%7B%7D/tokens/%2F", ""},
		{"users/../sessions", "recurse=True"},
		{"sessions/%ff", ""},
		{"policies", "order=description&search=%00"},
		{"policies/x/acl_templates/%7B%7B%20uuid%20%7D%7D", ""},
		{"*", "*"},
		{"%2e%2e/0.1/token", ""},
		{"status", ""},
		{"backends//", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		w.TB, w.failed = t, nil
		sent := "/0.1/" + path + "?" + query
		u, err := url.ParseRequestURI(sent)
		if err != nil || strings.ContainsFunc(sent, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) || strings.Contains(path, "?") {
			return // no client can send it
		}
		own := w.paths[len(query)%len(w.paths)] + "?" + query
		for _, method := range []string{"GET", "POST", "PUT", "BREW"} {
			w.wantShape(w.as(w.root, method, u.RequestURI(), "{}"), sent)
			w.wantShape(w.as(w.root, method, own, "{}"), own)
		}
		if head := w.send("HEAD", u.RequestURI(), ""); head.status >= 500 {
			t.Errorf("HEAD %q: %d", sent, head.status)
		}
	})
}

// FuzzAccess sends one text as a template, as a scope and among scopes: what they say
// of it must agree.
func FuzzAccess(f *testing.F) {
	w := newFuzzed(f)
	w.do(w.core.AddUser(f.Context(), store.User{Tenant: store.DefaultTenant, Name: "eve", Policies: []string{"fuzzed"}}, passwordOf()))
	for _, seed := range [][2]string{
		{"confd.users.*.read", "confd.users.a.read"},
		{"#", ""},
		{"!#", "a"},
		{"confd.{{ uuid }}.#\n!confd.me.x", "confd.me.x"},
		{"{{ .voicemail }}", "x"},
		{"{{- uuid }}", "me"},
		{strings.Repeat("*#", 100), strings.Repeat("a.", 400)},
		{"my_session.edit", "my_session.update"},
		{"\x00", "\xff"},
		{"{{", "}}"},
		{"", "."},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, template, access string) {
		w.TB, w.failed = t, nil
		body, err := json.Marshal(map[string]any{"name": "fuzzed", "acl_templates": []string{template}})
		w.do(err)
		made := w.as(w.root, "POST", wazo.PathPolicies, string(body))
		w.wantShape(made, string(body))
		if uuid, _ := made.object(t)["uuid"].(string); uuid != "" {
			defer func() { w.do(w.core.DeletePolicy(t.Context(), store.DefaultTenant, uuid, 0)) }()
		}
		raw := w.login("eve")
		defer func() { w.do(w.door.EndOpaque(t.Context(), raw)) }()
		query := "?" + url.Values{"scope": {access}}.Encode()
		head, get := w.send("HEAD", tokenPath(raw)+query, "").status, w.send("GET", tokenPath(raw)+query, "").status
		sent, err := json.Marshal(map[string]any{"scopes": []string{access}})
		w.do(err)
		check := w.send("POST", tokenPath(raw)+"/scopes/check", string(sent))
		w.wantShape(check, string(sent))
		valid := strings.ToValidUTF8(access, "") == access
		given := strings.Contains(check.body, ": true")
		if (head == 204) != (get == 200) || head != 204 && head != 403 || valid && given != (head == 204) {
			t.Errorf("%q %q: HEAD %d, GET %d, check %s", template, access, head, get, check.body)
		}
	})
}

func FuzzCredentials(f *testing.F) {
	w := newFuzzed(f)
	w.do(w.core.SetDisabled(w.Context(), store.DefaultTenant, "root", true))
	for _, seed := range []string{
		"Basic Og==", "Basic YWxpY2U6", "Basic YWxpY2U=", "basic " + base64.StdEncoding.EncodeToString([]byte("ren\xe9e:x")), "Basic", "Basic  ", "Bearer x", "Digest a", "Basic YWxpY2U6czNjcmU3!", "Basic AA==",
		"63f3dc3c-865d-419e-bec2-e18c4b118224", " ", "\x7f",
	} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, header, bearer string) {
		w.TB, w.failed = t, nil
		if decoded, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(header[min(len(header), 6):])); strings.Contains(string(decoded), testPassword) {
			return
		}
		a := w.send("POST", wazo.PathToken, "", "Authorization", header)
		if w.wantShape(a, header); a.status != 401 && a.status != 429 {
			t.Errorf("%q: %d %s", header, a.status, a.body)
		}
		for _, secret := range w.secrets {
			if strings.Contains(bearer, secret) {
				return
			}
		}
		a = w.as(bearer, "GET", wazo.PathPolicies, "")
		if w.wantShape(a, bearer); a.status != 401 {
			t.Errorf("%q: %d %s", bearer, a.status, a.body)
		}
	})
}

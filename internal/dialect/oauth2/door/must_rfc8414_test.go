package door_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	metadataPath = "/.well-known/oauth-authorization-server"
	openIDPath   = "/.well-known/openid-configuration"
)

func metadataOf(t *testing.T, a answer) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &m); a.status != 200 || err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return m
}

func listOf(m map[string]any, name string) []string {
	var list []string
	all, _ := m[name].([]any)
	for _, one := range all {
		s, _ := one.(string)
		list = append(list, s)
	}
	return list
}

func TestMustRFC8414Metadata(t *testing.T) {
	must(t, []rule{
		{"RFC 8414 section 3.2: the answer is JSON, and its issuer is the URL that it was asked at", func(t *testing.T, w *world) {
			for _, path := range []string{metadataPath, openIDPath} {
				a := w.get(path)
				if m := metadataOf(t, a); m["issuer"] != w.url || a.header.Get("Content-Type") != "application/json" {
					t.Errorf("%v %s", a.header, a.body)
				}
			}
		}},
		{"RFC 8414 section 3.2: claims with zero elements are left out", func(t *testing.T, w *world) {
			for name, v := range metadataOf(t, w.get(metadataPath)) {
				if list, is := v.([]any); v == nil || v == "" || is && len(list) == 0 {
					t.Errorf("%s is %v", name, v)
				}
			}
		}},
		{"RFC 8414 section 2 and OpenID Connect Discovery section 3: what is required is there", func(t *testing.T, w *world) {
			m := metadataOf(t, w.get(metadataPath))
			for _, name := range []string{
				"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported", "subject_types_supported",
				"id_token_signing_alg_values_supported", "grant_types_supported", "scopes_supported",
			} {
				if m[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
			for name := range m { // RFC 8414 section 2: required where private_key_jwt is named, and never none
				if strings.HasSuffix(name, "_signing_alg_values_supported") && slices.Contains(listOf(m, name), "none") {
					t.Errorf("%s names none", name)
				}
			}
		}},
		{"RFC 8414 section 3.1: with an issuer that has a path the well-known part stands before the path, and for OpenID Connect behind it", func(t *testing.T, _ *world) {
			w := newWorld(t, at("https://example.com/auth/one"))
			host := "https://example.com"
			for _, address := range []string{host + metadataPath + "/auth/one", w.url + metadataPath, w.url + openIDPath, host + openIDPath + "/auth/one"} {
				m := metadataOf(t, w.fetch("GET", address))
				if m["issuer"] != w.url || m["token_endpoint"] != w.url+"/oauth2/token" {
					t.Errorf("%s: %v", address, m)
				}
			}
		}},
		{"security.md B 16: each endpoint that is advertised answers, and each that answers is advertised", advertised},
		{"security.md B 16: each grant that is advertised is known, and each that is known is advertised", func(t *testing.T, w *world) {
			list := listOf(metadataOf(t, w.get(metadataPath)), "grant_types_supported")
			if want := slices.Sorted(slices.Values(token.Grants())); !slices.Equal(list, want) {
				t.Errorf("%v, want %v", list, want)
			}
			for _, grant := range list {
				if a := w.post("/oauth2/token", fields("grant_type", grant), w.as(machine)); a.failure() == "unsupported_grant_type" {
					t.Errorf("%s: %s", grant, a.body)
				}
			}
		}},
		{"security.md B 16: each way to prove itself that is advertised works", func(t *testing.T, w *world) {
			m := metadataOf(t, w.get(metadataPath))
			apps := map[string]string{"client_secret_basic": basic, "client_secret_post": posting, "private_key_jwt": signer, "none": native}
			for _, name := range []string{"token_endpoint", "revocation_endpoint", "introspection_endpoint"} {
				list := listOf(m, name+"_auth_methods_supported")
				for _, method := range list {
					path := strings.TrimPrefix(m[name].(string), w.url)
					if a := w.post(path, fields("token", "x"), w.as(apps[method])); a.failure() == "invalid_client" {
						t.Errorf("%s by %s: %s", name, method, a.body)
					}
				}
				if slices.Contains(list, "none") != (name != "introspection_endpoint") || len(list) < 3 {
					t.Errorf("%s: %v", name, list)
				}
			}
		}},
		{"security.md B 16: scopes and response types that are advertised work", func(t *testing.T, w *world) {
			m := metadataOf(t, w.get(metadataPath))
			w.code(web, "scope", strings.Join(listOf(m, "scopes_supported"), " "))
			for _, kind := range listOf(m, "response_types_supported") {
				w.code(web, "response_type", kind)
			}
			for _, mode := range listOf(m, "response_modes_supported") {
				w.code(web, "response_mode", mode)
			}
			wantBack(t, w.person().login("marco").get(authorizeTarget(authorization(web, "response_mode", "fragment"))), webCallback, "invalid_request")
		}},
		{"RFC 7517 section 5: the keys are public, and one of them signed the tokens", func(t *testing.T, w *world) {
			a := w.get("/.well-known/jwks.json")
			keys, _ := a.member("keys").([]any)
			if len(keys) == 0 || !strings.HasPrefix(a.header.Get("Cache-Control"), "public") {
				t.Fatalf("%v %s", a.header, a.body)
			}
			ids := map[string]bool{}
			for _, one := range keys {
				key, _ := one.(map[string]any)
				ids[key["kid"].(string)] = true
				for _, private := range []string{"d", "k", "p", "q", "dp", "dq", "qi"} {
					if key[private] != nil {
						t.Errorf("it holds %s", private)
					}
				}
			}
			if kid := headerOf(t, w.token(machine, machineForm()).text("access_token"))["kid"]; !ids[kid.(string)] {
				t.Errorf("kid %v is not among %v", kid, ids)
			}
		}},
		{"RFC 9110 section 15.5.6: a method that an endpoint does not take is a 405 with Allow", func(t *testing.T, w *world) {
			for path, allow := range map[string]string{
				"/oauth2/token": "POST", "/oauth2/revoke": "POST", "/oauth2/introspect": "POST", "/oauth2/authorize": "GET, POST", "/oauth2/userinfo": "GET, HEAD, POST",
				"/.well-known/jwks.json": "GET, HEAD", metadataPath: "GET, HEAD", "/login": "GET, HEAD, POST", "/logout": "POST", "/account": "GET, HEAD", "/account/end": "POST",
			} {
				for _, method := range []string{"DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "FOO"} {
					if a := w.send(method, path, nil); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
						t.Errorf("%s %s: %d, Allow %q", method, path, a.status, a.header.Get("Allow"))
					}
				}
				if a := w.send("HEAD", path, nil); (a.status == http.StatusMethodNotAllowed) != !strings.Contains(allow, "HEAD") {
					t.Errorf("HEAD %s: %d", path, a.status)
				}
			}
		}},
		{"a path has one spelling", func(t *testing.T, w *world) {
			for _, path := range []string{"/oauth2/token/", "/oauth2//token", "/OAUTH2/token", "/oauth2/%74oken", "/oauth2/./token", "/oauth2", "/"} {
				if a := w.post(path, machineForm(), w.as(machine)); a.status != http.StatusNotFound {
					t.Errorf("%s: %d", path, a.status)
				}
			}
		}},
	})
}

func advertised(t *testing.T, w *world) {
	names := map[string]string{}
	for name, v := range metadataOf(t, w.get(metadataPath)) {
		address, _ := v.(string)
		if name == "issuer" || !strings.HasPrefix(address, w.url) {
			continue
		}
		path := strings.TrimPrefix(address, w.url)
		names[path] = name
		if a := w.post(path, url.Values{}); a.status == http.StatusNotFound {
			t.Errorf("%s: %s is not found", name, path)
		}
	}
	for path, name := range map[string]string{
		"/oauth2/token": "token_endpoint", "/oauth2/authorize": "authorization_endpoint", "/oauth2/revoke": "revocation_endpoint",
		"/oauth2/introspect": "introspection_endpoint", "/oauth2/userinfo": "userinfo_endpoint", "/.well-known/jwks.json": "jwks_uri",
		"/oauth2/device_authorization": "device_authorization_endpoint", "/oauth2/global-token-revocation": "global_token_revocation_endpoint",
		"/oauth2/logins": "logins_endpoint", "/v1/revocations": "revocations_endpoint",
	} {
		if names[path] != name {
			t.Errorf("%s is advertised as %q, want %q", path, names[path], name)
		}
		delete(names, path)
	}
	for path, name := range names {
		t.Errorf("%s: %s is advertised and in no test", name, path)
	}
}

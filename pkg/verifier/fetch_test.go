package verifier

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestWhatHasBeenPublishedIsNoSecret(t *testing.T) {
	oct := `{"kty":"oct","kid":"s","alg":"HS256","k":"` + b64(strongSecret) + `"}`
	server := newKeyServer(t, `{"keys":[`+oct+`]}`)
	v := newVerifier(t, sourced(newSource(t, SourceConfig{URL: server.URL}), nil))
	refuses(t, v, forged(`{"alg":"HS256","kid":"s"}`, goodPayload), token.ErrUnavailable)
	server.set(`{"keys":[` + oct + `,` + jwk(t, "P-256", `{`, `{"kid":"a",`) + `]}`)
	v = newVerifier(t, sourced(newSource(t, SourceConfig{URL: server.URL}), nil))
	refuses(t, v, forged(`{"alg":"HS256","kid":"s"}`, goodPayload), token.ErrSignature)
	accepts(t, v, by(t, "a"))
}

func TestKeysComeOnlyOverHTTPSOrFromThisMachine(t *testing.T) {
	for _, c := range []SourceConfig{
		{URL: "http://keys.example.org/jwks"},
		{URL: "http://127.0.0.1.example.org/"},
		{URL: "http://localhost.example.org/"},
		{URL: "ftp://localhost/"},
		{URL: "file:///etc/passwd"},
		{URL: "https:///jwks"},
		{URL: "https://user:pass@example.org/"},
		{URL: "https://example.org/#a"},
		{URL: ":"},
		{Issuer: "http://example.org"},
		{Issuer: "example.org"},
		{},
		{URL: "https://a", Issuer: "https://a"},
		{File: "a", URL: "https://a"},
		{File: "a", Refresh: -1},
	} {
		if _, err := NewSource(c); err == nil || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, u := range []string{"https://example.org/jwks", "http://127.0.0.1:1/", "http://127.8.8.8/", "http://[::1]:8080/x", "http://localhost/"} {
		newSource(t, SourceConfig{URL: u})
	}
}

func TestARedirectLeadsOnlyWhereKeysMayComeFrom(t *testing.T) {
	final := newKeyServer(t, setOf(t, "a"))
	where := ""
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, where, http.StatusFound) }
	plain := newKeyServer(t, "")
	plain.handle(redirect)
	secure := httptest.NewTLSServer(http.HandlerFunc(redirect))
	defer secure.Close()
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{plain.URL, final.URL, true},
		{plain.URL, "http://keys.example.org/", false},
		{plain.URL, "file:///etc/passwd", false},
		{plain.URL, plain.URL, false},
		{secure.URL, final.URL, false},
	} {
		where = c.to
		client := *secure.Client()
		source := newSource(t, SourceConfig{URL: c.from, Client: &client})
		set, err := source.KeySet(t.Context(), nil)
		if (set != nil) != c.ok || !c.ok && !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}

func TestAnIssuerIsAskedForItsKeys(t *testing.T) {
	server := newKeyServer(t, "")
	for name, c := range map[string]struct {
		path, wellKnown string // of the issuer, of its metadata
		named           string // the issuer in the metadata; empty: as asked for
		jwks            string // empty: the server's
		says            string // empty: accepted
	}{
		"OpenID Connect":                 {"", "/.well-known/openid-configuration", "", "", ""},
		"OpenID Connect with a path":     {"/a/b", "/a/b/.well-known/openid-configuration", "", "", ""},
		"OpenID Connect, slash at end":   {"/a/", "/a/.well-known/openid-configuration", "", "", ""},
		"RFC 8414":                       {"", "/.well-known/oauth-authorization-server", "", "", ""},
		"RFC 8414 with a path":           {"/a/b", "/.well-known/oauth-authorization-server/a/b", "", "", ""},
		"another issuer":                 {"", "/.well-known/openid-configuration", "https://evil.example.org", "", "it is about the issuer"},
		"the issuer with a slash behind": {"", "/.well-known/openid-configuration", server.URL + "/", "", "it is about the issuer"},
		"keys over http":                 {"", "/.well-known/openid-configuration", "", "http://example.org/jwks", "neither https nor"},
		"no metadata":                    {"", "/elsewhere", "", "", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := server.URL + c.path
			if c.named == "" {
				c.named = issuer
			}
			if c.jwks == "" {
				c.jwks = server.URL + "/jwks"
			}
			server.handle(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case c.wellKnown:
					w.Write([]byte(`{"issuer":"` + c.named + `","jwks_uri":"` + c.jwks + `"}`))
				case "/jwks":
					w.Write([]byte(setOf(t, "a")))
				default:
					http.NotFound(w, r)
				}
			})
			v := newVerifier(t, sourced(newSource(t, SourceConfig{Issuer: issuer}), nil))
			_, err := v.Verify(t.Context(), pairs()["P-256"].sign(t, "ES256", "a", `{"exp":1700000060,"iss":"`+issuer+`"}`))
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if c.says == "" {
				refuses(t, v, by(t, "a"), token.ErrClaims) // another iss by the same key
			}
		})
	}
	source := newSource(t, SourceConfig{Issuer: server.URL})
	if _, err := New(Config{Source: source, Issuer: "https://other"}); err == nil {
		t.Error("keys of one issuer judge tokens of another")
	}
	if _, err := New(Config{Source: source, Keys: []Key{strongKey()}}); err == nil {
		t.Error("both keys and a source")
	}
}

func TestAnIssuerThatIsAskedOverHTTPSDoesNotPointAtHTTP(t *testing.T) {
	for uri, good := range map[string]bool{
		"https://keys.example.org/jwks": true,
		"HTTPS://keys.example.org/jwks": true,
		"http://127.0.0.1:8080/jwks":    false, // whoever has that port here
		"http://keys.example.org/jwks":  false,
		"file:///etc/keys":              false,
		"":                              false,
	} {
		from, err := keysOf("https://idp.example.org", `{"issuer":"https://idp.example.org","jwks_uri":"`+uri+`"}`)
		if (err == nil) != good {
			t.Errorf("%q: %q, %v", uri, from, err)
		}
	}
}

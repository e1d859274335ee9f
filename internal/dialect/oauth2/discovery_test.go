package oauth2

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMetadataIsBetweenHostAndPathElseBehindTheIssuer(t *testing.T) {
	const standard, openID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	for _, c := range []struct {
		path   string
		places []string // the first of which there is nothing
		status int
	}{
		{"", []string{standard}, 0},
		{"/", []string{standard}, 0},
		{"/tenant/a", []string{standard + "/tenant/a"}, 0},
		{"/tenant/a/", []string{standard + "/tenant/a"}, 0},
		{"", []string{standard, openID}, 404},
		{"/tenant/a/", []string{standard + "/tenant/a", "/tenant/a" + openID}, 404},
		{"/v2", []string{standard + "/v2", "/v2" + openID}, 400},
		{"/v2", []string{standard + "/v2", "/v2" + openID}, 403},
	} {
		p := newProvider(t, c.path)
		if c.status != 0 {
			p.say(c.places[0], c.status, "<html>nothing here")
			p.say(c.places[1], 200, p.metadata)
		}
		client := p.client(nil)
		for range 3 { // asked for once
			if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil {
				t.Errorf("%s: %v", c.path, err)
			}
		}
		var got []string
		for _, s := range p.seen {
			if strings.Contains(s.path, "well-known") {
				got = append(got, s.path)
				if s.method != http.MethodGet || s.header.Get("Authorization") != "" {
					t.Errorf("%s %s with Authorization %q", s.method, s.path, s.header.Get("Authorization"))
				}
			}
		}
		if strings.Join(got, " ") != strings.Join(c.places, " ") {
			t.Errorf("%s: asked at %v, want %v", c.path, got, c.places)
		}
	}
}

func TestAFailureAtDiscoveryIsNotKept(t *testing.T) {
	p := newProvider(t, "")
	good := p.answers[PathMetadata]
	p.say(PathMetadata, 503, "")
	client := p.client(nil)
	if _, err := client.Login(t.Context(), marco(), token.Request{}); !errors.Is(err, token.ErrUnavailable) {
		t.Error(err)
	}
	p.answers[PathMetadata] = good
	if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil {
		t.Error(err)
	}
	if n := len(p.asked(PathOpenID)); n != 0 {
		t.Error("a service that fails was asked for its other metadata")
	}
}

func TestAServiceThatIsAnotherIssuerIsRefusedAndBothAreNamed(t *testing.T) {
	for _, other := range []any{"https://evil.example.org", "+/", "+/x", "", nil, 1, strings.Repeat("x", 5000), "http://\x1b[31m"} {
		p := newProvider(t, "")
		if s, ok := other.(string); ok {
			other = strings.Replace(s, "+", p.issuer, 1)
		}
		p.metadata["issuer"] = other
		_, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
		if !errors.Is(err, token.ErrUnavailable) || len(err.Error()) > 500 || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%v: %v", other, err)
		}
		if s, ok := other.(string); ok && len(s) < 100 && visible(s) && !(strings.Contains(err.Error(), p.issuer) && strings.Contains(err.Error(), s)) {
			t.Errorf("%q does not name both %s and %s", err, p.issuer, s)
		}
		if len(p.asked("/token")) != 0 {
			t.Errorf("%v: the password was sent", other)
		}
	}
}

func TestSecretsGoToNoEndpointThatIsNotHTTPSOrOnThisMachine(t *testing.T) {
	bad := []any{
		"http://auth.example.org/token", "http://192.0.2.1/token", "http://localhost.example.org/", "ftp://auth.example.org/", "/token", "token", "//x/y", "",
		"https://", "https://u:p@auth.example.org/", "https://auth.example.org/#f", "https://auth.example.org/#", "javascript:alert(1)",
		"https://auth.example.org/a b", "https://auth.example.org/\n", "https://aüth.example.org/", "file:///etc/passwd", "https:auth.example.org", 1,
		[]string{},
		true,
	}
	for _, name := range []string{"token_endpoint", "authorization_endpoint", "introspection_endpoint", "device_authorization_endpoint"} {
		for _, address := range bad {
			p := newProvider(t, "")
			p.metadata[name] = address
			_, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
			if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %v: %v", name, address, err)
			}
			if len(p.asked("/token")) != 0 {
				t.Errorf("%s %v: the password was sent", name, address)
			}
		}
	}
}

// TestAnHTTPSIssuerNamesNoPlainEndpoint: not even on this machine, where another
// program may listen.
func TestAnHTTPSIssuerNamesNoPlainEndpoint(t *testing.T) {
	for address, good := range map[string]bool{"http://127.0.0.1:8081/token": false, "http://localhost/token": false, "https://tokens.example.com/token": true} {
		exchange := func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
			if m.Form != nil {
				return dialect.Reply{Status: 200, Body: []byte(`{"access_token":"at","token_type":"Bearer"}`)}, nil
			}
			return dialect.Reply{Status: 200, Body: []byte(`{"issuer":"https://auth.example.org","token_endpoint":"` + address + `"}`)}, nil
		}
		c, err := NewClient(Config{Exchange: exchange, Issuer: "https://auth.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Login(t.Context(), marco(), token.Request{}); good != (err == nil) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAnIssuerIsHTTPSOrOnThisMachine(t *testing.T) {
	for issuer, good := range map[string]bool{
		"https://auth.example.org": true, "https://auth.example.org/": true, "https://auth.example.org:8443/a/b": true,
		"http://127.0.0.1:8081": true, "http://[::1]:8081/x": true, "http://localhost:1": true, "HTTPS://auth.example.org": true,
		"": false, "http://auth.example.org": false, "http://10.0.0.1": false, "auth.example.org": false, "https://auth.example.org?x": false,
		"https://auth.example.org?": false, "https://auth.example.org#": false, "https://u@auth.example.org": false, "https://": false, "\x00": false,
	} {
		_, err := NewClient(Config{Issuer: issuer})
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "issuer") {
			t.Errorf("%q: %v", issuer, err)
		}
	}
}

func TestMetadataThatMakesNoSenseIsUnavailable(t *testing.T) {
	p := newProvider(t, "")
	for name, a := range map[string]reply{
		"a page": {200, "<html>Sign in to the Wi-Fi</html>", nil}, "nothing": {200, "", nil}, "an array": {200, "[]", nil}, "null": {200, "null", nil},
		"a member twice": {200, `{"issuer":"` + p.issuer + `","issuer":"` + p.issuer + `"}`, nil},
		"cut":            {200, `{"issuer":"` + p.issuer + `"`, nil}, "deep": {200, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), nil},
		"a redirection": {302, "", map[string]string{"Location": "https://evil.example.org/"}}, "a failure": {500, "<html>", nil},
		"no content": {204, "", nil}, "another object": {200, `{"status":"ok"}`, nil}, "huge": {200, `{"issuer":"` + strings.Repeat("x", 1<<20) + `"}`, nil},
	} {
		p.answers[PathMetadata] = func(sent) reply { return a }
		_, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
		if !errors.Is(err, token.ErrUnavailable) || strings.Contains(err.Error(), "<") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.asked("/token")) != 0 {
		t.Error("the password was sent")
	}
}

func TestAServerWithoutMetadataIsUnsupported(t *testing.T) {
	p := newProvider(t, "")
	delete(p.answers, PathMetadata)
	_, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
	if !errors.Is(err, token.ErrUnsupported) || !strings.Contains(err.Error(), "no OAuth 2.0 or OpenID metadata is at "+p.issuer) {
		t.Error(err)
	}
}

func TestAnEndpointThatIsNotThereIsUnsupported(t *testing.T) {
	secret := token.NewSecret("raw")
	for name, call := range map[string]func(*Client) error{
		"token_endpoint":                   func(c *Client) error { _, err := c.Login(t.Context(), marco(), token.Request{}); return err },
		"introspection_endpoint":           func(c *Client) error { _, err := c.Check(t.Context(), secret); return err },
		"revocation_endpoint":              func(c *Client) error { return c.Revoke(t.Context(), secret) },
		"global_token_revocation_endpoint": func(c *Client) error { return c.RevokeAll(t.Context(), secret, "marco") },
		"logins_endpoint":                  func(c *Client) error { _, err := c.List(t.Context(), secret); return err },
		"device_authorization_endpoint": func(c *Client) error {
			_, err := c.Grant(t.Context(), token.Grant{Type: token.GrantDeviceCode, ShowDevice: func(token.DeviceCode) {}}, token.Request{})
			return err
		},
		"authorization_endpoint": func(c *Client) error {
			_, err := c.Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: func(string) {}}, token.Request{})
			return err
		},
	} {
		for _, absent := range []bool{true, false} {
			p := newProvider(t, "")
			p.metadata[name] = nil
			if absent {
				delete(p.metadata, name)
			}
			if err := call(p.client(nil)); !errors.Is(err, token.ErrUnsupported) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(`{"issuer":"https://auth.example.org","token_endpoint":"https://auth.example.org/token"}`)
	f.Add(`{"issuer":"https://auth.example.org","token_endpoint":"http://127.0.0.1/"}`)
	f.Add(`{"issuer":"https://auth.example.org","token_endpoint":null,"scopes_supported":[1],"logins_endpoint":"https://x@y"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := NewClient(Config{Issuer: "https://auth.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.readMetadata(dialect.Reply{Status: 200, Body: []byte(body)})
		if err != nil {
			if !errors.Is(err, token.ErrUnavailable) || strings.ContainsAny(err.Error(), "\n\x1b\x00") || len(err.Error()) > 600 {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for _, address := range []string{m.token, m.authorization, m.device, m.revocation, m.introspection, m.revokeAll, m.logins} {
			if address != "" && !strings.HasPrefix(strings.ToLower(address), "https://") {
				t.Errorf("%q: %s", body, address)
			}
		}
	})
}

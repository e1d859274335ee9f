package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const appSecret = "s3cret&of the app"

// provider is an OAuth 2.0 service below /tenant whose endpoints answer alike.
func provider(t *testing.T, serve http.HandlerFunc) (issuer string) {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	issuer = s.URL + "/tenant"
	mux.HandleFunc("GET /.well-known/oauth-authorization-server/tenant", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": issuer, "token_endpoint": s.URL + "/token", "revocation_endpoint": s.URL + "/revoke", "introspection_endpoint": s.URL + "/introspect",
			"global_token_revocation_endpoint": s.URL + "/all", "logins_endpoint": s.URL + "/logins", "device_authorization_endpoint": s.URL + "/device",
		})
	})
	mux.HandleFunc("/", serve)
	return issuer
}

func TestAnIssuerIsEnough(t *testing.T) {
	issuer := provider(t, func(w http.ResponseWriter, r *http.Request) {
		id, secret, ok := r.BasicAuth()
		if r.URL.Path != "/token" || r.FormValue("username") != "marco" || r.FormValue("password") != password || !ok || id != "app" || secret != url.QueryEscape(appSecret) {
			t.Errorf("%s %v %q %q", r.URL, r.Form, id, secret)
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"}`, jwt)
	})
	for _, c := range []Config{{Issuer: issuer}, {URL: issuer}, {URL: "https://elsewhere.example.org", Issuer: issuer}} {
		c.Dialect, c.ClientID, c.ClientSecret = "oauth2", "app", token.NewSecret(appSecret)
		client := newClient(t, c)
		set, err := client.Login(t.Context(), marco(), token.Request{})
		if err != nil || set.AccessToken.Reveal() != jwt || client.Issuer() != issuer || client.URL() != issuer || client.Exposed() {
			t.Errorf("%+v, %v, %s, %s", set, err, client.Issuer(), client.URL())
		}
	}
}

func TestAnIssuerIsKeptToTheLetter(t *testing.T) {
	client := newClient(t, Config{URL: "https://tenant.example.org/", Dialect: "oauth2"})
	if client.Issuer() != "https://tenant.example.org/" || client.URL() != "https://tenant.example.org" {
		t.Errorf("%s, %s", client.Issuer(), client.URL())
	}
	if client := newClient(t, Config{URL: "https://auth.example.org", Issuer: "ats.auth"}); client.Issuer() != "" {
		t.Errorf("another dialect has the issuer %s", client.Issuer())
	}
	for _, c := range []Config{{}, {Issuer: "http://auth.example.org"}, {URL: "http://192.0.2.1"}, {Issuer: "https://u:p@auth.example.org"}, {URL: "https://a.example.org", ClientSecret: token.NewSecret("s")}} {
		c.Dialect = "oauth2"
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestAnotherDialectKnowsOneGrant(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"token":%q}`, jwt) }))
	defer s.Close()
	c := newClient(t, Config{URL: s.URL})
	if set, err := c.Grant(t.Context(), token.Grant{Type: token.GrantPassword, Credentials: marco()}, token.Request{}); err != nil || set.AccessToken.Reveal() != jwt {
		t.Errorf("%+v, %v", set, err)
	}
	for _, grant := range []string{token.GrantClientCredentials, token.GrantDeviceCode, token.GrantAuthorizationCode, token.GrantTokenExchange, ""} {
		if _, err := c.Grant(t.Context(), token.Grant{Type: grant}, token.Request{}); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", grant, err)
		}
	}
}

func TestTheEndpointsOfARedirectingServiceSeeNoSecret(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("elsewhere was sent %v", r) }))
	defer elsewhere.Close()
	issuer := provider(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	c := newClient(t, Config{Issuer: issuer, Dialect: "oauth2", ClientID: "app", ClientSecret: token.NewSecret(appSecret)})
	_, loginErr := c.Login(t.Context(), marco(), token.Request{})
	for _, err := range []error{loginErr, c.Revoke(t.Context(), token.NewSecret(jwt)), c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco")} {
		if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "redirects") {
			t.Error(err)
		}
	}
}

// tracedOAuth2 runs every verb of the dialect against a service that answers alike
// to all, and returns what was traced.
func tracedOAuth2(t *testing.T, open bool, method string, serve http.HandlerFunc) string {
	t.Helper()
	key, err := signing.Generate("ES256")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	config := Config{
		Issuer: provider(t, serve), Dialect: "oauth2", ClientID: "app", ClientSecret: token.NewSecret(appSecret), AuthMethod: method,
		TraceSecrets: open, Trace: func(line string) { lines = append(lines, line) },
	}
	if method == "private_key_jwt" {
		config.ClientKey, config.ProofKey = key, key
	}
	c := newClient(t, config)
	_, _ = c.Login(t.Context(), marco(), token.Request{Scope: "read write"})
	_, _ = c.Refresh(t.Context(), token.NewSecret(opaque), token.Request{})
	_, _ = c.Grant(t.Context(), token.Grant{Type: token.GrantTokenExchange, Subject: token.NewSecret(opaque), Actor: token.NewSecret(opaque)}, token.Request{})
	_, _ = c.Grant(t.Context(), token.Grant{Type: token.GrantDeviceCode, ShowDevice: func(token.DeviceCode) {}}, token.Request{})
	_, _ = c.Check(t.Context(), token.NewSecret(jwt))
	_ = c.Revoke(t.Context(), token.NewSecret(opaque))
	_ = c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco")
	_, _ = c.List(t.Context(), token.NewSecret(opaque))
	return strings.Join(lines, "\n") + "\n"
}

func TestATraceOfOAuth2ShowsNoSecret(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post", "private_key_jwt"} {
		for name, serve := range services() {
			trace := tracedOAuth2(t, false, method, serve)
			for _, line := range strings.Split(trace, "\n") {
				for _, secret := range []string{password, url.QueryEscape(password), appSecret, url.QueryEscape(appSecret), signature, "cret"} {
					if strings.HasPrefix(line, ">") && strings.Contains(strings.ReplaceAll(line, "client_secret", ""), secret) {
						t.Errorf("%s, %s: %q is shown: %s", method, name, secret, line)
					}
				}
				if strings.HasPrefix(line, ">") && strings.Contains(line, opaque) {
					t.Errorf("%s, %s: %s", method, name, line)
				}
			}
			if strings.Contains(trace, signature) {
				t.Errorf("%s, %s: a signature is shown", method, name)
			}
			first := strings.Split(trace, "> POST ")[1]
			if strings.Contains(first, password) || strings.Contains(first, url.QueryEscape(password)) {
				t.Errorf("%s, %s: an answer shows what was sent:\n%s", method, name, first)
			}
		}
	}
}

func TestATraceOfOAuth2TellsWhatIsNoSecret(t *testing.T) {
	serve := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("DPoP-Nonce", "nonce-1")
		fmt.Fprint(w, `{"access_token":"opaque-access","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","id_token":"x"}`)
	}
	trace := tracedOAuth2(t, false, "client_secret_basic", serve)
	for _, want := range []string{
		"/.well-known/oauth-authorization-server/tenant\n> Accept: \"application/json\"\n", `"token_endpoint":"http://127.0.0.1`,
		"> Authorization: Basic <redacted>\n", "> grant_type=password&password=<redacted>&scope=read+write&username=marco\n",
		"subject_token=<redacted>&subject_token_type=urn%3Aietf", `"token_type":"Bearer"`, `"access_token":"<redacted>"`, `: "nonce-1"`, "> token=eyJ",
	} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace lacks %q:\n%s", want, trace)
		}
	}
	trace = tracedOAuth2(t, false, "private_key_jwt", serve)
	for _, want := range []string{".<signature>&client_assertion_type=urn", "> Dpop: \"eyJ", "> Authorization: DPoP eyJ"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace lacks %q:\n%s", want, trace)
		}
	}
	trace = tracedOAuth2(t, true, "client_secret_post", serve)
	for _, want := range []string{url.QueryEscape(password), url.QueryEscape(appSecret), opaque, "opaque-access"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the open trace lacks %q:\n%s", want, trace)
		}
	}
}

func TestWhatCountsOnceIsSentOnce(t *testing.T) {
	for once, want := range map[bool]int{true: 1, false: 3} {
		tries := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tries++; r.FormValue("a") != "b c" {
				t.Errorf("try %d sent %v", tries, r.Form)
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		u, err := parseURL("https://auth.example.org")
		if err != nil {
			t.Fatal(err)
		}
		courier, err := newCourier(Config{}, u)
		if err != nil {
			t.Fatal(err)
		}
		courier.wait = func(context.Context, time.Duration) error { return nil }
		reply, err := courier.carry(t.Context(), dialect.Message{Method: "POST", Path: s.URL + "/x", Form: url.Values{"a": {"b c"}}, Once: once})
		s.Close()
		if err != nil || reply.Status != 503 || tries != want {
			t.Errorf("once %v: %d, %v after %d tries, want %d", once, reply.Status, err, tries, want)
		}
	}
}

func TestEveryDialectIsMade(t *testing.T) {
	if got := strings.Join(Dialects(), " "); got != "ats awx ciphertrust oauth2 tapis wazo" {
		t.Errorf("dialects %s", got)
	}
	if c := newClient(t, Config{URL: "https://auth.example.org"}); fmt.Sprintf("%T", c.speaker) != fmt.Sprintf("%T", ats.NewClient(nil)) {
		t.Errorf("the default is a %T", c.speaker)
	}
}

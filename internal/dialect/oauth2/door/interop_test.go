package door_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Here golang.org/x/oauth2 and github.com/coreos/go-oidc, clients that are not
// ours, judge the whole service. More of them, and a real browser, do in
// testdata/interop.

const (
	alice         = "alice"
	alicePassword = "correct horse battery"
	callback      = "https://app.example/callback"
)

// service is the whole server over TLS, with a clock that can be moved.
type service struct {
	testing.TB
	server *server.Server
	http   *httptest.Server
	// before is called before each request.
	before func(*http.Request)

	mu   sync.Mutex
	late time.Duration
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{TB: t, before: func(*http.Request) {}}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.before(r)
		s.server.ServeHTTP(w, r)
	}))
	var err error
	s.server, err = server.New(t.Context(), server.Config{
		Store: memory.New(), PublicURL: "https://" + s.http.Listener.Addr().String(), Now: s.now,
		PasswordCost: server.PasswordCost{KiB: 64, Passes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.AddUser(t.Context(), store.User{Name: alice}, token.NewPassword(alicePassword)); err != nil {
		t.Fatal(err)
	}
	s.http.StartTLS()
	t.Cleanup(s.http.Close)
	return s
}

func (s *service) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.late)
}

// pass lets time go by at the service.
func (s *service) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late += d
}

// client is a context by which both libraries reach the service.
func (s *service) client() context.Context { return oidc.ClientContext(s.Context(), s.http.Client()) }

func (s *service) provider() *oidc.Provider {
	s.Helper()
	p, err := oidc.NewProvider(s.client(), s.http.URL)
	if err != nil {
		s.Fatal(err)
	}
	return p
}

func (s *service) browser() *browser {
	s.Helper()
	home, err := url.Parse(s.http.URL)
	if err != nil {
		s.Fatal(err)
	}
	return newBrowser(s.TB, s.http.Client().Transport, home)
}

// add makes an application and returns how x/oauth2 is set up for it.
func (s *service) add(a store.Application) *oauth2.Config {
	s.Helper()
	a.Name = "Weather Station"
	a, secret, err := s.server.AddApplication(s.Context(), a)
	if err != nil {
		s.Fatal(err)
	}
	c := &oauth2.Config{ClientID: a.ID, ClientSecret: secret.Reveal(), Endpoint: s.provider().Endpoint(), Scopes: a.Scopes}
	if len(a.RedirectURIs) > 0 {
		c.RedirectURL = a.RedirectURIs[0]
	}
	return c
}

// login goes the way of the authorization code, with PKCE and a nonce.
func (s *service) login(c *oauth2.Config, nonce string) *oauth2.Token {
	s.Helper()
	verifier := oauth2.GenerateVerifier()
	address := c.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))
	answer := s.browser().open(address).logIn(alice, alicePassword).decide("allow")
	if answer.Get("state") != "the state" || answer.Get("iss") != s.http.URL || answer.Get("error") != "" {
		s.Fatalf("answer %v", answer)
	}
	t, err := c.Exchange(s.client(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		s.Fatal(err)
	}
	return t
}

// userinfo asks who the bearer of a token is.
func (s *service) userinfo(t *oauth2.Token) (*oidc.UserInfo, error) {
	return s.provider().UserInfo(s.client(), oauth2.StaticTokenSource(t))
}

func (s *service) wantAlice(t *oauth2.Token) {
	s.Helper()
	info, err := s.userinfo(t)
	if err != nil {
		s.Fatal(err)
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	if err := info.Claims(&claims); err != nil || info.Subject != alice || claims.Name != alice {
		s.Errorf("userinfo: %+v, %+v, %v", info, claims, err)
	}
}

// wantError wants x/oauth2 to have understood which error it was.
func wantError(t testing.TB, err error, status int, code string) {
	t.Helper()
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode != code || e.Response.StatusCode != status {
		t.Errorf("error %v, want %d %s", err, status, code)
	}
}

// webApplication is one that logs people in; authMethod "none" makes it a public
// one.
func webApplication(authMethod string) store.Application {
	return store.Application{
		AuthMethod: authMethod, Grants: []string{token.GrantAuthorizationCode, token.GrantRefreshToken},
		RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile"},
	}
}

func TestXOAuth2LogsAPersonIn(t *testing.T) {
	for _, method := range []string{"", "client_secret_basic", "client_secret_post", "none"} {
		t.Run("method "+method, func(t *testing.T) {
			s := newService(t)
			c := s.add(webApplication(method))
			if public := c.ClientSecret == ""; public != (method == "none") {
				t.Fatalf("public: %t", public)
			}
			set := s.login(c, "n")
			if set.RefreshToken == "" || set.TokenType != "Bearer" || !set.Valid() || set.Extra("scope") != "openid profile" {
				t.Errorf("%+v, scope %v", set, set.Extra("scope"))
			}
			s.wantAlice(set)
		})
	}
}

func TestXOAuth2IsToldThatThePersonDenied(t *testing.T) {
	s := newService(t)
	c := s.add(webApplication(""))
	address := c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	answer := s.browser().open(address).logIn(alice, alicePassword).decide("deny")
	if answer.Get("error") != "access_denied" || answer.Get("state") != "s" || answer.Has("code") {
		t.Errorf("answer %v", answer)
	}
}

func TestXOAuth2CannotTradeACodeWithAnotherVerifierNorTwice(t *testing.T) {
	s := newService(t)
	c := s.add(webApplication(""))
	verifier := oauth2.GenerateVerifier()
	address := c.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier))
	code := s.browser().open(address).logIn(alice, alicePassword).decide("allow").Get("code")
	_, err := c.Exchange(s.client(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	wantError(t, err, 400, "invalid_grant")
	set, err := c.Exchange(s.client(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	s.wantAlice(set)
	_, err = c.Exchange(s.client(), code, oauth2.VerifierOption(verifier))
	wantError(t, err, 400, "invalid_grant")
	if _, err := s.userinfo(set); err == nil {
		t.Error("what the code gave is still good")
	}
	_, err = c.TokenSource(s.client(), &oauth2.Token{RefreshToken: set.RefreshToken}).Token()
	wantError(t, err, 400, "invalid_grant")
}

func TestXOAuth2ActsForTheApplicationItself(t *testing.T) {
	s := newService(t)
	c := s.add(store.Application{
		Grants: []string{token.GrantClientCredentials}, Scopes: []string{"read", "write"}, Audiences: []string{"https://api.example"},
	})
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		own := clientcredentials.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.Endpoint.TokenURL, AuthStyle: style,
			Scopes: []string{"read"}, EndpointParams: url.Values{"resource": {"https://api.example"}},
		}
		set, err := own.Token(s.client())
		if err != nil {
			t.Fatal(err)
		}
		if set.RefreshToken != "" || set.Extra("scope") != "read" || !set.Valid() {
			t.Errorf("style %d: %+v", style, set)
		}
		own.ClientSecret += "x"
		_, err = own.Token(s.client())
		wantError(t, err, 401, "invalid_client")
	}
}

func TestXOAuth2LetsADeviceIn(t *testing.T) {
	s := newService(t)
	c := s.add(store.Application{
		AuthMethod: "none", Grants: []string{token.GrantDeviceCode, token.GrantRefreshToken}, Scopes: []string{"openid", "profile"},
	})
	code, err := c.DeviceAuth(s.client())
	if err != nil {
		t.Fatal(err)
	}
	// The service's clock runs as the device was told to wait; the test's does not.
	var polls int
	s.before = func(r *http.Request) {
		if r.URL.Path != "/oauth2/token" {
			return
		}
		s.pass(time.Duration(code.Interval) * time.Second)
		if polls++; polls == 2 {
			person := s.browser().open(code.VerificationURI).logIn(alice, alicePassword)
			person.send("/device", map[string]string{"user_code": strings.ToLower(code.UserCode)})
			if !strings.Contains(person.text(), code.UserCode) {
				t.Errorf("the page does not show the code: %s", person.text())
			}
			person.send("/device", map[string]string{"decision": "allow"})
		}
	}
	quick := *code
	quick.Interval = 1
	set, err := c.DeviceAccessToken(s.client(), &quick)
	if err != nil {
		t.Fatal(err)
	}
	if polls != 2 || set.RefreshToken == "" {
		t.Errorf("%d polls, %+v", polls, set)
	}
	s.wantAlice(set)
}

func TestXOAuth2IsToldThatADeviceWasDenied(t *testing.T) {
	s := newService(t)
	c := s.add(store.Application{AuthMethod: "none", Grants: []string{token.GrantDeviceCode}, Scopes: []string{"openid"}})
	code, err := c.DeviceAuth(s.client())
	if err != nil {
		t.Fatal(err)
	}
	person := s.browser().open(code.VerificationURIComplete).logIn(alice, alicePassword)
	person.send("/device", map[string]string{"decision": "deny"})
	code.Interval = 1
	_, err = c.DeviceAccessToken(s.client(), code)
	wantError(t, err, 400, "access_denied")
}

func TestXOAuth2Refreshes(t *testing.T) {
	s := newService(t)
	c := s.add(webApplication(""))
	first := s.login(c, "n")
	renew := func(refresh string) (*oauth2.Token, error) {
		return c.TokenSource(s.client(), &oauth2.Token{RefreshToken: refresh}).Token()
	}
	second, err := renew(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Error("nothing was renewed")
	}
	s.wantAlice(second)
	// Behind the grace, a used one ends the whole login.
	s.pass(31 * time.Second)
	_, err = renew(first.RefreshToken)
	wantError(t, err, 400, "invalid_grant")
	_, err = renew(second.RefreshToken)
	wantError(t, err, 400, "invalid_grant")
	if _, err := s.userinfo(second); err == nil {
		t.Error("the login has ended, its access token has not")
	}
}

func TestXOAuth2SendsAPasswordOnlyForAnApplicationMadeForIt(t *testing.T) {
	s := newService(t)
	c := s.add(store.Application{Grants: []string{token.GrantPassword}, Scopes: []string{"openid", "profile"}})
	set, err := c.PasswordCredentialsToken(s.client(), alice, alicePassword)
	if err != nil {
		t.Fatal(err)
	}
	s.wantAlice(set)
	_, err = c.PasswordCredentialsToken(s.client(), alice, "wrong")
	wantError(t, err, 400, "invalid_grant")
	_, err = s.add(webApplication("")).PasswordCredentialsToken(s.client(), alice, alicePassword)
	wantError(t, err, 400, "unauthorized_client")
}

func TestGoOIDCAcceptsTheMetadataAndTheIDToken(t *testing.T) {
	s := newService(t)
	c := s.add(webApplication(""))
	p := s.provider()
	var metadata struct {
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := p.Claims(&metadata); err != nil || !slices.Contains(metadata.Algorithms, oidc.ES256) {
		t.Errorf("metadata %v, %v", metadata, err)
	}
	set := s.login(c, "n-0S6_WzA2Mj")
	raw, _ := set.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(s.client(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != alice || id.Nonce != "n-0S6_WzA2Mj" || !slices.Equal(id.Audience, []string{c.ClientID}) {
		t.Errorf("%+v", id)
	}
	if err := id.VerifyAccessToken(set.AccessToken); err != nil {
		t.Error(err)
	}
	if err := id.VerifyAccessToken(set.AccessToken + "x"); err == nil {
		t.Error("at_hash fits another access token")
	}
	if _, err := p.Verifier(&oidc.Config{ClientID: "another"}).Verify(s.client(), raw); err == nil {
		t.Error("the id_token is good for another application")
	}
	if _, err := p.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(s.client(), set.AccessToken); err == nil {
		t.Error("the access token passes for an id_token")
	}
}

func TestGoOIDCFollowsARotationOfKeys(t *testing.T) {
	for name, rotation := range map[string]server.Rotation{"staged": {}, "at once": {Now: true}, "to RS256": {Algorithm: oidc.RS256}} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			c := s.add(store.Application{Grants: []string{token.GrantPassword}, Scopes: []string{"openid"}})
			issue := func() string {
				set, err := c.PasswordCredentialsToken(s.client(), alice, alicePassword)
				if err != nil {
					t.Fatal(err)
				}
				raw, _ := set.Extra("id_token").(string)
				return raw
			}
			// One verifier keeps its keys all along, others come to know them now.
			config := &oidc.Config{ClientID: c.ClientID, Now: s.now, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256}}
			longstanding := s.provider().Verifier(config)
			want := func(raw, what string) {
				t.Helper()
				for which, v := range map[string]*oidc.IDTokenVerifier{"longstanding": longstanding, "new": s.provider().Verifier(config)} {
					if _, err := v.Verify(s.client(), raw); err != nil {
						t.Errorf("%s, %s verifier: %v", what, which, err)
					}
				}
			}
			before := issue()
			want(before, "before")
			if err := s.server.RotateKey(t.Context(), "oauth2", "", rotation); err != nil {
				t.Fatal(err)
			}
			want(before, "old one after the rotation")
			want(issue(), "new one after the rotation")
			s.pass(9*time.Minute + 55*time.Second)
			late := issue()
			want(before, "old one, shortly before it ends")
			s.pass(10 * time.Second)
			after := issue()
			want(late, "one of the old key's last, with the new key")
			want(after, "one of the new key")
			if kidOf(t, before) == kidOf(t, after) {
				t.Error("the key has not changed")
			}
			s.pass(10*time.Minute + 5*time.Second)
			if keys, err := s.server.PublicKeys(t.Context(), "oauth2", ""); err != nil || strings.Contains(string(keys), kidOf(t, before)) {
				t.Errorf("the old key is still published: %s, %v", keys, err)
			}
			want(issue(), "one after the old key")
		})
	}
}

// kidOf reads which key signed a token.
func kidOf(t testing.TB, raw string) string {
	t.Helper()
	decoded, err := token.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if decoded.Header.KeyID == "" {
		t.Fatalf("no kid in %+v", decoded.Header)
	}
	return decoded.Header.KeyID
}

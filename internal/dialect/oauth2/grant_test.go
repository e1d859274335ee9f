package oauth2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// basic is what the application of the provider sends (RFC 6749 section 2.3.1).
var basic = "Basic " + base64.StdEncoding.EncodeToString([]byte("app%3A1+%C3%A9:s3cret%26of%2Bthe+%25app%3A"))

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEachGrantIsAskedForAsItsStandardSays(t *testing.T) {
	p := newProvider(t, "")
	ours := jwtOf(`{"alg":"none"}`, map[string]any{"iss": p.issuer})
	theirs := jwtOf(`{"alg":"none"}`, map[string]any{"iss": "https://elsewhere.example.org"})
	exchanged := map[string]any{"access_token": "at", "token_type": "Bearer", "issued_token_type": TypeAccessToken}
	exchange := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}
	for _, c := range []struct {
		name  string
		grant token.Grant
		want  token.Request
		form  url.Values
	}{
		{
			"password (RFC 6749 section 4.3.2)",
			token.Grant{Type: token.GrantPassword, Credentials: marco()},
			token.Request{},
			url.Values{"grant_type": {"password"}, "username": {"marco é&="}, "password": {password}},
		},
		{
			"client credentials (RFC 6749 section 4.4.2)",
			token.Grant{Type: token.GrantClientCredentials},
			token.Request{Scope: "read write:a"},
			url.Values{"grant_type": {"client_credentials"}, "scope": {"read write:a"}},
		},
		{
			"resources (RFC 8707 section 2)",
			token.Grant{Type: token.GrantClientCredentials},
			token.Request{Resources: []string{"https://a.example.org/x?y", "urn:b"}},
			url.Values{"grant_type": {"client_credentials"}, "resource": {"https://a.example.org/x?y", "urn:b"}},
		},
		{
			"exchange of our own (RFC 8693 section 2.1)",
			token.Grant{Type: token.GrantTokenExchange, Subject: token.NewSecret(ours)},
			token.Request{Scope: "read", Resources: []string{"https://a.example.org", "billing"}},
			with(exchange, url.Values{"subject_token": {ours}, "subject_token_type": {TypeAccessToken}, "scope": {"read"}, "resource": {"https://a.example.org"}, "audience": {"billing"}}),
		},
		{
			"exchange for an actor",
			token.Grant{Type: token.GrantTokenExchange, Subject: token.NewSecret(theirs), Actor: token.NewSecret("opaque")},
			token.Request{},
			with(exchange, url.Values{"subject_token": {theirs}, "subject_token_type": {TypeJWT}, "actor_token": {"opaque"}, "actor_token_type": {TypeAccessToken}}),
		},
	} {
		p.say("/token", 200, exchanged)
		set, err := p.client(nil).Grant(t.Context(), c.grant, c.want)
		if err != nil || set.AccessToken.Reveal() != "at" || set.TokenType != "Bearer" {
			t.Errorf("%s: %+v, %v", c.name, set, err)
		}
		got := p.last("/token")
		wantForm(t, got.form, c.form)
		if got.method != "POST" || got.header.Get("Authorization") != basic || got.header.Get("Content-Type") != "application/x-www-form-urlencoded" || got.header.Get("DPoP") != "" {
			t.Errorf("%s: %s with %v", c.name, got.method, got.header)
		}
	}
}

func with(a, b url.Values) url.Values {
	all := url.Values{}
	for _, form := range []url.Values{a, b} {
		for name, values := range form {
			all[name] = values
		}
	}
	return all
}

func TestARefreshKeepsTheOldTokenWhereThereIsNoNewOne(t *testing.T) {
	p := newProvider(t, "")
	for _, next := range []string{"", "rt2"} {
		body := map[string]any{"access_token": "at2", "token_type": "Bearer"}
		want := "rt1"
		if next != "" {
			body["refresh_token"], want = next, next
		}
		p.say("/token", 200, body)
		set, err := p.client(nil).Refresh(t.Context(), token.NewSecret("rt1"), token.Request{Refresh: true, Scope: "read"})
		if err != nil || set.RefreshToken.Reveal() != want || set.AccessToken.Reveal() != "at2" || set.Scope != "read" {
			t.Errorf("%q: %q, %q, %v", next, set.RefreshToken.Reveal(), set.Scope, err)
		}
		wantForm(t, p.last("/token").form, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt1"}, "scope": {"read"}})
	}
}

func TestWhatCannotBeAskedForIsUnsupportedAndNotSent(t *testing.T) {
	p := newProvider(t, "")
	public := func(c *Config) { c.ClientSecret = token.Secret{} }
	nameless := func(c *Config) { c.ClientID, c.ClientSecret = "", token.Secret{} }
	pass := token.Grant{Type: token.GrantPassword, Credentials: marco()}
	for _, c := range []struct {
		name   string
		change func(*Config)
		grant  token.Grant
		want   token.Request
	}{
		{"a lifetime", nil, pass, token.Request{TTL: 60}},
		{"an end", nil, pass, token.Request{Refresh: true, RefreshTTL: 60}},
		{"a scope of two lines", nil, pass, token.Request{Scope: "a\nb"}},
		{"a scope in Greek", nil, pass, token.Request{Scope: "λ"}},
		{"a resource that is no URI", nil, pass, token.Request{Resources: []string{"billing"}}},
		{"a resource with a fragment", nil, pass, token.Request{Resources: []string{"https://a.example.org/#x"}}},
		{"no subject", nil, token.Grant{Type: token.GrantTokenExchange}, token.Request{}},
		{"another grant", nil, token.Grant{Type: "urn:klingon"}, token.Request{}},
		{"the grant of refreshing", nil, token.Grant{Type: token.GrantRefreshToken}, token.Request{}},
		{"client credentials without a secret", public, token.Grant{Type: token.GrantClientCredentials}, token.Request{}},
		{"a browser without a client id", nameless, token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: func(string) {}}, token.Request{}},
		{"a device without a client id", nameless, token.Grant{Type: token.GrantDeviceCode, ShowDevice: func(token.DeviceCode) {}}, token.Request{}},
		{"a password that is no text", nil, token.Grant{Type: token.GrantPassword, Credentials: token.Credentials{Username: "m", Password: token.NewPassword("\xff")}}, token.Request{}},
	} {
		_, err := p.client(c.change).Grant(t.Context(), c.grant, c.want)
		if !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := p.client(nil).Refresh(t.Context(), token.NewSecret("rt"), token.Request{TTL: 60})
	if !errors.Is(err, token.ErrUnsupported) || len(p.seen) != 0 {
		t.Errorf("%v; sent was %v", err, p.seen)
	}
}

func TestAnApplicationProvesItselfInTheWayThatTheServiceTakes(t *testing.T) {
	key := newKey(t)
	secret := token.NewSecret(appSecret)
	for _, c := range []struct {
		name   string
		config Config
		listed any
		want   string
	}{
		{"a secret", Config{ClientID: appID, ClientSecret: secret}, nil, AuthBasic},
		{"a secret, both listed", Config{ClientID: appID, ClientSecret: secret}, []string{AuthPost, AuthBasic}, AuthBasic},
		{"a secret, post listed", Config{ClientID: appID, ClientSecret: secret}, []string{AuthPost, AuthKey}, AuthPost},
		{"a secret, post told", Config{ClientID: appID, ClientSecret: secret, AuthMethod: AuthPost}, nil, AuthPost},
		{"a secret, neither listed", Config{ClientID: appID, ClientSecret: secret}, []string{AuthKey}, AuthBasic},
		{"a key", Config{ClientID: appID, ClientKey: key, ClientKeyID: "k1"}, nil, AuthKey},
		{"a key and a secret", Config{ClientID: appID, ClientKey: key, ClientSecret: secret}, nil, AuthKey},
		{"a key and a secret, basic told", Config{ClientID: appID, ClientKey: key, ClientSecret: secret, AuthMethod: AuthBasic}, nil, AuthBasic},
		{"a name alone", Config{ClientID: appID}, nil, AuthNone},
		{"no name", Config{}, nil, AuthNone},
	} {
		p := newProvider(t, "")
		if c.listed != nil {
			p.metadata["token_endpoint_auth_methods_supported"] = c.listed
		}
		client := p.client(func(d *Config) {
			d.ClientID, d.ClientSecret, d.ClientKey = c.config.ClientID, c.config.ClientSecret, c.config.ClientKey
			d.ClientKeyID, d.AuthMethod = c.config.ClientKeyID, c.config.AuthMethod
		})
		if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got := p.last("/token")
		way := []string{got.header.Get("Authorization"), got.form.Get("client_id"), got.form.Get("client_secret"), fmt.Sprint(got.form.Get("client_assertion") != "")}
		want := map[string][]string{
			AuthBasic: {basic, "", "", "false"}, AuthPost: {"", appID, appSecret, "false"},
			AuthKey: {"", appID, "", "true"}, AuthNone: {"", c.config.ClientID, "", "false"},
		}[c.want]
		if strings.Join(way, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", c.name, way, want)
		}
	}
}

func TestAnAssertionIsForTheIssuerAndCountsOnce(t *testing.T) {
	p := newProvider(t, "")
	key := newKey(t)
	client := p.client(func(c *Config) { c.ClientKey, c.ClientKeyID = key, "k1" })
	seen := map[string]bool{}
	for range 3 {
		if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil {
			t.Fatal(err)
		}
		form := p.last("/token").form
		if kind := form.Get("client_assertion_type"); kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Errorf("client_assertion_type %q", kind)
		}
		parsed, err := jwt.Parse(form.Get("client_assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(func() time.Time { return today }), jwt.WithIssuer(appID), jwt.WithSubject(appID), jwt.WithExpirationRequired())
		if err != nil {
			t.Fatal(err)
		}
		claims := parsed.Claims.(jwt.MapClaims)
		if claims["aud"] != p.issuer || claims["exp"] != float64(today.Unix()+60) || claims["iat"] != float64(today.Unix()) || parsed.Header["kid"] != "k1" {
			t.Errorf("%v %v", parsed.Header, claims)
		}
		jti, _ := claims["jti"].(string)
		if len(jti) < 22 || seen[jti] {
			t.Errorf("jti %q", jti)
		}
		seen[jti] = true
	}
}

func TestAKeyThatTheServiceDoesNotTakeIsUnsupported(t *testing.T) {
	for _, name := range []string{"token_endpoint_auth_signing_alg_values_supported", "dpop_signing_alg_values_supported"} {
		p := newProvider(t, "")
		p.metadata[name] = []string{"PS256", "EdDSA"}
		client := p.client(func(c *Config) {
			if c.ProofKey = newKey(t); strings.HasPrefix(name, "token") {
				c.ClientKey, c.ProofKey = c.ProofKey, nil
			}
		})
		_, err := client.Login(t.Context(), marco(), token.Request{})
		if !errors.Is(err, token.ErrUnsupported) || !strings.Contains(err.Error(), "ES256") || len(p.asked("/token")) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnApplicationThatContradictsItselfIsRefused(t *testing.T) {
	key, secret := newKey(t), token.NewSecret(appSecret)
	for _, c := range []Config{
		{ClientSecret: secret},
		{ClientKey: key},
		{ClientID: appID, AuthMethod: AuthKey},
		{ClientID: appID, AuthMethod: AuthBasic},
		{ClientID: appID, AuthMethod: AuthPost, ClientKey: key},
		{ClientID: appID, AuthMethod: AuthNone, ClientSecret: secret},
		{ClientID: appID, AuthMethod: "tls_client_auth"},
	} {
		c.Issuer = "https://auth.example.org"
		if _, err := NewClient(c); err == nil || strings.Contains(err.Error(), appSecret) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

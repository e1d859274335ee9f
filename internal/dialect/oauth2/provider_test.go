package oauth2

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The application and the user that the provider knows. The odd characters show
// whether they are encoded as RFC 6749 section 2.3.1 says.
const (
	appID     = "app:1 é"
	appSecret = "s3cret&of+the %app:"
	password  = "Pa55 &+%é word"
)

// sent is a request as the provider got it.
type sent struct {
	method, path string
	header       http.Header
	body         string
	form         url.Values
}

// provider is a service that is strict about how it is asked. What it answers to
// is set by path; its metadata can be spoilt.
type provider struct {
	t        *testing.T
	issuer   string
	metadata map[string]any
	answers  map[string]func(sent) reply

	mu   sync.Mutex
	seen []sent
}

type reply struct {
	status int
	body   any // a string as it is, anything else as JSON
	header map[string]string
}

// newProvider serves at an issuer with that path.
func newProvider(t *testing.T, path string) *provider {
	t.Helper()
	p := &provider{t: t, answers: map[string]func(sent) reply{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.issuer = s.URL + path
	p.metadata = map[string]any{
		"issuer": p.issuer, "authorization_endpoint": s.URL + "/authorize?tenant=a%20b", "token_endpoint": s.URL + "/token",
		"device_authorization_endpoint": s.URL + "/device", "revocation_endpoint": s.URL + "/revoke",
		"introspection_endpoint": s.URL + "/introspect", "global_token_revocation_endpoint": s.URL + "/revoke-all",
		"logins_endpoint": s.URL + "/logins", "code_challenge_methods_supported": []string{"plain", "S256"},
		"mtls_endpoint_aliases": map[string]any{"token_endpoint": "https://mtls.example.org/"}, "a_member_of_tomorrow": nil,
	}
	p.answers["/.well-known/oauth-authorization-server"+strings.TrimRight(path, "/")] = func(sent) reply {
		return reply{200, p.metadata, nil}
	}
	p.say("/token", 200, map[string]any{"access_token": "at", "token_type": "bearer", "expires_in": 600})
	return p
}

// say sets one answer for a path.
func (p *provider) say(path string, status int, body any) {
	p.answers[path] = func(sent) reply { return reply{status, body, nil} }
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s := sent{r.Method, r.URL.Path, r.Header, string(body), nil}
	if err != nil || r.Header.Get("Accept") != "application/json" {
		p.t.Errorf("%s %s: Accept %q, %v", r.Method, r.URL, r.Header.Get("Accept"), err)
	}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if s.form, err = url.ParseQuery(s.body); err != nil {
			p.t.Errorf("%s: %v", s.body, err)
		}
		for name, values := range s.form { // RFC 6749 section 3.2
			if len(values) != 1 && name != "resource" && name != "audience" {
				p.t.Errorf("%s is sent %d times", name, len(values))
			}
		}
	}
	if strings.ContainsAny(r.URL.RawQuery, "?&=") {
		p.t.Errorf("parameters in the address: %s", r.URL)
	}
	p.mu.Lock()
	p.seen = append(p.seen, s)
	answer, ok := p.answers[r.URL.Path]
	p.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	a := answer(s)
	text, isText := a.body.(string)
	if !isText && a.body != nil {
		w.Header().Set("Content-Type", "application/json")
		encoded, err := json.Marshal(a.body)
		if err != nil {
			p.t.Error(err)
		}
		text = string(encoded)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, text)
}

// asked returns what came to a path.
func (p *provider) asked(path string) []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []sent
	for _, s := range p.seen {
		if s.path == path {
			list = append(list, s)
		}
	}
	return list
}

// last is the last that came to a path.
func (p *provider) last(path string) sent {
	p.t.Helper()
	list := p.asked(path)
	if len(list) == 0 {
		p.t.Fatalf("nothing was sent to %s", path)
	}
	return list[len(list)-1]
}

// carry is an exchange that does what pkg/client's does, and no more.
func carry(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
	kind, body, err := m.Body()
	if err != nil {
		return dialect.Reply{}, err
	}
	r, err := http.NewRequestWithContext(ctx, m.Method, m.Path, bytes.NewReader(body))
	if err != nil {
		return dialect.Reply{}, err
	}
	r.Header = m.Header.Clone()
	if authorization := m.Authorization(); authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	bare := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := bare.Do(r)
	if err != nil {
		return dialect.Reply{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return dialect.Reply{Status: answer.StatusCode, Header: answer.Header, Body: text}, err
}

// today is what the clock of all clients shows.
var today = time.Date(2031, 5, 1, 12, 0, 0, 123456000, time.UTC)

// client makes a client of the provider that never waits, changed by change.
func (p *provider) client(change func(*Config)) *Client {
	p.t.Helper()
	c := Config{
		Exchange: carry, Issuer: p.issuer, ClientID: appID, ClientSecret: token.NewSecret(appSecret),
		Now: func() time.Time { return today },
	}
	if change != nil {
		change(&c)
	}
	client, err := NewClient(c)
	if err != nil {
		p.t.Fatal(err)
	}
	client.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return client
}

func marco() token.Credentials {
	return token.Credentials{Username: "marco é&=", Password: token.NewPassword(password)}
}

// jwtOf is a JWT with these claims and no signature that is one.
func jwtOf(header string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
}

// wantForm wants exactly these fields.
func wantForm(t *testing.T, got, want url.Values) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v\nwant %v", got, want)
	}
}

package oauth2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAnErrorCodeIsARefusalOfItsKind(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   error
		text   string
	}{
		{400, `{"error":"invalid_grant"}`, token.ErrUnknown, "the server refused: invalid_grant"},
		{400, `{"error":"invalid_grant","error_description":"token revoked"}`, token.ErrRevoked, "the server refused: invalid_grant (token revoked)"},
		{400, `{"error":"invalid_grant","error_description":"token expired"}`, token.ErrExpired, "the server refused: invalid_grant (token expired)"},
		{400, `{"error":"invalid_grant","error_description":"Session not active"}`, token.ErrUnknown, "the server refused: invalid_grant (Session not active)"},
		{401, `{"error":"invalid_client","error_description":"no such\tapplication"}`, token.ErrDenied, "the server refused: invalid_client (no such application)"},
		{400, `{"error":"unauthorized_client"}`, token.ErrDenied, "the server refused: unauthorized_client"},
		{400, `{"error":"unsupported_grant_type"}`, token.ErrUnsupported, "this server cannot do that: unsupported_grant_type"},
		{400, `{"error":"invalid_scope"}`, token.ErrDenied, "the server refused: invalid_scope"},
		{400, `{"error":"invalid_target"}`, token.ErrDenied, "the server refused: invalid_target"},
		{400, `{"error":"access_denied"}`, token.ErrDenied, "the server refused: access_denied"},
		{400, `{"error":"server_error"}`, token.ErrUnavailable, "the server failed: server_error"},
		{400, `{"error":"temporarily_unavailable"}`, token.ErrUnavailable, "the server failed: temporarily_unavailable"},
		{429, `{"error":"temporarily_unavailable"}`, token.ErrThrottled, "too many attempts: the server asks to wait"},
		{400, `{"error":"slow_down"}`, token.ErrThrottled, "too many attempts: the server asks to wait"},
		{200, `{"error":"invalid_scope"}`, token.ErrDenied, "the server refused: invalid_scope"},
		{400, `{"error":"of_tomorrow","error_uri":"https://evil.example.org/"}`, token.ErrDenied, "the server refused: of_tomorrow"},
		{400, `{"error":"` + strings.Repeat("x", 100) + `"}`, token.ErrDenied, "the server refused: 400 Bad Request"},
		{400, `{"error":"\u001b[31m","error_description":"\u202e"}`, token.ErrDenied, "the server refused: 400 Bad Request"},
		{400, `{"error":"invalid_scope","error_description":"` + strings.Repeat("x", 201) + `"}`, token.ErrDenied, "the server refused: invalid_scope"},
		{400, `{"error":"invalid_scope","error_description":"<b>no</b>"}`, token.ErrDenied, "the server refused: invalid_scope"},
		{400, `{"error":{}}`, token.ErrDenied, "the server refused: 400 Bad Request"},
		{400, `<html>`, token.ErrDenied, "the server refused: 400 Bad Request"},
		{404, `<html>`, token.ErrUnsupported, "this server cannot do that: 404 Not Found"},
		{405, ``, token.ErrUnsupported, "this server cannot do that: 405 Method Not Allowed"},
		{500, `{"error":"invalid_grant"}`, token.ErrUnavailable, "the server failed: invalid_grant"},
		{502, `<html>`, token.ErrUnavailable, "the server failed: 502 Bad Gateway"},
		{302, ``, token.ErrUnavailable, "the server's answer makes no sense: status 302, no content type, 0 bytes"},
	} {
		p := newProvider(t, "")
		p.say("/token", c.status, c.body)
		_, err := p.client(nil).Refresh(t.Context(), token.NewSecret("opaque-of-the-caller"), token.Request{})
		if !errors.Is(err, c.kind) || strings.Replace(err.Error(), "text/plain; charset=utf-8", "no content type", 1) != c.text {
			t.Errorf("%d %s: %v, want %s", c.status, c.body, err, c.text)
		}
	}
}

func TestAWrongPasswordIsTold(t *testing.T) {
	p := newProvider(t, "")
	p.say("/token", 400, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`)
	if _, err := p.client(nil).Login(t.Context(), marco(), token.Request{}); !errors.Is(err, token.ErrCredentials) || err.Error() != "wrong user name or password" {
		t.Error(err)
	}
	p.say("/token", 401, `{"error":"invalid_client"}`)
	if _, err := p.client(nil).Login(t.Context(), marco(), token.Request{}); !errors.Is(err, token.ErrDenied) || errors.Is(err, token.ErrCredentials) {
		t.Errorf("an unknown application: %v", err)
	}
}

func TestNothingThatWasSentComesBackInAnError(t *testing.T) {
	key, proof := newKey(t), newKey(t)
	secret := token.NewSecret("opaque-of-the-caller")
	calls := map[string]func(*Client) error{
		"password": func(c *Client) error { _, err := c.Login(t.Context(), marco(), token.Request{}); return err },
		"refresh":  func(c *Client) error { _, err := c.Refresh(t.Context(), secret, token.Request{}); return err },
		"exchange": func(c *Client) error {
			_, err := c.Grant(t.Context(), token.Grant{Type: token.GrantTokenExchange, Subject: secret, Actor: secret}, token.Request{})
			return err
		},
		"check":      func(c *Client) error { _, err := c.Check(t.Context(), secret); return err },
		"revoke":     func(c *Client) error { return c.Revoke(t.Context(), secret) },
		"revoke-all": func(c *Client) error { return c.RevokeAll(t.Context(), secret, "marco") },
		"list":       func(c *Client) error { _, err := c.List(t.Context(), secret); return err },
	}
	for _, change := range []func(*Config){
		nil, func(c *Config) { c.AuthMethod = AuthPost }, func(c *Config) { c.ClientKey = key }, func(c *Config) { c.ProofKey = proof },
	} {
		p := newProvider(t, "")
		echoed := 0
		for _, path := range []string{"/token", "/introspect", "/revoke", "/revoke-all", "/logins"} {
			p.answers[path] = func(s sent) reply {
				said := s.header.Get("Authorization") + " " + s.header.Get("DPoP")
				for _, name := range secretFields() {
					if value := s.form.Get(name); value != "" {
						said = value
						echoed++
						if name == "token" || name == "password" || name == "refresh_token" {
							break
						}
					}
				}
				return reply{400, map[string]string{"error": "invalid_request", "error_description": "no: " + said}, nil}
			}
		}
		for name, call := range calls {
			err := call(p.client(change))
			if err == nil || strings.Contains(err.Error(), "opaque-of") || strings.Contains(err.Error(), password) || strings.Contains(err.Error(), appSecret) || strings.Contains(err.Error(), "eyJ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if echoed < 5 {
			t.Errorf("only %d secrets were said back", echoed)
		}
	}
}

func TestAChallengeIsARefusalToo(t *testing.T) {
	for _, c := range []struct {
		status    int
		challenge string
		kind      error
		text      string
	}{
		{401, `Bearer realm="x", error="invalid_token", error_description="token revoked"`, token.ErrRevoked, "invalid_token (token revoked)"},
		{401, `DPoP algs="ES256", error="invalid_token", error_description="what"`, token.ErrUnknown, "invalid_token (what)"},
		{403, `Bearer error="insufficient_scope"`, token.ErrDenied, "insufficient_scope"},
		{401, `Bearer`, token.ErrDenied, "401 Unauthorized"},
		{401, ``, token.ErrDenied, "401 Unauthorized"},
		{401, `Bearer error="a\"b"`, token.ErrDenied, "401 Unauthorized"},
	} {
		p := newProvider(t, "")
		p.answers["/logins"] = func(sent) reply { return reply{c.status, "", map[string]string{"WWW-Authenticate": c.challenge}} }
		_, err := p.client(nil).List(t.Context(), token.NewSecret("raw"))
		if !errors.Is(err, c.kind) || err.Error() != "the server refused: "+c.text {
			t.Errorf("%s: %v", c.challenge, err)
		}
	}
}

func TestTheTimeToWaitComesBack(t *testing.T) {
	for _, status := range []int{429, 503} {
		for said, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "99999999999999": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0} {
			p := newProvider(t, "")
			p.answers["/token"] = func(sent) reply { return reply{status, "", map[string]string{"Retry-After": said}} }
			_, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
			var refusal *token.Refusal
			if !errors.As(err, &refusal) || refusal.RetryAfter != want {
				t.Errorf("%d, %q: %v", status, said, err)
			}
		}
	}
}

// TestNoAnswerMakesAClientPanic gives every status with pieces of answers in no
// order, behind metadata that is good. It is the same sequence each time.
func TestNoAnswerMakesAClientPanic(t *testing.T) {
	pieces := []string{
		"{", "}", "[", "]", `"access_token"`, `"error"`, `"active"`, `"logins"`, `"user_code"`, ":", ",", `"id_token"`, "1e999", "null", "true",
		`"\ud800"`, "\xff", `"expires_in"`, "-9223372036854775809", " ", "",
	}
	const metadata = `{"issuer":"https://auth.example.org","token_endpoint":"https://a.example.org/t","introspection_endpoint":"https://a.example.org/i",` +
		`"revocation_endpoint":"https://a.example.org/r","global_token_revocation_endpoint":"https://a.example.org/a","logins_endpoint":"https://a.example.org/l"}`
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var answer dialect.Reply
	c, err := NewClient(Config{Issuer: "https://auth.example.org", ClientID: "app", Exchange: func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
		if m.Method == "GET" && strings.Contains(m.Path, "well-known") {
			return dialect.Reply{Status: 200, Body: []byte(metadata)}, nil
		}
		return answer, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for status := 0; status < 700; status++ {
		var body strings.Builder
		for range dice.IntN(12) {
			body.WriteString(pieces[dice.IntN(len(pieces))])
		}
		answer = dialect.Reply{Status: status, Header: map[string][]string{"Retry-After": {fmt.Sprint(dice.Int64())}}, Body: []byte(body.String())}
		_, loginErr := c.Login(t.Context(), marco(), token.Request{})
		_, checkErr := c.Check(t.Context(), token.NewSecret("raw"))
		_, listErr := c.List(t.Context(), token.NewSecret("raw"))
		for verb, err := range map[string]error{
			"login": loginErr, "check": checkErr, "list": listErr,
			"revoke": c.Revoke(t.Context(), token.NewSecret("raw")), "revoke-all": c.RevokeAll(t.Context(), token.NewSecret("raw"), ""),
		} {
			var refusal *token.Refusal
			if err == nil && status/100 != 2 || err != nil && !errors.As(err, &refusal) && !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%s: status %d with %q: %v", verb, status, &body, err)
			}
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(400, `{"error":"invalid_grant","error_description":"no secret-of-the-caller"}`, `Bearer error="invalid_token"`)
	f.Add(401, `<html>secret-of-the-caller`, `DPoP error="use_dpop_nonce", error_description="secret-of-the-caller"`)
	f.Add(500, "\x1b[31m", "")
	f.Fuzz(func(t *testing.T, status int, body, challenge string) {
		r := dialect.Reply{Status: status, Header: map[string][]string{"Www-Authenticate": {challenge}}, Body: []byte(body)}
		err := refusal(r, []string{"secret-of-the-caller"})
		if err == nil && (status < 200 || status > 299) {
			t.Errorf("%d %q is no refusal", status, body)
		}
		if err == nil {
			return
		}
		text := fmt.Sprint(err)
		if strings.Contains(text, "secret-of") && strings.Contains(text, "secret-of-the-caller") || strings.ContainsAny(text, "\n\x1b\x00") || len(text) > 600 {
			t.Errorf("%d %q %q: %q", status, body, challenge, text)
		}
	})
}

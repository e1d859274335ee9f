package ats

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// jwt is the first token of the original's documentation.
const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE0NDY1NjQ0OTMuNDE0ODE4LCJzdWIiOiJtYXJjbyIsImlzcyI6ImF0cy5hdXRoIiwiZXhwIjoxNDQ2NTY4MDkzLjQxNDgxOH0.rmmO0NpE9k8Z-Sox7WoBq7LncIwYa9MGUvsjzCQQ1XA"

const (
	plainText = "text/plain; charset=utf-8"
	jsonText  = "application/json; charset=utf-8"
)

// core knows marco, whose password is sesame, and root, an admin. Every other
// bearer is what it is named after.
type core struct{ voided []string }

func (c *core) Login(_ context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	switch {
	case who.Username == "flood":
		return token.Set{}, &token.Refusal{Kind: token.ErrThrottled, RetryAfter: 7 * time.Second}
	case who.Username != "marco" || who.Password.Reveal() != "sesame":
		return token.Set{}, token.ErrCredentials
	}
	set := token.Set{AccessToken: token.NewSecret(jwt), TokenType: "Bearer", ExpiresAt: time.UnixMicro(1446568093414818), ExpiresIn: 3600}
	if want.TTL > 0 {
		set.ExpiresIn = want.TTL
	}
	if want.Refresh {
		set.RefreshToken = token.NewSecret("ats_rt_1")
	}
	return set, nil
}

func (c *core) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	if refresh.Reveal() != "ats_rt_1" {
		return token.Set{}, token.Refuse(token.ErrUnknown, "refresh token unknown")
	}
	want.Refresh = true
	return c.Login(ctx, token.Credentials{Username: "marco", Password: token.NewPassword("sesame")}, want)
}

func (c *core) Inspect(_ context.Context, raw string) (*token.Claims, error) {
	switch raw {
	case jwt:
		decoded, err := token.Decode(raw)
		if err != nil {
			return nil, err
		}
		return decoded.Claims, nil
	case "root":
		return token.ParseClaims(`{"sub":"root"}`)
	case "revoked":
		return nil, token.ErrRevoked
	case "expired":
		return nil, &token.ClaimError{Claim: "exp", Reason: "expired", Kind: token.ErrExpired}
	case "forged":
		return nil, token.ErrSignature
	}
	_, err := token.Decode(raw)
	if err == nil {
		err = token.ErrUnknown
	}
	return nil, err
}

func (c *core) Revoke(ctx context.Context, raw string) error {
	_, err := c.Inspect(ctx, raw)
	if err == nil {
		c.voided = append(c.voided, raw)
	}
	return err
}

func (c *core) RevokeAll(ctx context.Context, bearer, user string) error {
	claims, err := c.Inspect(ctx, bearer)
	if err != nil {
		return err
	}
	if user == "" {
		user = claims.Subject()
	}
	if user != claims.Subject() && bearer != "root" {
		return token.Refuse(token.ErrDenied, "only an admin acts for another user")
	}
	return c.RevokeAllOf(ctx, user)
}

func (c *core) List(ctx context.Context, bearer string) ([]token.Login, bool, error) {
	if _, err := c.Inspect(ctx, bearer); err != nil {
		return nil, false, err
	}
	return []token.Login{{ID: "one", Name: "Password login", Door: "ats", CreatedAt: time.Unix(1446564493, 0), Current: true}}, true, nil
}

func (c *core) RevokeAllOf(_ context.Context, user string) error {
	c.voided = append(c.voided, "all of "+user)
	return nil
}

func newTestHandler(c *core) http.Handler {
	return NewHandler(c, Config{
		TrustedGateways: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Fail: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "internal error", http.StatusInternalServerError)
		},
	})
}

// send gives the handler a request as it stands on the wire, its lines ended by
// \n for the reader's sake; a Content-Length is added to a body.
func send(t *testing.T, h http.Handler, from, request string) *httptest.ResponseRecorder {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	if body != "" {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	openapitest.Judge(t, "ats", "", r, w)
	return w
}

// python is what the original client's library puts before everything.
const python = `
Host: localhost:8081
User-Agent: python-requests/2.9.1
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive`

const anywhere = "203.0.113.9:40000"

// exchange is a request as an original client sends it, and its answer.
type exchange struct {
	name, from, request string
	status              int
	kind, body          string
	voided              string
}

func TestTheOriginalWireIsAnsweredByteForByte(t *testing.T) {
	for _, c := range slices.Concat(logins(), logouts(), bearers()) {
		authority := &core{}
		w := send(t, newTestHandler(authority), c.from, c.request)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || w.Body.String() != c.body {
			t.Errorf("%s: %d %q %q, want %d %q %q", c.name, w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.kind, c.body)
		}
		if got := strings.Join(authority.voided, ","); got != c.voided {
			t.Errorf("%s: voided %q, want %q", c.name, got, c.voided)
		}
	}
}

func logins() []exchange {
	tokenAnswer := "{\n    \"token\": \"" + jwt + "\"\n}"
	return []exchange{
		{
			"a login", anywhere, "POST /user/login HTTP/1.1" + python + "\n\n" + `{"username": "marco", "password": "sesame"}`,
			200, jsonText, tokenAnswer, "",
		},
		{
			"members in the other order, more of them, escapes", anywhere,
			"POST /user/login HTTP/1.1" + python + "\nContent-Type: application/json\n\n" + `{"password": "\u0073esame", "extra": {"a": [1]}, "Username": 1, "username": "marco"}`,
			200, jsonText, tokenAnswer, "",
		},
		{
			"a login that says it is a form", anywhere,
			"POST /user/login HTTP/1.1" + python + "\nContent-Type: application/x-www-form-urlencoded\n\n" + `{"username": "marco", "password": "sesame"}`,
			200, jsonText, tokenAnswer, "",
		},
		{
			"a login with a junk Authorization", anywhere,
			"POST /user/login HTTP/1.1" + python + "\nAuthorization: Basic !!!\n\n" + `{"username": "marco", "password": "sesame"}`,
			200, jsonText, tokenAnswer, "",
		},
		{
			"wrong password", anywhere, "POST /user/login HTTP/1.1" + python + "\n\n" + `{"username": "marco", "password": "wrong"}`,
			401, plainText, "401: Unauthorized", "",
		},
		{
			"unknown user", anywhere, "POST /user/login HTTP/1.1" + python + "\n\n" + `{"username": "nobody", "password": ""}`,
			401, plainText, "401: Unauthorized", "",
		},
		{"no body", anywhere, "POST /user/login HTTP/1.1" + python, 400, plainText, "a json body is expected", ""},
		{
			"a form", anywhere, "POST /user/login HTTP/1.1" + python + "\n\nusername=marco&password=sesame",
			400, plainText, "a json body is expected", "",
		},
		{
			"no password", anywhere, "POST /user/login HTTP/1.1" + python + "\n\n" + `{"username": "marco"}`,
			400, plainText, "Malformed request: 'password' is a required property", "",
		},
	}
}

// logouts are those of one token, and those that a gateway vouches for.
func logouts() []exchange {
	return []exchange{
		{
			"logout", anywhere, "POST /user/logout HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer " + jwt,
			204, "", "", jwt,
		},
		{
			"logout once more", anywhere, "POST /user/logout HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer revoked",
			204, "", "", "",
		},
		{
			"logout of an unknown token", anywhere, "POST /user/logout HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer junk",
			204, "", "", "",
		},
		{
			"logout without a bearer", anywhere, "POST /user/logout HTTP/1.1" + python + "\nContent-Length: 0",
			401, jsonText, "{\n    \"error\": \"Missing authentication header\"\n}", "",
		},
		{
			"logout_all of an original client, from anywhere", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marco",
			401, jsonText, "{\n    \"error\": \"Missing authentication header\"\n}", "",
		},
		{
			"logout_all from a trusted gateway", "198.51.100.7:4000",
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marco",
			204, "", "", "all of marco",
		},
		{
			"logout_all from a trusted gateway with IPv6", "[2001:db8::1]:4000",
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nx-auth-userid: marco",
			204, "", "", "all of marco",
		},
		{
			"logout_all from a mapped address", "[::ffff:198.51.100.7]:4000",
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marco",
			204, "", "", "all of marco",
		},
		{
			"logout_all of a name in Latin-1", "198.51.100.7:4000",
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marc\xf4",
			204, "", "", "all of marcô",
		},
		{
			"logout_all from a gateway without a name", "198.51.100.7:4000", "POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0",
			401, jsonText, "{\n    \"error\": \"Missing authentication header\"\n}", "",
		},
		{
			"a header that poses as a gateway", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marco\nX-Forwarded-For: 198.51.100.7\nForwarded: for=198.51.100.7\nX-Real-IP: 198.51.100.7",
			401, jsonText, "{\n    \"error\": \"Missing authentication header\"\n}", "",
		},
	}
}

// bearers are logouts of all tokens in the name of a bearer.
func bearers() []exchange {
	return []exchange{
		{
			"logout_all with a bearer", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer " + jwt,
			204, "", "", "all of marco",
		},
		{
			"logout_all of another", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: root\nAuthorization: Bearer " + jwt,
			403, jsonText, "{\n    \"error\": \"only an admin acts for another user\"\n}", "",
		},
		{
			"logout_all of another behind a gateway with a bearer", "198.51.100.7:4000",
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: root\nAuthorization: Bearer " + jwt,
			403, jsonText, "{\n    \"error\": \"only an admin acts for another user\"\n}", "",
		},
		{
			"logout_all by an admin", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nX-Auth-UserId: marco\nAuthorization: Bearer root",
			204, "", "", "all of marco",
		},
		{
			"the body names the user before the header", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nX-Auth-UserId: root\nAuthorization: Bearer root\n\n" + `{"user": " marco "}`,
			204, "", "", "all of  marco ",
		},
		{
			"logout_all with a void bearer", anywhere,
			"POST /user/logout_all HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer revoked",
			401, jsonText, "{\n    \"error\": \"token revoked\"\n}", "",
		},
	}
}

func TestWhatHasGrownIsAnsweredByteForByte(t *testing.T) {
	refreshed := "{\n    \"token\": \"" + jwt + "\",\n    \"refresh_token\": \"ats_rt_1\",\n    \"expires_at\": \"2015-11-03T16:28:13.414818Z\",\n    \"expires_in\": 3600\n}"
	login := func(more string) string {
		return "POST /user/login HTTP/1.1" + python + "\n\n" + `{"username":"marco","password":"sesame"` + more + `}`
	}
	without := "{\n    \"token\": \"" + jwt + "\",\n    \"expires_at\": \"2015-11-03T16:28:13.414818Z\",\n    \"expires_in\": %d\n}"
	unauthorized := "{\n    \"error\": \"%s\"\n}"
	for _, c := range []struct {
		name, request string
		status        int
		body          string
	}{
		{"a refresh token", login(`,"refresh":true`), 200, refreshed},
		{"a refresh token that is not wanted", login(`,"refresh":false`), 200, fmt.Sprintf(without, 3600)},
		{"a lifetime", login(`,"ttl":60`), 200, fmt.Sprintf(without, 60)},
		{"an end", login(`,"refresh_ttl":60`), 200, fmt.Sprintf(without, 3600)},
		{"a scope", login(`,"scope":"read"`), 200, fmt.Sprintf(without, 3600)},
		{"a refresh", "POST /user/refresh HTTP/1.1" + python + "\n\n" + `{"refresh_token":"ats_rt_1"}`, 200, refreshed},
		{"a refresh of nothing", "POST /user/refresh HTTP/1.1" + python + "\n\n" + `{"refresh_token":""}`, 401, fmt.Sprintf(unauthorized, "token unknown")},
		{
			"a check", "POST /user/check HTTP/1.1" + python + "\nContent-Length: 0\nAuthorization: Bearer " + jwt, 200,
			"{\n    \"exp\": 1446568093.414818,\n    \"iat\": 1446564493.414818,\n    \"iss\": \"ats.auth\",\n    \"sub\": \"marco\"\n}",
		},
		{
			"the logins", "POST /user/tokens HTTP/1.1" + python + "\nAuthorization: Bearer " + jwt, 200,
			"{\n    \"logins\": [\n        {\n            \"id\": \"one\",\n            \"name\": \"Password login\",\n            \"dialect\": \"ats\",\n" +
				"            \"created_at\": 1446564493,\n            \"current\": true\n        }\n    ],\n    \"more\": true\n}",
		},
		{"the logins of a revoked token", "POST /user/tokens HTTP/1.1" + python + "\nAuthorization: Bearer revoked", 401, fmt.Sprintf(unauthorized, "token revoked")},
		{"a check of a revoked token", "POST /user/check HTTP/1.1" + python + "\nAuthorization: Bearer revoked", 401, fmt.Sprintf(unauthorized, "token revoked")},
		{"a check of an expired token", "POST /user/check HTTP/1.1" + python + "\nAuthorization: bearer\texpired", 401, fmt.Sprintf(unauthorized, "token expired")},
		{"a check of a forged token", "POST /user/check HTTP/1.1" + python + "\nAuthorization: BEARER   forged ", 401, fmt.Sprintf(unauthorized, "signature verification failed")},
		{"a check of junk", "POST /user/check HTTP/1.1" + python + "\nAuthorization: Bearer junk", 401, fmt.Sprintf(unauthorized, "malformed token")},
		{"a check of nothing", "POST /user/check HTTP/1.1" + python, 401, fmt.Sprintf(unauthorized, "Missing authentication header")},
	} {
		w := send(t, newTestHandler(&core{}), anywhere, c.request)
		if w.Code != c.status || w.Header().Get("Content-Type") != jsonText || w.Body.String() != c.body {
			t.Errorf("%s: %d %q %q, want %d %q", c.name, w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.name, got)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got != "") != (w.Code == 401) {
			t.Errorf("%s: WWW-Authenticate %q with status %d", c.name, got, w.Code)
		}
	}
}

func TestAFloodIsToldWhenToComeBack(t *testing.T) {
	w := send(t, newTestHandler(&core{}), anywhere, "POST /user/login HTTP/1.1"+python+"\n\n"+`{"username":"flood","password":""}`)
	if w.Code != 429 || w.Header().Get("Retry-After") != "7" || w.Body.String() != "429: Too Many Requests" {
		t.Errorf("%d, Retry-After %q, %q", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}

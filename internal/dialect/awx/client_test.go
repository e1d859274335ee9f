package awx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The answers of an original of 2018.
const (
	personalToken    = `{"id":4,"type":"o_auth2_access_token","url":"/api/v2/tokens/4/","related":{"user":"/api/v2/users/1/","activity_stream":"/api/v2/tokens/4/activity_stream/"},"summary_fields":{"user":{"id":1,"username":"bob","first_name":"","last_name":""}},"created":"2018-03-30T20:12:22.361041Z","modified":"2018-03-30T20:12:22.361099Z","description":"ats-auth CLI","user":1,"token":"kqHqxfpHGRRBXLNCOXxT5Zt3tpJogn","refresh_token":null,"application":null,"expires":"3017-12-06T03:12:22.361041Z","scope":"write"}`
	applicationToken = `{"id":5,"type":"o_auth2_access_token","url":"/api/v2/tokens/5/","related":{"user":"/api/v2/users/1/","application":"/api/v2/applications/6/"},"summary_fields":{"application":{"id":6,"name":"Default application","client_id":"mcU5J5uGQcEQMgAZyr5JUnM3BqBJpgbgL9fLOVch"}},"created":"2018-02-23T14:39:32.618932Z","modified":"2018-02-23T14:39:32.643626Z","description":"App Token Test","user":1,"token":"*************","refresh_token":"*************","application":6,"expires":"2018-02-24T00:39:32.618279Z","scope":"read"}`
	grantAnswer      = `{"access_token": "9epHOqHhnXUcgYK8QanOmUQPSgX92g", "token_type": "Bearer", "expires_in": 315360000000, "refresh_token": "jMRX6QvzOTf046KHee3TU5mT3nyXsz", "scope": "read"}`
	noCredentials    = `{"detail":"Authentication credentials were not provided. To establish a login session, visit /api/login/."}`
	forbidden        = `{"detail":"You do not have permission to perform this action."}`
	anApplication    = `{"id":1,"type":"o_auth2_application","url":"/api/v2/applications/1/","related":{"tokens":"/api/v2/applications/1/tokens/"},"summary_fields":{"organization":{"id":1,"name":"Default","description":""},"user_capabilities":{"edit":true,"delete":true},"tokens":{"count":1,"results":[{"scope":"read","token":"*************","id":2}]}},"created":"2018-07-02T21:16:45.824400Z","modified":"2018-07-02T21:16:45.824514Z","name":"My Application","description":"","client_id":"Ecmc6RjjhKUOWJzDYEP8TZ35P3dvsKt0AKdIjgHV","client_secret":"7Ft7ym8MpE54yWGUNvxxg6KqGwPFsyhYn9QQfYHlgBxai74Qp1GE4zsvJduOfSFkTfWFnPzYpxqcRsy1KacD0HH0vOAQUDJDCidByMiUIH4YQKtGFM1zE1dACYbpN44E","client_type":"confidential","redirect_uris":"","authorization_grant_type":"password","skip_authorization":false,"organization":1}`
)

const password = "Pa55-of-bob"

// service answers messages by their method and path, and notes them.
type service struct {
	t       *testing.T
	answers map[string]dialect.Reply // by "GET /path"; without it: 404
	sent    []dialect.Message
}

func (s *service) exchange(_ context.Context, m dialect.Message) (dialect.Reply, error) {
	s.sent = append(s.sent, m)
	if len(s.sent) > 3*maxPages {
		s.t.Fatal("it asks without end")
	}
	if r, ok := s.answers[m.Method+" "+m.Path]; ok {
		return r, nil
	}
	path, _, _ := strings.Cut(m.Path, "?")
	if r, ok := s.answers[m.Method+" "+path]; ok {
		return r, nil
	}
	return reply(404, "<html>"), nil
}

func reply(status int, body string) dialect.Reply {
	return dialect.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// talk is a client of a service with those answers.
func talk(t *testing.T, c Config, answers map[string]dialect.Reply) (*Client, *service) {
	s := &service{t: t, answers: answers}
	c.Exchange = s.exchange
	c.Now = func() time.Time { return time.Unix(1527884235, 0) }
	return NewClient(c), s
}

// line is what a message says on the wire.
func line(m dialect.Message) string {
	_, body, _ := m.Body()
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", m.Method, m.Path, m.Authorization(), body))
}

func bob() token.Credentials {
	return token.Credentials{Username: "bob", Password: token.NewPassword(password)}
}

var application = Config{ClientID: "app", ClientSecret: token.NewPassword("app-secret")}

func TestWhatALoginSends(t *testing.T) {
	const basic = "Basic Ym9iOlBhNTUtb2YtYm9i" // bob:Pa55-of-bob
	me := map[string]dialect.Reply{"GET /api/v2/me/": reply(200, `{"count":1,"next":null,"previous":null,"results":[{"id":42,"type":"user","username":"7"}]}`)}
	for _, c := range []struct {
		name   string
		config Config
		user   string
		want   token.Request
		sends  []string
	}{
		{"a personal token", Config{}, "bob", token.Request{}, []string{`POST /api/v2/users/bob/personal_tokens/ ` + basic + ` {"description":"ats-auth CLI","application":null,"scope":"write"}`}},
		{"one for a purpose", Config{URL: "https://tower/api"}, "bob", token.Request{Scope: "read", Description: "night"}, []string{`POST /v2/users/bob/personal_tokens/ ` + basic + ` {"description":"night","application":null,"scope":"read"}`}},
		{"of a name that is a number", Config{}, "7", token.Request{}, []string{`GET /api/v2/me/ Basic NzpQYTU1LW9mLWJvYg==`, `POST /api/v2/users/42/personal_tokens/ Basic NzpQYTU1LW9mLWJvYg== {"description":"ats-auth CLI","application":null,"scope":"write"}`}},
		{"of a name with a slash", Config{}, "a/b", token.Request{}, []string{`GET /api/v2/me/ Basic YS9iOlBhNTUtb2YtYm9i`, `POST /api/v2/users/42/personal_tokens/ Basic YS9iOlBhNTUtb2YtYm9i {"description":"ats-auth CLI","application":null,"scope":"write"}`}},
		{"an application's", application, "bob", token.Request{Scope: "read", Refresh: true}, []string{`POST /api/o/token/ Basic YXBwOmFwcC1zZWNyZXQ= grant_type=password&password=Pa55-of-bob&scope=read&username=bob`}},
		{"a public one's", Config{ClientID: "app", URL: "https://tower"}, "bob", token.Request{}, []string{`POST /api/o/token/  client_id=app&grant_type=password&password=Pa55-of-bob&username=bob`}},
	} {
		answers := map[string]dialect.Reply{"GET /api/v2/me/": me["GET /api/v2/me/"]}
		for _, path := range []string{"/api/v2/users/bob/personal_tokens/", "/v2/users/bob/personal_tokens/", "/api/v2/users/42/personal_tokens/"} {
			answers["POST "+path] = reply(201, personalToken)
		}
		answers["POST /api/o/token/"] = reply(200, grantAnswer)
		client, s := talk(t, c.config, answers)
		set, err := client.Login(t.Context(), token.Credentials{Username: c.user, Password: token.NewPassword(password)}, c.want)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var sent []string
		for _, m := range s.sent {
			sent = append(sent, line(m))
		}
		if strings.Join(sent, "\n") != strings.Join(c.sends, "\n") {
			t.Errorf("%s: sent\n%s\nwant\n%s", c.name, strings.Join(sent, "\n"), strings.Join(c.sends, "\n"))
		}
		if c.config.ClientID == "" && (set.AccessToken.Reveal() != "kqHqxfpHGRRBXLNCOXxT5Zt3tpJogn" || set.LoginID != "4" || set.Scope != "write" || !set.RefreshToken.IsZero() || set.ExpiresIn != 31541554507) {
			t.Errorf("%s: %+v", c.name, set)
		}
		if c.config.ClientID != "" && (set.AccessToken.Reveal() != "9epHOqHhnXUcgYK8QanOmUQPSgX92g" || set.RefreshToken.Reveal() != "jMRX6QvzOTf046KHee3TU5mT3nyXsz" || set.Scope != "read" || set.ExpiresIn != maxLifetime) {
			t.Errorf("%s: %+v", c.name, set)
		}
	}
}

func TestWhatCannotBeAskedForIsNotSent(t *testing.T) {
	for name, call := range map[string]func(c *Client) error{
		"a lifetime":      func(c *Client) error { _, err := c.Login(t.Context(), bob(), token.Request{TTL: 5}); return err },
		"a refresh token": func(c *Client) error { _, err := c.Login(t.Context(), bob(), token.Request{Refresh: true}); return err },
		"a colon": func(c *Client) error {
			_, err := c.Login(t.Context(), token.Credentials{Username: "a:b"}, token.Request{})
			return err
		},
		"no UTF-8": func(c *Client) error {
			_, err := c.Login(t.Context(), token.Credentials{Username: "\xff"}, token.Request{})
			return err
		},
		"no application": func(c *Client) error {
			_, err := c.Refresh(t.Context(), token.NewSecret("r"), token.Request{})
			return err
		},
		"all of a user": func(c *Client) error { return c.RevokeAll(t.Context(), token.NewSecret("t"), "bob") },
		"a device": func(c *Client) error {
			_, err := c.Grant(t.Context(), token.Grant{Type: token.GrantDeviceCode}, token.Request{})
			return err
		},
		"a browser, alone": func(c *Client) error {
			_, err := c.Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode}, token.Request{})
			return err
		},
		"some of a list": func(c *Client) error {
			_, _, err := c.FindLogins(t.Context(), token.NewSecret("t"), token.LoginQuery{Skip: 1})
			return err
		},
	} {
		client, s := talk(t, Config{}, nil)
		if err := call(client); !errors.Is(err, token.ErrUnsupported) || len(s.sent) > 0 {
			t.Errorf("%s: %v, %d messages", name, err, len(s.sent))
		}
	}
}

func TestARefusedLoginSaysWhy(t *testing.T) {
	const wrong = `{"error": "invalid_grant", "error_description": "Invalid credentials given."}`
	for _, c := range []struct {
		name   string
		config Config
		status int
		body   string
		kind   error
		text   string
	}{
		{"a wrong password", Config{}, 401, `{"detail":"Invalid username/password."}`, token.ErrCredentials, ""},
		{"a wrong password, through an application", application, 400, wrong, token.ErrCredentials, ""},
		{"the same in 2018", application, 401, wrong, token.ErrCredentials, ""},
		{"an unknown application", application, 401, `{"error": "invalid_client"}`, token.ErrDenied, "application"},
		{"not its grant", application, 400, `{"error": "unauthorized_client"}`, token.ErrDenied, "unauthorized_client"},
		{"no such grant", application, 400, `{"error": "unsupported_grant_type"}`, token.ErrUnsupported, "unsupported_grant_type"},
		{"no such scope", application, 401, `{"error": "invalid_scope"}`, token.ErrDenied, "invalid_scope"},
		{"no user name", application, 400, `{"error": "invalid_request", "error_description": "Request is missing username parameter."}`, token.ErrDenied, "Request is missing username parameter."},
		{"a scope that is none", Config{}, 400, `{"scope":["Must be a simple space-separated string with allowed scopes ['read', 'write']."]}`, token.ErrDenied, "refused: scope: Must be a simple space-separated string with allowed scopes ['read', 'write']"},
		{"several fields", Config{}, 400, `{"b":["Two.","Three."],"a":"One.","c":{"d":1},"__all__":["Four."]}`, token.ErrDenied, "refused: Four.; a: One.; b: Two"},
		{"forbidden", Config{}, 403, forbidden, token.ErrDenied, "You do not have permission to perform this action"},
		{"no such list", Config{}, 404, `{"detail":"Not found."}`, token.ErrUnsupported, "cannot do that"},
		{"no AWX", Config{}, 404, `<html>`, token.ErrUnsupported, "404 Not Found"},
		{"no AWX, with an application", application, 404, `<html>`, token.ErrUnsupported, "404 Not Found"},
		{"a failure", Config{}, 500, `<html>`, token.ErrUnavailable, "500"},
		{"too often", Config{}, 429, `{"detail":"Request was throttled."}`, token.ErrThrottled, ""},
		{"elsewhere", Config{}, 301, ``, token.ErrUnavailable, "makes no sense"},
		{"an echo", Config{}, 400, `{"description":["` + password + ` is odd"]}`, token.ErrDenied, "400 Bad Request"},
		{"an echo of the form", application, 400, `{"error":"` + password + `"}`, token.ErrDenied, "400 Bad Request"},
		{"an echo of the secret", application, 400, `{"error":"x","error_description":"app-secret"}`, token.ErrDenied, "400 Bad Request"},
		{"an escape", Config{}, 400, `{"detail":"\u001b[2J"}`, token.ErrDenied, "400 Bad Request"},
		{"a long tale", Config{}, 400, `{"detail":"` + strings.Repeat("x", 301) + `"}`, token.ErrDenied, "400 Bad Request"},
		{"a list", Config{}, 200, `[]`, token.ErrUnavailable, "makes no sense"},
		{"no token", Config{}, 201, `{"id":4,"token":""}`, token.ErrUnavailable, "no token"},
		{"a masked one", Config{}, 201, strings.Replace(personalToken, "kqHqxfpHGRRBXLNCOXxT5Zt3tpJogn", "************", 1), token.ErrUnavailable, "no token"},
		{"one of two lines", application, 200, strings.Replace(grantAnswer, "9epH", `9\n`, 1), token.ErrUnavailable, "no bearer token"},
		{"of another type", application, 200, strings.Replace(grantAnswer, "Bearer", `mac`, 1), token.ErrUnavailable, "no bearer token"},
		{"no refresh token", application, 200, strings.Replace(grantAnswer, "jMRX6QvzOTf046KHee3TU5mT3nyXsz", ``, 1), token.ErrUnsupported, "no refresh token"},
	} {
		client, _ := talk(t, c.config, map[string]dialect.Reply{
			"POST /api/v2/users/bob/personal_tokens/": reply(c.status, c.body), "POST /api/o/token/": reply(c.status, c.body),
		})
		_, err := client.Login(t.Context(), bob(), token.Request{Refresh: c.config.ClientID != ""})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "app-secret") {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.kind, c.text)
		}
	}
}

func TestARefreshTokenThatIsNotTakenIsUnknownOrExpired(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   error
	}{
		{200, grantAnswer, nil},
		{400, `{"error": "invalid_grant"}`, token.ErrUnknown},
		{401, `{"error": "invalid_grant"}`, token.ErrUnknown},
		{403, `The refresh token has expired.`, token.ErrExpired},
		{403, forbidden, token.ErrDenied},
		{500, ``, token.ErrUnavailable},
	} {
		client, s := talk(t, application, map[string]dialect.Reply{"POST /api/o/token/": reply(c.status, c.body)})
		_, err := client.Refresh(t.Context(), token.NewSecret("AL0NK9TTpv0qp54dGbC4VUZtsZ9r8z"), token.Request{})
		if !errors.Is(err, c.kind) {
			t.Errorf("%d %s: %v, want %v", c.status, c.body, err, c.kind)
		}
		if got := line(s.sent[0]); got != "POST /api/o/token/ Basic YXBwOmFwcC1zZWNyZXQ= grant_type=refresh_token&refresh_token=AL0NK9TTpv0qp54dGbC4VUZtsZ9r8z" {
			t.Errorf("sent %s", got)
		}
	}
}

func TestATokenIsCheckedByItsBearer(t *testing.T) {
	for body, kind := range map[string]error{
		`{"count":1,"next":null,"previous":null,"results":[{"id":1,"username":"bob"}]}`: nil,
		`{"count":0,"next":null,"previous":null,"results":[]}`:                          token.ErrUnavailable,
		`{"hello":"world"}`:   token.ErrUnavailable,
		`{"results":["bob"]}`: token.ErrUnavailable,
	} {
		client, s := talk(t, application, map[string]dialect.Reply{"GET /api/v2/me/": reply(200, body)})
		o, err := client.Check(t.Context(), token.NewSecret("T"))
		if !errors.Is(err, kind) || err == nil && o.JSON() != `{"id":1,"username":"bob"}` {
			t.Errorf("%s: %v, want %v", body, err, kind)
		}
		if got := line(s.sent[0]); got != "GET /api/v2/me/ Bearer T" {
			t.Errorf("sent %s", got)
		}
	}
	client, _ := talk(t, Config{}, map[string]dialect.Reply{"GET /api/v2/me/": reply(401, noCredentials)})
	if _, err := client.Check(t.Context(), token.NewSecret("T")); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("not honoured: %v", err)
	}
}

func TestATokenIsRevokedByItsApplicationOrDeletesItselfWhereItIsTheOnlyOne(t *testing.T) {
	const me = `{"count":1,"results":[{"id":1,"username":"bob"}]}`
	one, two := `{"count":1,"next":null,"results":[`+personalToken+`]}`, `{"count":2,"next":null,"results":[`+personalToken+`,`+applicationToken+`]}`
	for _, c := range []struct {
		name    string
		config  Config
		raw     string
		answers map[string]dialect.Reply
		kind    error
		last    string
	}{
		{"by the application", application, "T", map[string]dialect.Reply{"POST /api/o/revoke_token/": reply(200, ""), "GET /api/v2/me/": reply(401, noCredentials)}, nil, "GET /api/v2/me/ Bearer T"},
		{"by a wrong one", application, "T", map[string]dialect.Reply{"POST /api/o/revoke_token/": reply(401, `{"error":"invalid_client"}`)}, token.ErrDenied, "POST /api/o/revoke_token/ Basic YXBwOmFwcC1zZWNyZXQ= token=T"},
		{"by another one", application, "T", map[string]dialect.Reply{"POST /api/o/revoke_token/": reply(200, ""), "GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, two)}, token.ErrUnsupported, "GET /api/v2/users/1/tokens/?page_size=2 Bearer T"},
		{"by itself", Config{}, "T", map[string]dialect.Reply{"GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, one), "DELETE /api/v2/tokens/4/": reply(204, "")}, nil, "DELETE /api/v2/tokens/4/ Bearer T"},
		{"a read one", Config{}, "T", map[string]dialect.Reply{"GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, one), "DELETE /api/v2/tokens/4/": reply(403, forbidden)}, token.ErrDenied, "DELETE /api/v2/tokens/4/ Bearer T"},
		{"one of several", Config{}, "T", map[string]dialect.Reply{"GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, two)}, token.ErrUnsupported, "GET /api/v2/users/1/tokens/?page_size=2 Bearer T"},
		{"one of several, on a page of one", Config{}, "T", map[string]dialect.Reply{"GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, strings.Replace(one, `"count":1`, `"count":2`, 1))}, token.ErrUnsupported, "GET /api/v2/users/1/tokens/?page_size=2 Bearer T"},
		{"a void one", Config{}, "T", map[string]dialect.Reply{"GET /api/v2/me/": reply(401, noCredentials)}, token.ErrUnknown, "GET /api/v2/me/ Bearer T"},
		{"another dialect's", Config{}, "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", map[string]dialect.Reply{"GET /api/v2/me/": reply(200, me), "GET /api/v2/users/1/tokens/": reply(200, one)}, token.ErrUnsupported, "GET /api/v2/me/ Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"},
	} {
		client, s := talk(t, c.config, c.answers)
		err := client.Revoke(t.Context(), token.NewSecret(c.raw))
		if !errors.Is(err, c.kind) || c.kind == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
		}
		if got := line(s.sent[len(s.sent)-1]); got != c.last {
			t.Errorf("%s: at last sent %s, want %s", c.name, got, c.last)
		}
	}
}

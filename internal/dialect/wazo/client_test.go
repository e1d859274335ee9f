package wazo

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

// The answers of originals: of 2015, whose times contradict what was asked for, of
// 2017 and of later ones.
const (
	uuid      = "1823c1ee-6c6a-0cdc-d869-964a7f08a744"
	answer15  = `{"data": {"issued_at": "2015-06-05T10:16:58.557553", "utc_issued_at": "2015-06-05T15:16:58.557553", "token": "1823c1ee-6c6a-0cdc-d869-964a7f08a744", "auth_id": "63f3dc3c-865d-419e-bec2-e18c4b118224", "xivo_user_uuid": "63f3dc3c-865d-419e-bec2-e18c4b118224", "expires_at": "2015-06-05T11:16:58.557595", "utc_expires_at": "2015-06-05T16:16:58.557595"}}`
	answer17  = `{"data": {"utc_expires_at": "2017-05-16T15:10:13.417", "token": "1823c1ee-6c6a-0cdc-d869-964a7f08a744", "xivo_user_uuid": null, "acls": ["confd.#", "dird.me.#"], "auth_id": "63f3", "xivo_uuid": null, "issued_at": "2017-05-16T11:00:13", "expires_at": "2017-05-16T11:10:13", "utc_issued_at": "2017-05-16T15:00:13"}}`
	answer26  = `{"data": {"token": "1823c1ee-6c6a-0cdc-d869-964a7f08a744", "session_uuid": "c5a1", "auth_id": "63f3", "pbx_user_uuid": "63f3", "xivo_uuid": "x1", "issued_at": "2026-01-05T10:16:58.557553", "expires_at": "2026-01-05T12:16:58.557553", "utc_issued_at": "2026-01-05T15:16:58.557553", "utc_expires_at": "2026-01-05T17:16:58.557553", "acl": ["confd.users.me.read", "!auth.#"], "metadata": {"uuid": "63f3", "tenant_uuid": "t1", "admin": false, "purpose": "user"}, "remote_addr": "10.0.0.1", "user_agent": "ats-auth", "refresh_token": "5a4f8b0e-0000-4000-8000-000000000001"}}`
	noToken   = `{"reason": ["No such token"], "timestamp": [1433517418.12], "status_code": 404}`
	noToken26 = `{"message": "No such token", "error_id": "not-found", "details": {}, "timestamp": 1767626218.5}`
	failed    = `{"reason": ["Authentication Failed"], "timestamp": [1433517418.12], "status_code": 401}`
	failed26  = `{"message": "Unauthorized", "error_id": "unauthorized", "details": {"invalid_token": "x", "reason": "missing_permission_or_invalid_tenant"}, "timestamp": 1767626218.5}`
	tooMany   = `{"reason": ["User 63f3 has exceeded the maximum number of active sessions"], "timestamp": [1767626218.5], "status_code": 429}`
	tokens26  = `{"total": 2, "filtered": 2, "items": [{"client_id": "ats-auth", "created_at": "2026-01-05T15:16:58.557553+00:00", "mobile": false, "user_uuid": "63f3", "tenant_uuid": "t1", "metadata": {}}, {"client_id": "phone.1/é", "created_at": null, "mobile": true, "user_uuid": "63f3", "tenant_uuid": "t1", "metadata": {}}]}`
	sessions  = `{"total": 2, "filtered": 2, "items": [{"uuid": "c5a1", "mobile": false, "user_uuid": "63f3", "tenant_uuid": "t1"}, {"uuid": "d6b2", "mobile": true, "user_uuid": "63f3", "tenant_uuid": "t1"}]}`
	deleted   = `{"data": {"message": "success"}}`
	password  = "Pa55-of-älice"
	refresh   = "5a4f8b0e-0000-4000-8000-000000000001"
)

// service answers messages by their method and path, and notes them.
type service struct {
	answers map[string]dialect.Reply // by "GET /path"; without it: 404
	sent    []dialect.Message
}

func (s *service) exchange(_ context.Context, m dialect.Message) (dialect.Reply, error) {
	s.sent = append(s.sent, m)
	if r, ok := s.answers[m.Method+" "+m.Path]; ok {
		return r, nil
	}
	return reply(404, "<html>"), nil
}

// lines are what was sent.
func (s *service) lines() string {
	var all []string
	for _, m := range s.sent {
		_, body, _ := m.Body()
		line := strings.Join([]string{m.Method, m.Path, m.Authorization(), m.Header.Get(HeaderToken), string(body)}, " ")
		all = append(all, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(all, "\n")
}

func reply(status int, body string) dialect.Reply {
	return dialect.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// talk is a client of a service with those answers, at a quarter past three.
func talk(c Config, answers map[string]dialect.Reply) (*Client, *service) {
	s := &service{answers: answers}
	c.Exchange = s.exchange
	c.Now = func() time.Time { return time.Date(2015, 6, 5, 15, 17, 0, 0, time.UTC) }
	return NewClient(c), s
}

func alice() token.Credentials {
	return token.Credentials{Username: "alice", Password: token.NewPassword(password)}
}

func secret() token.Secret { return token.NewSecret(uuid) }

func TestWhatALoginSends(t *testing.T) {
	const basic = "Basic YWxpY2U6UGE1NS1vZi3DpGxpY2U=" // alice:Pa55-of-älice in UTF-8
	for name, c := range map[string]struct {
		config Config
		want   token.Request
		sends  string
	}{
		"the seed's":           {Config{Backend: "xivo_user"}, token.Request{TTL: 600}, "POST /0.1/token " + basic + ` {"backend":"xivo_user","expiration":600}`},
		"nothing chosen":       {Config{ClientID: "x"}, token.Request{}, "POST /0.1/token " + basic + " {}"},
		"offline":              {Config{Backend: "b"}, token.Request{Refresh: true}, "POST /0.1/token " + basic + ` {"backend":"b","access_type":"offline","client_id":"ats-auth"}`},
		"of a client":          {Config{ClientID: "app"}, token.Request{Refresh: true}, "POST /0.1/token " + basic + ` {"access_type":"offline","client_id":"app"}`},
		"a URL with the start": {Config{URL: "https://pbx/0.1"}, token.Request{}, "POST /token " + basic + " {}"},
	} {
		client, s := talk(c.config, map[string]dialect.Reply{"POST /0.1/token": reply(200, answer26), "POST /token": reply(200, answer26)})
		set, err := client.Login(t.Context(), alice(), c.want)
		if err != nil || set.AccessToken.Reveal() != uuid || set.TokenType != "" || set.LoginID != "c5a1" {
			t.Errorf("%s: %+v, %v", name, set, err)
		}
		if s.lines() != c.sends {
			t.Errorf("%s: sent\n%s\nwant\n%s", name, s.lines(), c.sends)
		}
	}
}

func TestATokenLivesAsLongAsTheAnswerSays(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ttl  int64
		ends string
	}{
		"2015, against what was asked": {answer15, 3600, "2015-06-05T16:16:58.557595Z"},
		"of a clock two years ahead":   {answer17, 600, "2015-06-05T15:27:00Z"},
		"of one far ahead":             {answer26, 7200, "2015-06-05T17:17:00Z"},
		"it does not say":              {`{"data":{"token":"` + uuid + `","utc_issued_at":"2015-06-05T15:16:58","utc_expires_at":"soon"}}`, 0, "0001-01-01T00:00:00Z"},
	} {
		client, _ := talk(Config{Backend: "b"}, map[string]dialect.Reply{"POST /0.1/token": reply(200, c.body)})
		set, err := client.Login(t.Context(), alice(), token.Request{TTL: 600})
		if err != nil || set.ExpiresIn != c.ttl || set.ExpiresAt.UTC().Format(time.RFC3339Nano) != c.ends {
			t.Errorf("%s: %v, %d, %v", name, err, set.ExpiresIn, set.ExpiresAt.UTC())
		}
	}
}

func TestWhatCannotBeAskedForIsNotSent(t *testing.T) {
	for name, call := range map[string]func(c *Client) error{
		"a scope": func(c *Client) error { _, err := c.Login(t.Context(), alice(), token.Request{Scope: "x"}); return err },
		"the login's end": func(c *Client) error {
			_, err := c.Login(t.Context(), alice(), token.Request{RefreshTTL: 1})
			return err
		},
		"a label": func(c *Client) error {
			_, err := c.Login(t.Context(), alice(), token.Request{Labels: []string{"x"}})
			return err
		},
		"two at once": func(c *Client) error {
			_, err := c.Refresh(t.Context(), token.NewSecret(refresh), token.Request{Refresh: true})
			return err
		},
		"a colon": func(c *Client) error {
			_, err := c.Login(t.Context(), token.Credentials{Username: "a:b", Password: token.NewPassword(password)}, token.Request{})
			return err
		},
		"all of a user": func(c *Client) error { return c.RevokeAll(t.Context(), secret(), "") },
		"a choice": func(c *Client) error {
			_, _, err := c.FindLogins(t.Context(), secret(), token.LoginQuery{Limit: 1})
			return err
		},
	} {
		client, s := talk(Config{}, nil)
		if err := call(client); !errors.Is(err, token.ErrUnsupported) || len(s.sent) > 0 {
			t.Errorf("%s: %v, sent %s", name, err, s.lines())
		}
	}
}

func TestWhatCannotBeATokenStandsInNoURL(t *testing.T) {
	for _, raw := range []string{"", ".", "..", "a b", "a\nb", "é", strings.Repeat("x", maxToken+1)} {
		client, s := talk(Config{}, nil)
		_, check := client.Check(t.Context(), token.NewSecret(raw))
		_, list := client.List(t.Context(), token.NewSecret(raw))
		_, renew := client.Refresh(t.Context(), token.NewSecret(raw), token.Request{})
		for _, err := range []error{check, list, renew, client.CheckAccess(t.Context(), token.NewSecret(raw), "x"), client.Revoke(t.Context(), token.NewSecret(raw))} {
			if !errors.Is(err, token.ErrMalformed) || len(s.sent) > 0 {
				t.Errorf("%q: %v, sent %s", raw, err, s.lines())
			}
		}
	}
	client, s := talk(Config{}, nil)
	_ = client.CheckAccess(t.Context(), token.NewSecret("../users?a=b#c%2F"), "a&b=c #.*")
	if want := "HEAD /0.1/token/..%2Fusers%3Fa=b%23c%252F?scope=a%26b%3Dc+%23.%2A"; !strings.HasPrefix(s.lines(), want) {
		t.Errorf("sent %s", s.lines())
	}
}

func TestARefusedLoginSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		backend string
		status  int
		body    string
		kind    error
		text    string
	}{
		"wrong password, 2017":     {"", 401, failed, token.ErrCredentials, "wrong user name or password"},
		"wrong password or so":     {"ldap", 401, failed, token.ErrCredentials, `wrong user name or password, or no backend "ldap"`},
		"wrong password, of today": {"", 401, failed26, token.ErrCredentials, "wrong user name or password"},
		"no backend":               {"", 400, `{"reason": ["Missing data for required field."], "timestamp": [1.5], "status_code": 400}`, token.ErrDenied, "Missing data for required field; no backend is named, which some servers want"},
		"too many requests":        {"b", 429, `{"reason": ["Too many wrong passwords"]}`, token.ErrThrottled, "the server asks to wait: Too many wrong passwords"},
		"expiration":               {"b", 400, `{"reason": ["Invalid expiration"], "timestamp": [1.5], "status_code": 400}`, token.ErrDenied, "the server refused: Invalid expiration"},
		"too many":                 {"b", 429, tooMany, token.ErrThrottled, "the server refused: User 63f3 has exceeded the maximum number of active sessions"},
		"broken":                   {"b", 500, `{"reason": ["Unexpected error"], "timestamp": [1.5], "status_code": 500}`, token.ErrUnavailable, "the server failed: Unexpected error"},
		"a page":                   {"b", 502, "<html>", token.ErrUnavailable, "the server failed: 502 Bad Gateway"},
		"another server":           {"b", 404, "<html>", token.ErrUnsupported, "this server cannot do that: 404 Not Found"},
		"another path":             {"b", 404, `{"message": "The requested URL was not found on the server."}`, token.ErrUnsupported, "this server cannot do that: 404 Not Found"},
		"what was sent":            {"b", 400, `{"reason": ["bad ` + password + `"]}`, token.ErrDenied, "the server refused: 400 Bad Request"},
		"not JSON":                 {"b", 200, "<html>", token.ErrUnavailable, "makes no sense"},
		"no token":                 {"b", 200, `{"data": {}}`, token.ErrUnavailable, "makes no sense: no token in it"},
		"no refresh token":         {"b", 200, answer15, token.ErrUnsupported, "this server gave no refresh token"},
		"an odd refresh token":     {"b", 200, strings.Replace(answer26, refresh, `a\nb`, 1), token.ErrUnavailable, "no refresh token in it"},
	} {
		client, _ := talk(Config{Backend: c.backend}, map[string]dialect.Reply{"POST /0.1/token": reply(c.status, c.body)})
		set, err := client.Login(t.Context(), alice(), token.Request{Refresh: true})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), password) || !set.AccessToken.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWrongPasswordMayBeThatOfAnotherBackend(t *testing.T) {
	const or = ", or those of another backend: none is named of corp, local"
	for name, c := range map[string]struct {
		backend, backends, text string
	}{
		"none is named": {"", `{"data": ["corp", "local"]}`, "wrong user name or password" + or},
		"there is one":  {"", `{"data": ["local"]}`, "wrong user name or password"},
		"one is named":  {"corp", `{"data": ["corp", "local"]}`, `wrong user name or password, or no backend "corp"`},
		"odd names":     {"", `{"data": ["a\u0007b", "local"]}`, "wrong user name or password"},
		"no answer":     {"", `<html>`, "wrong user name or password"},
	} {
		client, _ := talk(Config{Backend: c.backend}, map[string]dialect.Reply{"POST /0.1/token": reply(401, failed), "GET /0.1/backends": reply(200, c.backends)})
		_, err := client.Login(t.Context(), alice(), token.Request{})
		if !errors.Is(err, token.ErrCredentials) || err.Error() != c.text {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Only a server of 2017 has words for a backend that is missing; other 400s are about
// something else.
func TestABackendIsMissedWhereTheServerMissesIt(t *testing.T) {
	for body, missed := range map[string]bool{
		`{"reason": ["Missing data for required field."]}`:               true,
		`{"reason": ["Invalid backend"]}`:                                true,
		`{"reason": ["Invalid expiration"]}`:                             false,
		`{"message": "{'expiration': ['Must be greater than 1.']}"}`:     false,
		`<html>400 The plain HTTP request was sent to HTTPS port</html>`: false,
	} {
		client, _ := talk(Config{}, map[string]dialect.Reply{"POST /0.1/token": reply(400, body)})
		_, err := client.Login(t.Context(), alice(), token.Request{})
		if !errors.Is(err, token.ErrDenied) || strings.Contains(err.Error(), "no backend is named") != missed {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestASessionTellsWhereItWasMadeAndByWhat(t *testing.T) {
	row := `{"total": 1, "filtered": 1, "items": [{"uuid": "c5a1", "remote_addr": "192.0.2.7", "user_agent": "curl/8.5", "created_at": "2026-01-05T15:16:58"}]}`
	client, _ := talk(Config{}, map[string]dialect.Reply{"GET /0.1/users/me/sessions": reply(200, row)})
	list, err := client.ListSessions(t.Context(), secret())
	if err != nil || len(list) != 1 || list[0].Client != "192.0.2.7" || list[0].Name != "curl/8.5" || list[0].CreatedAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestARefreshKeepsTheRefreshToken(t *testing.T) {
	client, s := talk(Config{Backend: "b", ClientID: "app"}, map[string]dialect.Reply{"POST /0.1/token": reply(200, answer15)})
	set, err := client.Refresh(t.Context(), token.NewSecret(refresh), token.Request{TTL: 60})
	if err != nil || set.AccessToken.Reveal() != uuid || set.RefreshToken.Reveal() != refresh || set.ClientID != "app" {
		t.Errorf("%+v, %v", set, err)
	}
	if want := `POST /0.1/token {"expiration":60,"client_id":"app","refresh_token":"` + refresh + `"}`; s.lines() != want {
		t.Errorf("sent %s", s.lines())
	}
	s.answers["POST /0.1/token"] = reply(401, failed)
	_, err = client.Refresh(t.Context(), token.NewSecret(refresh), token.Request{})
	if !errors.Is(err, token.ErrUnknown) || !strings.Contains(err.Error(), `"app"`) || strings.Contains(err.Error(), refresh) {
		t.Errorf("void: %v", err)
	}
}

func TestACheckAsksByHEADAndTheRefusalByGET(t *testing.T) {
	const path, scoped = "/0.1/token/" + uuid, "/0.1/token/" + uuid + "?scope=confd.users.read"
	for name, c := range map[string]struct {
		access  string
		answers map[string]dialect.Reply
		kind    error
		text    string
		sends   string
	}{
		"honoured":        {"", map[string]dialect.Reply{"HEAD " + path: reply(204, "")}, nil, "", "HEAD " + path},
		"gives it":        {"confd.users.read", map[string]dialect.Reply{"HEAD " + scoped: reply(204, "")}, nil, "", "HEAD " + scoped},
		"gives it not":    {"confd.users.read", map[string]dialect.Reply{"HEAD " + scoped: reply(403, ""), "GET " + scoped: reply(403, `{"reason": ["Unauthorized for confd.users.read"], "timestamp": [1.5], "status_code": 403}`)}, token.ErrDenied, `the token gives no access to "confd.users.read"`, "HEAD " + scoped + "\nGET " + scoped},
		"void, 2017":      {"", map[string]dialect.Reply{"HEAD " + path: reply(404, ""), "GET " + path: reply(404, noToken)}, token.ErrUnknown, "the server knows no such token", "HEAD " + path + "\nGET " + path},
		"void, of today":  {"confd.users.read", map[string]dialect.Reply{"HEAD " + scoped: reply(404, ""), "GET " + scoped: reply(404, noToken26)}, token.ErrUnknown, "the server knows no such token", "HEAD " + scoped + "\nGET " + scoped},
		"another server":  {"", nil, token.ErrUnsupported, "this server cannot do that: 404 Not Found", "HEAD " + path + "\nGET " + path},
		"a page":          {"", map[string]dialect.Reply{"HEAD " + path: reply(200, ""), "GET " + path: reply(200, "<html>")}, token.ErrUnavailable, "makes no sense", "HEAD " + path + "\nGET " + path},
		"broken":          {"", map[string]dialect.Reply{"HEAD " + path: reply(503, ""), "GET " + path: reply(503, "")}, token.ErrUnavailable, "503", "HEAD " + path + "\nGET " + path},
		"no HEAD between": {"", map[string]dialect.Reply{"HEAD " + path: reply(405, ""), "GET " + path: reply(200, answer17)}, nil, "", "HEAD " + path + "\nGET " + path},
	} {
		client, s := talk(Config{}, c.answers)
		err := client.CheckAccess(t.Context(), secret(), c.access)
		if !errors.Is(err, c.kind) || err != nil && (!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), uuid)) {
			t.Errorf("%s: %v", name, err)
		}
		if s.lines() != c.sends {
			t.Errorf("%s: sent\n%s", name, s.lines())
		}
	}
}

func TestACheckReturnsWhatTheServerSays(t *testing.T) {
	for _, body := range []string{answer15, answer17, answer26} {
		client, _ := talk(Config{}, map[string]dialect.Reply{"GET /0.1/token/" + uuid: reply(200, body)})
		says, err := client.Check(t.Context(), secret())
		if err != nil || !strings.Contains(body, says.Text()) {
			t.Errorf("%v, %v", says, err)
		}
	}
	for body, kind := range map[string]error{strings.Replace(answer15, uuid, "another", 1): token.ErrUnavailable, `{"data": []}`: token.ErrUnavailable, `{}`: token.ErrUnavailable, `[]`: token.ErrUnavailable} {
		client, _ := talk(Config{}, map[string]dialect.Reply{"GET /0.1/token/" + uuid: reply(200, body)})
		if says, err := client.Check(t.Context(), secret()); !errors.Is(err, kind) || says != nil {
			t.Errorf("%s: %v, %v", body, says, err)
		}
	}
}

func TestOnlyATokenThatIsHonouredIsSaidToBeRevoked(t *testing.T) {
	const path = "/0.1/token/" + uuid
	client, s := talk(Config{}, map[string]dialect.Reply{"HEAD " + path: reply(204, ""), "DELETE " + path: reply(200, deleted)})
	if err := client.Revoke(t.Context(), secret()); err != nil || s.lines() != "HEAD "+path+"\nDELETE "+path {
		t.Errorf("%v, sent %s", err, s.lines())
	}
	client, s = talk(Config{}, map[string]dialect.Reply{"HEAD " + path: reply(404, ""), "GET " + path: reply(404, noToken), "DELETE " + path: reply(200, deleted)})
	if err := client.Revoke(t.Context(), secret()); !errors.Is(err, token.ErrUnknown) || strings.Contains(s.lines(), "DELETE") {
		t.Errorf("void: %v, sent %s", err, s.lines())
	}
	client, _ = talk(Config{}, map[string]dialect.Reply{"HEAD " + path: reply(204, ""), "DELETE " + path: reply(200, "<html>")})
	if err := client.Revoke(t.Context(), secret()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a page: %v", err)
	}
}

func TestARefreshTokenIsRevokedInTheNameOfWhatItGives(t *testing.T) {
	client, s := talk(Config{ClientID: "a/b"}, map[string]dialect.Reply{
		"POST /0.1/token": reply(200, answer15), "DELETE /0.1/users/me/tokens/a%2Fb": reply(204, ""), "DELETE /0.1/token/" + uuid: reply(200, deleted),
	})
	err := client.RevokeRefresh(t.Context(), token.NewSecret(refresh))
	want := `POST /0.1/token {"expiration":60,"client_id":"a/b","refresh_token":"` + refresh + `"}
DELETE /0.1/users/me/tokens/a%2Fb ` + uuid + `
DELETE /0.1/token/` + uuid
	if err != nil || s.lines() != want {
		t.Errorf("%v, sent\n%s", err, s.lines())
	}
	s.answers["DELETE /0.1/users/me/tokens/a%2Fb"] = reply(500, "")
	s.sent = nil
	if err := client.RevokeRefresh(t.Context(), token.NewSecret(refresh)); !errors.Is(err, token.ErrUnavailable) || s.lines() != want {
		t.Errorf("not revoked: %v, sent\n%s", err, s.lines())
	}
}

func TestRefreshTokensAndSessionsAreListed(t *testing.T) {
	client, s := talk(Config{}, map[string]dialect.Reply{
		"GET /0.1/users/me/tokens": reply(200, tokens26), "GET /0.1/users/me/sessions": reply(200, sessions), "GET /0.1/token/" + uuid: reply(200, answer26),
		"DELETE /0.1/users/me/tokens/phone.1%2F%C3%A9": reply(204, ""), "DELETE /0.1/users/me/sessions/d6b2": reply(204, ""),
	})
	list, err := client.List(t.Context(), secret())
	if err != nil || fmt.Sprint(list) != "[{ats-auth ats-auth  wazo 63f3  [] 2026-01-05 15:16:58.557553 +0000 UTC 0001-01-01 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC false} {phone.1/é phone.1/é  wazo 63f3  [mobile] 0001-01-01 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC false}]" {
		t.Errorf("%v, %v", list, err)
	}
	if s.lines() != "GET /0.1/users/me/tokens "+uuid {
		t.Errorf("sent %s", s.lines())
	}
	open, err := client.ListSessions(t.Context(), secret())
	if err != nil || len(open) != 2 || open[0].ID != "c5a1" || !open[0].Current || open[1].ID != "d6b2" || open[1].Current {
		t.Errorf("%v, %v", open, err)
	}
	if found, err := client.GetLogin(t.Context(), secret(), "phone.1/é"); err != nil || found.ID != "phone.1/é" {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := client.GetLogin(t.Context(), secret(), "no"); !errors.Is(err, token.ErrUnknown) {
		t.Error(err)
	}
	if err := errors.Join(client.EndLogin(t.Context(), secret(), "phone.1/é"), client.EndSession(t.Context(), secret(), "d6b2")); err != nil {
		t.Error(err)
	}
	s.sent = nil
	for _, id := range []string{"", ".", ".."} {
		if err := client.EndSession(t.Context(), secret(), id); !errors.Is(err, token.ErrUnknown) || len(s.sent) > 0 {
			t.Errorf("%q: %v, sent %s", id, err, s.lines())
		}
	}
	for _, body := range []string{`{}`, `{"total":1,"filtered":2,"items":[{"client_id":"a"}]}`, `{"total":1,"filtered":1,"items":[{}]}`, `[]`} {
		s.answers["GET /0.1/users/me/tokens"] = reply(200, body)
		if _, err := client.List(t.Context(), secret()); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// The service has one answer for a token that is void and for one that may not.
func TestATokenThatMayNotIsToldFromOneThatIsVoid(t *testing.T) {
	const path = "/0.1/token/" + uuid
	for _, body := range []string{failed26, `{"reason": ["Unauthorized"], "timestamp": [1.5], "status_code": 401}`} {
		answers := map[string]dialect.Reply{"DELETE /0.1/users/me/tokens/a.b": reply(401, body), "HEAD " + path: reply(204, "")}
		client, _ := talk(Config{}, answers)
		err := client.EndLogin(t.Context(), secret(), "a.b")
		if !errors.Is(err, token.ErrDenied) || !strings.Contains(err.Error(), "auth.users.me.tokens.a_b.delete") {
			t.Error(err)
		}
		answers["HEAD "+path], answers["GET "+path] = reply(404, ""), reply(404, noToken)
		if err := client.EndLogin(t.Context(), secret(), "a.b"); !errors.Is(err, token.ErrUnknown) || strings.Contains(err.Error(), uuid) {
			t.Error(err)
		}
	}
}

func TestBackendsAreToldToAnybody(t *testing.T) {
	client, s := talk(Config{}, map[string]dialect.Reply{"GET /0.1/backends": reply(200, `{"data": ["xivo_user", "ldap_user"]}`)})
	names, err := client.Backends(t.Context())
	if err != nil || fmt.Sprint(names) != "[xivo_user ldap_user]" || s.lines() != "GET /0.1/backends" {
		t.Errorf("%v, %v, sent %s", names, err, s.lines())
	}
}

func TestATimeIsReadAsAnyOriginalWritesIt(t *testing.T) {
	for text, want := range map[string]string{
		"2015-06-05T15:16:58.557553":       "2015-06-05T15:16:58.557553Z",
		"2015-06-05T15:16:58":              "2015-06-05T15:16:58Z",
		"2026-01-05T15:16:58.5+00:00":      "2026-01-05T15:16:58.5Z",
		"2026-01-05T15:16:58-05:00":        "2026-01-05T20:16:58Z",
		"2026-01-05T15:16:58Z":             "2026-01-05T15:16:58Z",
		"":                                 "",
		"soon":                             "",
		"2026-01-05":                       "",
		"2015-06-05T15:16:58.557553 junk+": "",
	} {
		at, ok := ParseInstant(text)
		if got := at.Format(time.RFC3339Nano); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %s, %v", text, got, ok)
		}
	}
	zone := time.FixedZone("", -5*3600)
	if got := Instant(1433517418557553, zone); got != "2015-06-05T10:16:58.557553" {
		t.Error(got)
	}
	if got := Instant(1433517418000000, time.UTC); got != "2015-06-05T15:16:58.000000" {
		t.Error(got)
	}
}

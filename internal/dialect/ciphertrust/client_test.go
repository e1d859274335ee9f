package ciphertrust

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMinutesAreRoundedUp(t *testing.T) {
	for seconds, want := range map[int64]int64{-1: 0, 0: 0, 1: 1, 60: 1, 61: 2, 30 * 86400: 43200, 1<<63 - 1: 153722867280912931} {
		if got := Minutes(seconds); got != want {
			t.Errorf("%d s are %d minutes, want %d", seconds, got, want)
		}
	}
	for text, want := range map[string]int64{"0": 0, "1": 60, "30.0": 1800, "6e1": 3600, "1e300": maxMinutes * 60} {
		if got, ok := Seconds(text); !ok || got != want {
			t.Errorf("%s minutes are %d s (%v), want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "0.5", "ten", `"10"`, "null x", "true", "NaN", "1e999", "[1]"} {
		if got, ok := Seconds(text); ok {
			t.Errorf("%s is read as %d s", text, got)
		}
	}
}

// canned is a client of a service that gives the same answer to everything, and
// what it was sent.
func canned(status int, body string) (*Client, *dialect.Message) {
	var sent dialect.Message
	return NewClient(Config{Exchange: func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
		sent = m
		return dialect.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}, nil
	}}), &sent
}

func who() token.Credentials {
	return token.Credentials{Username: "bob", Password: token.NewPassword("Pa55-of-bob")}
}

func TestWhatALoginSends(t *testing.T) {
	for want, request := range map[string]token.Request{
		`{"grant_type":"password","username":"bob","password":"Pa55-of-bob","issueRefreshToken":false}`: {},
		`{"grant_type":"password","username":"bob","password":"Pa55-of-bob"}`:                           {Refresh: true},
		`{"grant_type":"password","username":"bob","password":"Pa55-of-bob","refresh_token_lifetime":2,"refresh_token_revoke_unused_in":1,"labels":["a"]}`: {
			Refresh: true, RefreshTTL: 61, RefreshIdle: 1, Labels: []string{"a"},
		},
	} {
		c, sent := canned(200, `{"jwt":"a.b.c","duration":300,"refresh_token":"r"}`)
		if _, err := c.Login(t.Context(), who(), request); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(sent.JSON); string(got) != want || sent.Method != "POST" || sent.Path != "/api/v1/auth/tokens" {
			t.Errorf("%s %s %s, want %s", sent.Method, sent.Path, got, want)
		}
	}
}

func TestAnAnswerIsReadAsWhatItIs(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   error
		text   string // in the error
	}{
		{"an original's", 200, `{"jwt":"a.b.c","duration":300,"token_type":"Bearer","client_id":"c","refresh_token_id":"i","refresh_token":"r","extra":1}`, nil, ""},
		{"no jwt", 200, `{}`, token.ErrUnavailable, "no jwt"},
		{"a jwt of two lines", 200, `{"jwt":"a\nb"}`, token.ErrUnavailable, "no jwt"},
		{"a page", 200, `<html>`, token.ErrUnavailable, "makes no sense"},
		{"a list", 200, `[]`, token.ErrUnavailable, "makes no sense"},
		{"another success", 201, `{"jwt":"a.b.c"}`, token.ErrUnavailable, "makes no sense"},
		{"a wrong password", 401, `{"code":5,"codeDesc":"NCERRUnauthorizedAccess","message":"Wrong username or password."}`, token.ErrCredentials, ""},
		{"revoked", 401, `{"code":5,"codeDesc":"NCERRUnauthorizedAccess","message":"Token has been revoked"}`, token.ErrRevoked, ""},
		{"invalid", 401, `{"code":5,"codeDesc":"NCERRUnauthorizedAccess","message":"Invalid token"}`, token.ErrUnknown, ""},
		{"another client", 401, `{"code":5,"codeDesc":"NCERRUnauthorizedAccess","message":"Invalid Client"}`, token.ErrUnknown, "client id"},
		{"another domain", 401, `{"code":5,"codeDesc":"NCERRUnauthorizedAccess","message":"Failed to locate domain"}`, token.ErrDenied, "Failed to locate domain"},
		{"forbidden", 403, `{"code":6,"codeDesc":"NCERRInsufficientPermissions","message":"only an admin"}`, token.ErrDenied, "only an admin"},
		{"no record", 404, `{"code":16,"codeDesc":"NCERRResourceNotFound","message":"record not found"}`, token.ErrUnknown, "no such token"},
		{"no such path", 404, `404 page not found`, token.ErrUnsupported, "404 Not Found"},
		{"a failure", 500, `<html>`, token.ErrUnavailable, "500"},
		{"an echo", 400, `{"code":15,"codeDesc":"NCERRBadRequest","message":"bad Pa55-of-bob"}`, token.ErrDenied, "400 Bad Request"},
		{"an escape", 400, `{"code":15,"codeDesc":"NCERRBadRequest","message":"\u001b[2J"}`, token.ErrDenied, "400 Bad Request"},
		{"a redirection", 302, ``, token.ErrUnavailable, "makes no sense"},
	} {
		client, _ := canned(c.status, c.body)
		set, err := client.Login(t.Context(), who(), token.Request{Refresh: true})
		if !errors.Is(err, c.kind) || err != nil && (!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "Pa55")) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.kind, c.text)
		}
		if err == nil && (set.AccessToken.Reveal() != "a.b.c" || set.RefreshToken.Reveal() != "r" || set.ClientID != "c" || set.LoginID != "i" || set.ExpiresIn != 300) {
			t.Errorf("%s: %+v", c.name, set)
		}
	}
}

func TestAServiceThatDoesNotGiveWhatIsWantedIsFoundOut(t *testing.T) {
	c, _ := canned(200, `{"jwt":"a.b.c","duration":300}`)
	if _, err := c.Login(t.Context(), who(), token.Request{Refresh: true}); !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("no refresh token: %v", err)
	}
	if _, err := c.Refresh(t.Context(), token.NewSecret("r"), token.Request{}); err != nil {
		t.Errorf("a refresh that gives a JWT only: %v", err)
	}
	c, _ = canned(200, `{"jwt":"a.b.c","duration":300,"refresh_token":"r"}`)
	if _, err := c.Refresh(t.Context(), token.NewSecret("r"), token.Request{Refresh: true}); !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("renewed to the same: %v", err)
	}
	c, _ = canned(200, `{"hello":"world"}`)
	if _, err := c.Check(t.Context(), token.NewSecret("a.b.c")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a yes from something else: %v", err)
	}
}

func TestAListOfAnOriginalServiceIsReadByItsIDs(t *testing.T) {
	c, sent := canned(200, `{"skip":0,"limit":10,"total":2,"resources":[{"id":"1","createdAt":"x","labels":null},{"id":"2"}]}`)
	list, total, err := c.FindLogins(t.Context(), token.NewSecret("a.b.c"), token.LoginQuery{Labels: []string{"a", "b"}, Expired: true, Limit: 5})
	if err != nil || total != 2 || len(list) != 2 || list[1].ID != "2" || !list[0].CreatedAt.IsZero() {
		t.Errorf("%+v %d: %v", list, total, err)
	}
	if sent.Path != "/api/v1/auth/tokens/?expired=true&labels=a%2Cb&limit=5&skip=0" {
		t.Errorf("asked %s", sent.Path)
	}
	c, _ = canned(200, `{"total":2,"resources":[{}]}`)
	if _, _, err := c.FindLogins(t.Context(), token.NewSecret("a.b.c"), token.LoginQuery{}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a login without an id: %v", err)
	}
	c, _ = canned(200, `{"total":9000000,"resources":[{"id":"1"}]}`)
	if _, _, err := c.FindLogins(t.Context(), token.NewSecret("a.b.c"), token.LoginQuery{}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a list without an end: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"jwt":"a.b.c","duration":300,"refresh_token":"r"}`, `{"jwt":"a.b.c","duration":-1}`, `{"duration":1e99}`, `{"resources":[{"id":"x","labels":[]}],"total":1}`, `{"code":5,"codeDesc":"x","message":"y"}`, ``, `null`} {
		f.Add(200, seed)
		f.Add(401, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, _ := canned(status, body)
		set, err := c.Login(t.Context(), who(), token.Request{Refresh: true})
		if (err == nil) == set.RefreshToken.IsZero() || err != nil && strings.Contains(err.Error(), "Pa55") {
			t.Errorf("%d %q: %+v %v", status, body, set, err)
		}
		c.Check(t.Context(), token.NewSecret("a.b.c"))
		if !strings.Contains(body, "total") { // a long list is read to its end
			c.List(t.Context(), token.NewSecret("a.b.c"))
		}
		c.GetProperty(t.Context(), token.NewSecret("a.b.c"), "X")
	})
}

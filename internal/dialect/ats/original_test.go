package ats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// original behaves as the original server does, its faults included.
type original struct{ revoked []string }

func (o *original) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, found := map[string]http.HandlerFunc{
		"/user/login": o.login, "/user/logout": o.logout, "/user/logout_all": o.logoutAll,
	}[r.URL.Path]
	switch {
	case !found:
		say(w, 404, plainText, "404: Not Found")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		say(w, 405, plainText, "405: Method Not Allowed")
	default:
		serve(w, r)
	}
}

func say(w http.ResponseWriter, status int, kind, text string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

func (o *original) login(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		say(w, 400, plainText, "a json body is expected")
		return
	}
	for _, name := range []string{"username", "password"} {
		if _, ok := body[name].(string); !ok {
			say(w, 400, plainText, fmt.Sprintf("Malformed request: '%s' is a required property\n\nOn instance:\n    %v", name, body))
			return
		}
	}
	if body["username"] != "marco" || body["password"] != "sesame" {
		say(w, 401, plainText, "401: Unauthorized")
		return
	}
	say(w, 200, jsonText, "{\n    \"token\": \""+jwt+"\"\n}")
}

func (o *original) logout(w http.ResponseWriter, r *http.Request) {
	header := r.Header.Get("Authorization")
	if header == "" {
		say(w, 500, "text/html; charset=utf-8", "<html><head><title>500 Internal Server Error</title></head><body><h1>500 Internal Server Error</h1>Server got itself in trouble</body></html>")
		return
	}
	o.revoked = append(o.revoked, strings.TrimPrefix(header, "Bearer "))
	w.WriteHeader(204)
}

func (o *original) logoutAll(w http.ResponseWriter, r *http.Request) {
	user := r.Header.Get("X-Auth-UserId")
	if user == "" {
		say(w, 401, jsonText, "{\n    \"error\": \"Missing authentication header\"\n}")
		return
	}
	o.revoked = append(o.revoked, "all of "+user)
	w.WriteHeader(204)
}

// gateway stands before an original server. Its reasons have no type of their
// own but that of its configuration.
func (o *original) gateway(kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.URL.Path == "/user/login":
		case raw == "" || raw == "forged":
			say(w, 401, kind, "signature mismatch: forged\n")
			return
		case slices.Contains(o.revoked, raw):
			say(w, 401, kind, "token revoked\n")
			return
		case r.URL.Path != "/user/logout":
			say(w, 403, "text/html", "<html>\r\n<head><title>403 Forbidden</title></head>\r\n</html>")
			return
		}
		o.ServeHTTP(w, r)
	})
}

// over is a client whose exchange goes straight into a service.
func over(service http.Handler) dialect.Client {
	return NewClient(func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
		body := []byte(nil)
		if m.JSON != nil {
			var err error
			if body, err = json.Marshal(m.JSON); err != nil {
				return dialect.Reply{}, err
			}
		}
		r := httptest.NewRequest(m.Method, m.Path, bytes.NewReader(body))
		for name, values := range m.Header {
			r.Header.Set(name, values[0])
		}
		if !m.Bearer.IsZero() {
			r.Header.Set("Authorization", "Bearer "+m.Bearer.Reveal())
		}
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return dialect.Reply{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}, nil
	})
}

func marco() token.Credentials {
	return token.Credentials{Username: "marco", Password: token.NewPassword("sesame")}
}

func TestAnOriginalServerIsUnderstood(t *testing.T) {
	service := &original{}
	c := over(service)
	set, err := c.Login(t.Context(), marco(), token.Request{})
	if err != nil || set.AccessToken.Reveal() != jwt || set.TokenType != "Bearer" || !set.RefreshToken.IsZero() || !set.ExpiresAt.IsZero() {
		t.Errorf("login: %+v, %v", set, err)
	}
	if err := c.Revoke(t.Context(), token.NewSecret(jwt)); err != nil {
		t.Errorf("revoke: %v", err)
	}
	if err := c.Revoke(t.Context(), token.NewSecret("never seen")); err != nil {
		t.Errorf("revoke of an unknown token: %v", err)
	}
	if err := c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco"); err != nil {
		t.Errorf("revoke-all: %v", err)
	}
	if err := c.RevokeAll(t.Context(), token.NewSecret(jwt), "márco"); err != nil {
		t.Errorf("revoke-all: %v", err)
	}
	if got, want := strings.Join(service.revoked, "|"), jwt+"|never seen|all of marco|all of márco"; got != want {
		t.Errorf("revoked %s, want %s", got, want)
	}
}

func TestWhatAnOriginalServerCannotDoIsUnsupported(t *testing.T) {
	c := over(&original{})
	for name, call := range map[string]func() error{
		"a refresh token": func() error { _, err := c.Login(t.Context(), marco(), token.Request{Refresh: true}); return err },
		"a lifetime":      func() error { _, err := c.Login(t.Context(), marco(), token.Request{TTL: 60}); return err },
		"a scope":         func() error { _, err := c.Login(t.Context(), marco(), token.Request{Scope: "read"}); return err },
		"refresh": func() error {
			_, err := c.Refresh(t.Context(), token.NewSecret("ats_rt_1"), token.Request{})
			return err
		},
		"check": func() error { _, err := c.Check(t.Context(), token.NewSecret(jwt)); return err },
	} {
		if err := call(); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", name, err)
		}
	}
}

func TestAnOriginalServersRefusalsAreUnderstood(t *testing.T) {
	service := &original{}
	c := over(service)
	_, err := c.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword("hunter2")}, token.Request{})
	if !errors.Is(err, token.ErrCredentials) || err.Error() != "wrong user name or password" {
		t.Errorf("wrong password: %v", err)
	}
	for name, c := range map[string]struct {
		call func() error
		kind error
		text string
	}{
		"the crash on a missing header": {
			func() error { return c.Revoke(t.Context(), token.Secret{}) },
			token.ErrUnavailable, "the server failed: 500 Internal Server Error",
		},
		"logout_all of nobody": {
			func() error { return c.RevokeAll(t.Context(), token.NewSecret(jwt), "") },
			token.ErrDenied, "the server refused: Missing authentication header",
		},
		"logout_all of a name that no header carries": {
			func() error { return c.RevokeAll(t.Context(), token.NewSecret(jwt), "two\nlines") },
			token.ErrDenied, "the server refused: Missing authentication header",
		},
	} {
		if err := c.call(); !errors.Is(err, c.kind) || err.Error() != c.text {
			t.Errorf("%s: got %v, want %s", name, err, c.text)
		}
	}
	if len(service.revoked) != 0 {
		t.Errorf("revoked %v", service.revoked)
	}
}

func TestTheGatewayBeforeAnOriginalServerIsUnderstood(t *testing.T) {
	for _, kind := range []string{plainText, "text/html", "application/octet-stream", ""} {
		service := &original{}
		c := over(service.gateway(kind))
		if _, err := c.Login(t.Context(), marco(), token.Request{}); err != nil {
			t.Errorf("login: %v", err)
		}
		for range 2 { // the second time the gateway says "token revoked"
			if err := c.Revoke(t.Context(), token.NewSecret(jwt)); err != nil {
				t.Errorf("revoke, %q: %v", kind, err)
			}
		}
		if len(service.revoked) != 1 {
			t.Errorf("revoked %v", service.revoked)
		}
		err := c.Revoke(t.Context(), token.NewSecret("forged"))
		if !errors.Is(err, token.ErrDenied) {
			t.Errorf("revoke of a forged token: %v", err)
		}
		if err := c.RevokeAll(t.Context(), token.NewSecret("another"), "marco"); !errors.Is(err, token.ErrDenied) || err.Error() != "not allowed: 403 Forbidden" {
			t.Errorf("revoke-all: %v", err)
		}
		if err := c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco"); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("revoke-all with a revoked bearer, %q: %v", kind, err)
		}
	}
}

func TestWhatAClientSendsIsWhatAnOriginalServerReads(t *testing.T) {
	var sent []dialect.Message
	c := NewClient(func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
		sent = append(sent, m)
		return dialect.Reply{Status: 204}, nil
	})
	_, _ = c.Login(t.Context(), marco(), token.Request{})
	_, _ = c.Login(t.Context(), marco(), token.Request{Refresh: true, TTL: 60, RefreshTTL: 7, Scope: "a b"})
	_ = c.Revoke(t.Context(), token.NewSecret(jwt))
	_ = c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco")
	_ = c.RevokeAll(t.Context(), token.NewSecret(jwt), "")
	_ = c.RevokeAll(t.Context(), token.NewSecret(jwt), " marco")
	want := []string{
		`POST /user/login map[] "" {"username":"marco","password":"sesame"}`,
		`POST /user/login map[] "" {"username":"marco","password":"sesame","refresh":true,"ttl":60,"refresh_ttl":7,"scope":"a b"}`,
		`POST /user/logout map[] "` + jwt + `" null`,
		`POST /user/logout_all map[X-Auth-UserId:[marco]] "` + jwt + `" {"user":"marco"}`,
		`POST /user/logout_all map[] "` + jwt + `" null`,
		`POST /user/logout_all map[] "` + jwt + `" {"user":" marco"}`,
	}
	for i, m := range sent {
		body, err := json.Marshal(m.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s %v %q %s", m.Method, m.Path, m.Header, m.Bearer.Reveal(), body); got != want[i] {
			t.Errorf("sent %s, want %s", got, want[i])
		}
	}
	if len(sent) != len(want) {
		t.Errorf("%d messages, want %d", len(sent), len(want))
	}
}

func TestATokenThatCannotStandOnALineIsNoToken(t *testing.T) {
	for _, raw := range []string{`a\nb`, `a b`, `\u001b[2J`, `é`, `\u0000`, ``} {
		c := NewClient(func(context.Context, dialect.Message) (dialect.Reply, error) {
			return dialect.Reply{Status: 200, Body: []byte(`{"token":"` + raw + `"}`)}, nil
		})
		if _, err := c.Login(t.Context(), marco(), token.Request{}); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", raw, err)
		}
	}
}

func TestATokenThatIsVoidNeedsNoRevocation(t *testing.T) {
	for reason, done := range map[string]bool{
		"token revoked": true, "token expired": true, "token unknown": true,
		"token not yet valid": false, "signature verification failed": false, "malformed token": false, "": false,
	} {
		for _, body := range []string{reason, reason + "\r\n", `{"error":"` + reason + `"}`} {
			c := NewClient(func(context.Context, dialect.Message) (dialect.Reply, error) {
				return dialect.Reply{Status: 401, Body: []byte(body)}, nil
			})
			if err := c.Revoke(t.Context(), token.NewSecret(jwt)); (err == nil) != done {
				t.Errorf("%q: %v", body, err)
			}
		}
	}
}

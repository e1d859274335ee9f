package door_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// serve puts the world's handler on a port of this machine.
func (w *world) serve() *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(dialect.WithSource(r.Context(), source)))
	}))
	w.Cleanup(s.Close)
	return s
}

// client is the client's end over a connection to the world's handler.
func (w *world) client(c wazo.Config) *wazo.Client {
	s := w.serve()
	c.Now = w.clock.Now
	c.Exchange = func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
		kind, body, err := m.Body()
		if err != nil {
			return dialect.Reply{}, err
		}
		r, err := http.NewRequestWithContext(ctx, m.Method, m.URL(s.URL), strings.NewReader(string(body)))
		if err != nil {
			return dialect.Reply{}, err
		}
		if m.Header != nil {
			r.Header = m.Header.Clone()
		}
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if a := m.Authorization(); a != "" {
			r.Header.Set("Authorization", a)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return dialect.Reply{}, err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return dialect.Reply{Status: response.StatusCode, Header: response.Header, Body: answer}, err
	}
	return wazo.NewClient(c)
}

func wantKind(t *testing.T, err, kind error, what string) {
	t.Helper()
	if !errors.Is(err, kind) || kind == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestBothEndsUnderstandEachOther(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.client(wazo.Config{Backend: local})
	who := token.Credentials{Username: "alice", Password: token.NewPassword(testPassword)}
	set, err := c.Login(ctx, who, token.Request{TTL: 600, Refresh: true})
	w.do(err)
	if set.ExpiresIn != 600 || set.RefreshToken.IsZero() || set.ClientID != wazo.DefaultClientID {
		t.Errorf("login %+v", set)
	}
	says, err := c.Check(ctx, set.AccessToken)
	w.do(err)
	if uuid, _ := says.String("auth_id"); uuid != w.uuid("alice") {
		t.Errorf("check %s", says.Text())
	}
	wantKind(t, c.CheckAccess(ctx, set.AccessToken, "confd.users.me.read"), nil, "an access that it gives")
	wantKind(t, c.CheckAccess(ctx, set.AccessToken, "agentd.read"), token.ErrDenied, "one that it does not")
	again, err := c.Refresh(ctx, set.RefreshToken, token.Request{})
	w.do(err)
	if list, err := c.List(ctx, again.AccessToken); err != nil || len(list) != 1 || list[0].ID != wazo.DefaultClientID || list[0].User != w.uuid("alice") {
		t.Errorf("list %+v %v", list, err)
	}
	sessions, err := c.ListSessions(ctx, again.AccessToken)
	if err != nil || len(sessions) != 2 || sessions[0].Current == sessions[1].Current || sessions[0].CreatedAt.IsZero() || sessions[0].ExpiresAt.IsZero() {
		t.Errorf("sessions %+v %v", sessions, err)
	}
	if names, err := c.Backends(ctx); err != nil || strings.Join(names, " ") != "xivo_user xivo_admin ldap_user" {
		t.Errorf("backends %v %v", names, err)
	}
	w.do(c.Revoke(ctx, set.AccessToken))
	_, err = c.Check(ctx, set.AccessToken)
	wantKind(t, err, token.ErrUnknown, "a revoked token")
	w.do(c.RevokeRefresh(ctx, set.RefreshToken))
	_, err = c.Refresh(ctx, set.RefreshToken, token.Request{})
	wantKind(t, err, token.ErrUnknown, "a revoked refresh token")
	who.Password = token.NewPassword("wrong")
	_, err = c.Login(ctx, who, token.Request{})
	wantKind(t, err, token.ErrCredentials, "a wrong password")
	w.store.setDown(true)
	_, err = c.Check(ctx, token.NewSecret(w.unknown()))
	wantKind(t, err, token.ErrUnavailable, "a store that is gone")
}

// unknown is a token that nobody has asked for.
func (w *world) unknown() string { return "63f3dc3c-865d-419e-bec2-e18c4b118224" }

// talk sends bytes over a connection of their own and reads the answer.
func talk(t *testing.T, address, text string) (status, head, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(bufio.NewReader(conn)) // the client asked to close: there is an end
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ = strings.Cut(string(all), "\r\n\r\n")
	status, head, _ = strings.Cut(head, "\r\n")
	return status, head, body
}

// common is what the original's own client sends with everything.
const common = `
Host: 127.0.0.1:9497
User-Agent: python-requests/2.25.1
Accept-Encoding: gzip, deflate
Accept: application/json
Connection: close
`

// TestTheOriginalsCommandLineWorks goes the way of "token create": a token for
// itself, the one that is wanted, with its lifetime as a string, and its own is
// revoked.
func TestTheOriginalsCommandLineWorks(t *testing.T) {
	w := newWorld(t)
	address := w.serve().Listener.Addr().String()
	post := func(authorization, body string) (string, string, string) {
		return talk(t, address, "POST /0.1/token HTTP/1.1"+common+"Content-Type: application/json\n"+authorization+"Content-Length: "+itoa(len(body))+"\n\n"+body)
	}
	alice := "Authorization: Basic YWxpY2U6czNjcmU3\n"
	var made []string
	for _, body := range []string{`{"backend": "xivo_user", "expiration": 3600}`, `{"backend": "xivo_user", "expiration": "600"}`} {
		status, head, text := post(alice, body)
		var answer wazo.Data[wazo.Token]
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != "HTTP/1.1 200 OK" || !strings.Contains(head, "Content-Type: application/json\r\n") {
			t.Fatalf("%s: %s %s %s", body, status, head, text)
		}
		made = append(made, answer.Data.Token)
	}
	ask := func(method, path string) (string, string, string) {
		return talk(t, address, method+" /0.1/token/"+path+" HTTP/1.1"+common+"\n")
	}
	status, head, body := ask("HEAD", made[1]+"?scope=confd.users.me.read")
	if status != "HTTP/1.1 204 No Content" || body != "" || !strings.Contains(head, "Content-Type: text/html; charset=utf-8\r\n") {
		t.Errorf("HEAD: %s %s %q", status, head, body)
	}
	if status, _, body := ask("HEAD", made[1]+"?scope=agentd.read"); status != "HTTP/1.1 403 Forbidden" || body != "" {
		t.Errorf("HEAD: %s %q", status, body)
	}
	if status, _, body := ask("DELETE", made[0]); status != "HTTP/1.1 200 OK" || body != `{"data": {"message": "success"}}` {
		t.Errorf("DELETE: %s %q", status, body)
	}
	if status, _, body := ask("HEAD", made[0]); status != "HTTP/1.1 404 Not Found" || body != "" {
		t.Errorf("HEAD of a revoked one: %s %q", status, body)
	}
	if status, _, _ := ask("HEAD", made[1]); status != "HTTP/1.1 204 No Content" {
		t.Errorf("HEAD of the other: %s", status)
	}
	if status, _, body := post("Authorization: Basic Og==\n", `{"backend": "xivo_user"}`); status != "HTTP/1.1 401 Unauthorized" || !strings.Contains(body, `"reason": ["Authentication Failed"]`) {
		t.Errorf("no credentials: %s %s", status, body)
	}
}

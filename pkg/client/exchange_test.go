package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// jwt is the first token of the original's documentation; signature its end.
const (
	jwt       = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE0NDY1NjQ0OTMuNDE0ODE4LCJzdWIiOiJtYXJjbyIsImlzcyI6ImF0cy5hdXRoIiwiZXhwIjoxNDQ2NTY4MDkzLjQxNDgxOH0." + signature
	signature = "rmmO0NpE9k8Z-Sox7WoBq7LncIwYa9MGUvsjzCQQ1XA"
	password  = "correct horse battery"
)

func marco() token.Credentials {
	return token.Credentials{Username: "marco", Password: token.NewPassword(password)}
}

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// login is one exchange with a service at that address.
func login(t *testing.T, c Config) error {
	t.Helper()
	_, err := newClient(t, c).Login(t.Context(), marco(), token.Request{})
	return err
}

// raw is a server that says something to each connection, in no protocol.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return "http://" + l.Addr().String()
}

// answer reads a request's head and a little more, and then says a text.
func answer(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, text)
	}
}

func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestAServerThatIsNotReachedOrNotUnderstoodIsTold(t *testing.T) {
	down := closed(t)
	page := "<html><title>Welcome to nginx!</title></html>"
	for _, c := range []struct {
		name, url, text string
		kind            error
	}{
		{"down", down, "cannot reach the server: " + strings.TrimPrefix(down, "http://") + ": connection refused", ErrUnreachable},
		{"SSH", raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n")
			_, _ = c.Read(make([]byte, 512))
		}), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"SMTP", raw(t, answer("220 mail.example.org ESMTP\r\n")), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"TLS", raw(t, answer("\x15\x03\x01\x00\x02\x02\x46")), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"a broken head", raw(t, answer("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"a broken status", raw(t, answer("HTTP/1.1 abc OK\r\n\r\n")), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"a negative length", raw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"an endless head", raw(t, answer("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2<<20))), "the server's answer makes no sense: it is not HTTP", token.ErrUnavailable},
		{"closed at once", raw(t, answer("")), "cannot reach the server: the connection was closed without an answer", ErrUnreachable},
		{"cut in the head", raw(t, answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")), "cannot reach the server: the connection broke in the middle of the answer", ErrUnreachable},
		{"cut in the body", raw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"tok")), "cannot reach the server: the connection broke in the middle of the answer", ErrUnreachable},
		{"cut in a chunk", raw(t, answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"tok")), "cannot reach the server: the connection broke in the middle of the answer", ErrUnreachable},
		{"a broken chunk", raw(t, answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{\"tok")), "the server's answer makes no sense: its body cannot be read", token.ErrUnavailable},
		{"gzip that is none", raw(t, answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnothing like")), "the server's answer makes no sense: its body cannot be read", token.ErrUnavailable},
		{"a page", raw(t, answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 45\r\n\r\n"+page)), "the server's answer makes no sense: status 200, text/html, 45 bytes", token.ErrUnavailable},
		{"a page of a failure", raw(t, answer("HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 45\r\n\r\n"+page)), "the server failed: 500 Internal Server Error", token.ErrUnavailable},
		{"https for http", strings.Replace(raw(t, answer("HTTP/1.1 400 Bad Request\r\n\r\n")), "http", "https", 1), "cannot reach the server: it speaks http, not https", ErrUnreachable},
	} {
		err := login(t, Config{URL: c.url, Timeout: 10 * time.Second})
		if !errors.Is(err, c.kind) || err.Error() != c.text {
			t.Errorf("%s: %v, want %s", c.name, err, c.text)
		}
		if errors.Is(err, ErrUnreachable) && errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v is of two kinds", c.name, err)
		}
	}
}

// TestAConnectionListensOnlyAfterItHasSpoken holds a trap of net/http: it tells
// what comes unasked on stderr.
func TestAConnectionListensOnlyAfterItHasSpoken(t *testing.T) {
	banner := strings.TrimPrefix(raw(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0")
		_, _ = c.Read(make([]byte, 512))
	}), "http://")
	for name, speak := range map[string]func(net.Conn) error{
		"SSH-2.0": func(c net.Conn) error { _, err := c.Write([]byte("POST")); return err },
		"":        net.Conn.Close,
	} {
		conn, err := dial(t.Context(), "tcp", banner)
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan string)
		go func() {
			b := make([]byte, 512)
			n, _ := conn.Read(b)
			heard <- string(b[:n])
		}()
		select {
		case text := <-heard:
			t.Fatalf("%q was heard before anything was said", text)
		case <-time.After(50 * time.Millisecond):
		}
		if err := speak(conn); err != nil {
			t.Error(err)
		}
		select {
		case text := <-heard:
			if text != name {
				t.Errorf("heard %q, want %q", text, name)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("nothing was heard, want %q", name)
		}
		conn.Close()
	}
}

func TestASlowServerIsNotWaitedFor(t *testing.T) {
	quit := make(chan struct{})
	defer close(quit)
	silent := func(net.Conn) { <-quit }
	slow := func(c net.Conn) {
		answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")(c)
		<-quit
	}
	for name, serve := range map[string]func(net.Conn){"silent": silent, "slow in the body": slow} {
		url := raw(t, serve)
		began := time.Now()
		err := login(t, Config{URL: url, Timeout: 50 * time.Millisecond})
		if !errors.Is(err, ErrUnreachable) || err.Error() != "cannot reach the server: no answer in time" || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = newClient(t, Config{URL: url}).Login(ctx, marco(), token.Request{})
		cancel()
		if !errors.Is(err, ErrUnreachable) || err.Error() != "cannot reach the server: no answer in time" {
			t.Errorf("%s, by a deadline: %v", name, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err = newClient(t, Config{URL: url}).Login(ctx, marco(), token.Request{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s, interrupted: %v", name, err)
		}
	}
}

func TestAHugeAnswerIsNotRead(t *testing.T) {
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 10 {
			n, err := w.Write(make([]byte, 64<<10))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	err := login(t, Config{URL: s.URL})
	s.Close()
	if !errors.Is(err, token.ErrUnavailable) || err.Error() != "the server's answer makes no sense: more than 1048576 bytes" {
		t.Error(err)
	}
	if n := sent.Load(); n > 32<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestARedirectionIsNotFollowedAndSeesNoPassword(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		t.Errorf("elsewhere was sent %s %v %s", r.Method, r.Header, body)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Redirect(w, r, elsewhere.URL+"/user/login", status)
		}))
		c := newClient(t, Config{URL: s.URL})
		_, loginErr := c.Login(t.Context(), marco(), token.Request{})
		for _, err := range []error{loginErr, c.Revoke(t.Context(), token.NewSecret(jwt))} {
			if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprintf("it redirects to another address (status %d)", status)) {
				t.Errorf("%d: %v", status, err)
			}
		}
		s.Close()
		if asked != 2 {
			t.Errorf("%d: asked %d times, want 2", status, asked)
		}
	}
}

func TestWhatIsSentIsWhole(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got := fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("User-Agent"), body)
		want := `POST /behind/a%20path/user/login application/json tester/1 {"username":"marco","password":"` + password + `"}`
		if got != strings.ReplaceAll(want, "%20", " ") || err != nil || len(r.Cookies()) != 0 {
			t.Errorf("sent %s, want %s; cookies %v, %v", got, want, r.Cookies(), err)
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", Path: "/"})
		fmt.Fprintf(w, `{"token":%q}`, jwt)
	}))
	defer s.Close()
	c := newClient(t, Config{URL: s.URL + "/behind/a%20path//", UserAgent: "tester/1"})
	for range 2 { // a cookie is not kept
		set, err := c.Login(t.Context(), marco(), token.Request{})
		if err != nil || set.AccessToken.Reveal() != jwt {
			t.Errorf("%+v, %v", set, err)
		}
	}
}

func TestWhatNoHeaderCarriesIsNotSent(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	defer s.Close()
	c := newClient(t, Config{URL: s.URL})
	for _, odd := range []string{"a\nX-Admin: yes", "a\r", "a\x00b", "a\x7f"} {
		err := c.Revoke(t.Context(), token.NewSecret(odd))
		if !errors.Is(err, token.ErrMalformed) || strings.Contains(err.Error(), odd) {
			t.Errorf("%q: %v", odd, err)
		}
	}
}

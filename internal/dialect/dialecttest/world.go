package dialecttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// world is a client, the wire, a handler and the authority behind it.
type world struct {
	Dialect
	authority *authority
	handler   http.Handler
	client    dialect.Client
	failed    []error // what was given to Fail
	answers   string  // all bytes that went back
}

// service is the address behind every exchange.
const service = "https://auth.example.org"

// source is where all requests come from.
const source = "192.0.2.7"

func newWorld(t *testing.T, d Dialect) *world {
	w := &world{Dialect: d, authority: &authority{}}
	w.handler = d.NewHandler(w.authority, w.fail)
	w.client = d.NewClient(w.exchange(t))
	return w
}

func (w *world) fail(rw http.ResponseWriter, _ *http.Request, err error) {
	w.failed = append(w.failed, err)
	status := http.StatusInternalServerError
	if errors.Is(err, token.ErrUnavailable) {
		status = http.StatusServiceUnavailable
		if rw.Header().Get("Retry-After") == "" {
			rw.Header().Set("Retry-After", "1")
		}
	}
	http.Error(rw, http.StatusText(status), status)
}

// exchange carries a message into the handler, as the bytes that it has on the
// wire: a header that does not survive them does not arrive here either.
func (w *world) exchange(t *testing.T) dialect.Exchange {
	return func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
		r, err := overTheWire(ctx, m)
		if err != nil {
			t.Errorf("%s %s: %v", m.Method, m.Path, err)
			return dialect.Reply{}, err
		}
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r.WithContext(dialect.WithSource(ctx, source)))
		var back bytes.Buffer
		answer := recorder.Result()
		if err := answer.Write(&back); err != nil {
			t.Error(err)
		}
		w.answers += back.String()
		return dialect.Reply{Status: answer.StatusCode, Header: answer.Header, Body: recorder.Body.Bytes()}, nil
	}
}

func overTheWire(ctx context.Context, m dialect.Message) (*http.Request, error) {
	kind, body, err := m.Body()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, m.Method, m.URL(service), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range m.Header {
		if i := slices.IndexFunc(values, func(v string) bool { return strings.ContainsAny(v, "\r\n\x00") }); i >= 0 {
			return nil, fmt.Errorf("the header %s cannot carry %q", name, values[i])
		}
		r.Header[name] = values
	}
	if authorization := m.Authorization(); authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	arrived, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, err
	}
	arrived.RemoteAddr = source + ":4711"
	return arrived, nil
}

// canned is an exchange that any service might be behind: it gives the same
// answer to everything, and can say back what it was sent.
func canned(reply dialect.Reply, echo bool) dialect.Exchange {
	return func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
		if echo {
			r, err := overTheWire(ctx, m)
			if err != nil {
				return dialect.Reply{}, err
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return dialect.Reply{}, err
			}
			if form, err := url.QueryUnescape(string(body)); err == nil {
				body = []byte(form)
			}
			reply.Body = []byte(r.Header.Get("Authorization") + " " + string(body))
		}
		return reply, nil
	}
}

// authority answers what a check has set, and remembers what it was asked.
type authority struct {
	asked  []string
	who    token.Credentials
	want   token.Request
	set    token.Set
	claims *token.Claims
	logins []token.Login
	err    error
}

func (a *authority) ask(verb string, particulars ...string) {
	a.asked = append(a.asked, fmt.Sprintf("%s%q", verb, particulars))
}

func (a *authority) Login(_ context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	a.ask("Login")
	a.who, a.want = who, want
	return a.set, a.err
}

func (a *authority) Refresh(_ context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	a.ask("Refresh", refresh.Reveal())
	a.want = want
	return a.set, a.err
}

func (a *authority) Inspect(_ context.Context, raw string) (*token.Claims, error) {
	a.ask("Inspect", raw)
	if a.err != nil {
		return nil, a.err
	}
	return a.claims, nil
}

func (a *authority) Revoke(_ context.Context, raw string) error {
	a.ask("Revoke", raw)
	return a.err
}

func (a *authority) RevokeAll(_ context.Context, bearer, user string) error {
	a.ask("RevokeAll", bearer, user)
	return a.err
}

func (a *authority) List(_ context.Context, bearer string) ([]token.Login, bool, error) {
	a.ask("List", bearer)
	return a.logins, false, a.err
}

func (a *authority) RevokeAllOf(_ context.Context, user string) error {
	a.ask("RevokeAllOf", user)
	return a.err
}

// wantAsked wants exactly one question.
func (a *authority) wantAsked(t *testing.T, verb string, particulars ...string) {
	t.Helper()
	want := fmt.Sprintf("%s%q", verb, particulars)
	if len(a.asked) != 1 || a.asked[0] != want {
		t.Errorf("the authority was asked %v, want %s", a.asked, want)
	}
	a.asked = nil
}

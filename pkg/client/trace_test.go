package client

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const opaque = "ats_rt_0123456789"

// traced runs every verb against a service that answers alike to all, and
// returns what was traced.
func traced(t *testing.T, open bool, serve http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(serve)
	defer s.Close()
	var lines []string
	c := newClient(t, Config{URL: s.URL, TraceSecrets: open, Trace: func(line string) { lines = append(lines, line) }})
	_, _ = c.Login(t.Context(), marco(), token.Request{Refresh: true})
	_, _ = c.Refresh(t.Context(), token.NewSecret(opaque), token.Request{})
	_, _ = c.Check(t.Context(), token.NewSecret(jwt))
	_ = c.Revoke(t.Context(), token.NewSecret(jwt))
	_ = c.RevokeAll(t.Context(), token.NewSecret(jwt), "marco")
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") || !strings.HasPrefix(line, "> ") && !strings.HasPrefix(line, "< ") {
			t.Errorf("%q is no line", line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// services are answers in which secrets may stand.
func services() map[string]http.HandlerFunc {
	all := password + " " + opaque + " " + jwt
	say := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}
	}
	return map[string]http.HandlerFunc{
		"a set":            say(200, "application/json", fmt.Sprintf(`{"token":%q,"refresh_token":%q,"expires_in":3600,"exp":1446568093.414810}`, jwt, opaque)),
		"other members":    say(200, "application/json", fmt.Sprintf(`{"data":{"jwt":[%q],"PassWord":%q,"apiKey":{"inner":%q}},"id_token":%q}`, jwt, password, opaque, opaque)),
		"an echo in JSON":  say(400, "application/json", fmt.Sprintf(`{"error":"Malformed: %s"}`, all)),
		"an echo in text":  say(400, "text/plain", all),
		"an echo in HTML":  say(500, "text/html", "<html>"+all),
		"an array":         say(200, "application/json", fmt.Sprintf("[%q]", all)),
		"cut JSON":         say(200, "application/json", `{"token":"`+jwt),
		"two values":       say(200, "application/json", fmt.Sprintf(`{"a":1} {"token":%q}`, jwt)),
		"a name":           say(400, "application/json", fmt.Sprintf(`{%q:1,%q:2}`, password, jwt)),
		"nothing":          say(204, "", ""),
		"an unknown token": say(401, "application/json", `{"error":"token unknown"}`),
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.org/?token="+jwt+"&p="+strings.ReplaceAll(password, " ", "+"))
			w.Header().Set("X-Echo", all)
			w.Header().Set("X-Subject-Token", opaque)
			w.Header().Set("Authorization", "Bearer "+jwt)
			http.SetCookie(w, &http.Cookie{Name: "session", Value: opaque})
			w.WriteHeader(302)
		},
		"a connection that breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}

// The service's headers and names may hold what only one of the verbs sent: a
// secret counts where it was sent, or where a name says that it is one.
func TestATraceShowsNoSecret(t *testing.T) {
	for name, serve := range services() {
		trace := traced(t, false, serve)
		if strings.Contains(trace, signature) {
			t.Errorf("%s: the trace shows a signature:\n%s", name, trace)
		}
		for _, line := range strings.Split(trace, "\n") {
			if strings.HasPrefix(line, ">") && (strings.Contains(line, password) || strings.Contains(line, opaque)) {
				t.Errorf("%s: the trace shows what was sent: %s", name, line)
			}
		}
		exchanges := strings.Split(trace, "> POST ")
		if len(exchanges) != 6 {
			t.Fatalf("%s: %d exchanges, want 5:\n%s", name, len(exchanges)-1, trace)
		}
		if strings.Contains(exchanges[1], password) || strings.Contains(exchanges[2], opaque) {
			t.Errorf("%s: an answer shows what was sent:\n%s", name, trace)
		}
		if (name == "a set" || name == "other members") && (strings.Contains(trace, opaque) || strings.Contains(trace, password)) {
			t.Errorf("%s: the trace shows a member:\n%s", name, trace)
		}
	}
}

func TestATraceTellsAnExchange(t *testing.T) {
	trace := traced(t, false, services()["a set"])
	unsigned := strings.TrimSuffix(jwt, signature) + "<signature>"
	for _, want := range []string{
		"/user/login\n> {\"password\":\"<redacted>\",\"refresh\":true,\"username\":\"marco\"}\n< 200 OK (",
		"< {\"exp\":1446568093.414810,\"expires_in\":3600,\"refresh_token\":\"<redacted>\",\"token\":\"" + unsigned + "\"}\n",
		"/user/refresh\n> {\"refresh_token\":\"<redacted>\"}\n",
		"/user/logout\n> Authorization: Bearer " + unsigned + "\n< 200 OK (",
		"> X-Auth-UserId: \"marco\"\n> {\"user\":\"marco\"}\n",
		"< Content-Type: \"application/json\"\n",
	} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace lacks %q:\n%s", want, trace)
		}
	}
}

func TestATraceShowsSecretsWhenToldTo(t *testing.T) {
	trace := traced(t, true, services()["a set"])
	for _, secret := range []string{password, opaque, "Bearer " + jwt} {
		if !strings.Contains(trace, secret) {
			t.Errorf("the trace lacks %s:\n%s", secret, trace)
		}
	}
}

func TestEachTryIsTraced(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer s.Close()
	var trace strings.Builder
	u, err := parseURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	courier, err := newCourier(Config{Trace: func(line string) { trace.WriteString(line + "\n") }}, u)
	if err != nil {
		t.Fatal(err)
	}
	courier.wait = func(context.Context, time.Duration) error { return nil }
	_, _ = ats.NewClient(courier.carry).Login(t.Context(), marco(), token.Request{})
	if n := strings.Count(trace.String(), "< 503 "); n != 3 {
		t.Errorf("%d tries are traced, want 3:\n%s", n, &trace)
	}
}

func TestATraceShowsNoTokenOfAPathOrAHeader(t *testing.T) {
	const raw = "1823c1ee/6c6a 0cdc"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"message": "no %s"}`, raw)
	}))
	defer s.Close()
	for open, want := range map[bool]bool{false: false, true: true} {
		var lines []string
		c := Config{URL: s.URL, Trace: func(line string) { lines = append(lines, line) }, TraceSecrets: open}
		u, err := parseURL(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		courier, err := newCourier(c, u)
		if err != nil {
			t.Fatal(err)
		}
		_, err = courier.carry(t.Context(), dialect.Message{
			Method: "GET", Path: "/0.1/token/" + url.PathEscape(raw) + "?scope=a", Token: token.NewSecret(raw), Header: http.Header{"X-Auth-Token": {raw}},
		})
		if trace := strings.Join(lines, "\n"); err != nil || strings.Contains(trace, "1823c1ee") != want || !strings.Contains(trace, "?scope=a") {
			t.Errorf("open %v: %v\n%s", open, err, trace)
		}
	}
}

package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	testPassword = "correct horse battery"
	testSecret   = "ASDFFGGHJGLKJWELROISUFLDKJFLS"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines are the entries with that message.
func (l *logBuffer) lines(t testing.TB, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// world is a server behind a real connection.
type world struct {
	testing.TB
	store  store.Store
	log    *logBuffer
	server *Server
	http   *httptest.Server
}

func testConfig(st store.Store, log io.Writer) Config {
	return Config{
		Store: st, PasswordCost: PasswordCost{KiB: 64, Passes: 1}, JWTSecret: token.NewSecret(testSecret),
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func newWorld(t testing.TB, options ...func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, store: memory.New(), log: &logBuffer{}}
	c := testConfig(w.store, w.log)
	for _, o := range options {
		o(&c)
	}
	var err error
	w.server, err = New(t.Context(), c)
	w.do(err)
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) addUser(name string, roles ...string) {
	w.Helper()
	w.do(w.server.AddUser(w.Context(), store.User{Name: name, Roles: roles}, token.NewPassword(testPassword)))
}

type answer struct {
	status int
	header http.Header
	body   string
}

// member is a member of a JSON answer.
func (a answer) member(t testing.TB, name string) string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	s, _ := o[name].(string)
	return s
}

// post sends a body; headers are name, value, name, value.
func (w *world) post(path, body string, headers ...string) answer {
	w.Helper()
	return w.send(http.MethodPost, path, body, headers...)
}

func (w *world) send(method, path, body string, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+path, strings.NewReader(body))
	w.do(err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	w.do(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	w.do(err)
	return answer{res.StatusCode, res.Header, string(b)}
}

func (w *world) login(name string) answer {
	w.Helper()
	a := w.post("/user/login", `{"username":"`+name+`","password":"`+testPassword+`","refresh":true}`)
	if a.status != http.StatusOK {
		w.Fatalf("login: %d %s", a.status, a.body)
	}
	return a
}

func bearer(raw string) []string { return []string{"Authorization", "Bearer " + raw} }

func (w *world) want(a answer, status int, what string) {
	w.Helper()
	if a.status != status {
		w.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
}

func (w *world) wantCheck(raw string, status int, what string) {
	w.Helper()
	w.want(w.post("/user/check", "", bearer(raw)...), status, what)
}

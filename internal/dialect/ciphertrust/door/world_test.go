package door_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	publicURL    = "http://127.0.0.1:8081"
	testPassword = "correct horse battery"
	source       = "192.0.2.7"
)

// world is a service with a fake clock, and its handler.
type world struct {
	testing.TB
	clock   *clock
	store   store.Store
	core    *issuer.Issuer
	door    *issuer.Door
	other   *issuer.Door // ats
	handler *door.Handler
	failed  []error // what was reported
}

func newWorld(t testing.TB, change ...func(*door.Config)) *world {
	t.Helper()
	w := &world{TB: t, clock: &clock{at: time.UnixMicro(1_530_895_788_000_000)}, store: memory.New()}
	hasher, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	w.do(err)
	brake, err := throttle.New(throttle.Config{Attempts: 5, Now: w.clock.Now})
	w.do(err)
	w.core, err = issuer.New(t.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: hasher, Throttle: brake, Now: w.clock.Now,
	})
	w.do(err)
	w.other, err = w.core.Door(t.Context(), issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600, RefreshTTL: 86400})
	w.do(err)
	w.door, err = w.core.Door(t.Context(), issuer.DoorConfig{
		Name: "ciphertrust", Issuer: "kylo", Format: issuer.FormatKylo(), AccessTTL: 300, Secret: token.NewSecret("of the master key"),
	})
	w.do(err)
	c := door.Config{URL: publicURL, Core: w.core, Door: w.door, Now: w.clock.Now, Report: w.report}
	for _, f := range change {
		f(&c)
	}
	w.handler, err = door.New(c)
	w.do(err)
	w.addUser("admin", store.RoleAdmin)
	w.addUser("bob")
	return w
}

func (w *world) report(_ *http.Request, err error) (int, string) {
	w.failed = append(w.failed, err)
	if errors.Is(err, token.ErrUnavailable) {
		return http.StatusServiceUnavailable, "id"
	}
	return http.StatusInternalServerError, "id"
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) addUser(name string, roles ...string) {
	w.Helper()
	w.do(w.core.AddUser(w.Context(), store.User{Tenant: store.DefaultTenant, Name: name, Roles: roles}, token.NewPassword(testPassword)))
}

type answer struct {
	status int
	header http.Header
	body   string
}

// member is a member of a JSON answer, as Go reads it.
func (a answer) member(t testing.TB, name string) any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return o[name]
}

func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	s, _ := a.member(t, name).(string)
	return s
}

// send sends a request; headers are name, value, name, value.
func (w *world) send(method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r.WithContext(dialect.WithSource(r.Context(), source)))
	openapitest.Judge(w, "ciphertrust", "", r, recorder)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

func (w *world) post(body string, headers ...string) answer {
	w.Helper()
	return w.send("POST", ciphertrust.PathTokens, body, headers...)
}

// login logs in; more members begin with a comma.
func (w *world) login(name, more string) answer {
	w.Helper()
	a := w.post(fmt.Sprintf(`{"username":%q,"password":%q%s}`, name, testPassword, more))
	w.want(a, 200, "", "login of "+name)
	return a
}

func (w *world) refresh(raw, more string) answer {
	w.Helper()
	return w.post(fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q%s}`, raw, more))
}

// want wants a status, and a message unless it is empty.
func (w *world) want(a answer, status int, message, what string) {
	w.Helper()
	if a.status != status {
		w.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	if message != "" && a.text(w, "message") != message {
		w.Errorf("%s: message %q, want %q", what, a.text(w, "message"), message)
	}
}

func (w *world) wantJWT(raw string, status int, what string) {
	w.Helper()
	w.want(w.send("GET", ciphertrust.PathDomains, "", bearer(raw)...), status, "", what)
}

func bearer(raw string) []string { return []string{"Authorization", "Bearer " + raw} }

// client is the client's end over a connection to the world's handler.
func (w *world) client(clientID string) *ciphertrust.Client {
	w.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(dialect.WithSource(r.Context(), source)))
	}))
	w.Cleanup(s.Close)
	return ciphertrust.NewClient(ciphertrust.Config{ClientID: clientID, Now: w.clock.Now, Exchange: func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
		kind, body, err := m.Body()
		if err != nil {
			return dialect.Reply{}, err
		}
		r, err := http.NewRequestWithContext(ctx, m.Method, m.URL(s.URL), strings.NewReader(string(body)))
		if err != nil {
			return dialect.Reply{}, err
		}
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Authorization", m.Authorization())
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return dialect.Reply{}, err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return dialect.Reply{Status: response.StatusCode, Header: response.Header, Body: answer}, err
	}})
}

func credentials(name, pass string) token.Credentials {
	return token.Credentials{Username: name, Password: token.NewPassword(pass)}
}

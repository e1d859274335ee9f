package door_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
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

// outage is a store that can be out of reach, and counts the reads of sessions.
type outage struct {
	store.Store
	mu    sync.Mutex
	down  bool
	reads int
	// meanwhile, unless nil, is called once, after the next policy has been read.
	meanwhile func()
}

var errDown = errors.New("the disk is gone")

func (o *outage) fail() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if o.down {
		return errDown
	}
	return nil
}

func (o *outage) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *outage) Session(ctx context.Context, id store.ID) (store.Session, error) {
	if err := o.fail(); err != nil {
		return store.Session{}, err
	}
	return o.Store.Session(ctx, id)
}

func (o *outage) Apply(ctx context.Context, commands ...store.Command) error {
	if err := o.fail(); err != nil {
		return err
	}
	return o.Store.Apply(ctx, commands...)
}

func (o *outage) ListPolicies(ctx context.Context, tenant, after string, limit int) ([]store.Policy, error) {
	if err := o.fail(); err != nil {
		return nil, err
	}
	return o.Store.ListPolicies(ctx, tenant, after, limit)
}

func (o *outage) Policy(ctx context.Context, tenant, uuid string) (store.Policy, error) {
	p, err := o.Store.Policy(ctx, tenant, uuid)
	if change := o.meanwhile; change != nil {
		o.meanwhile = nil
		change()
	}
	return p, err
}

// directory knows zoe alone, and can be down. Like any, it takes an empty password for
// a wish to stay nobody, and says yes.
type directory struct{ down bool }

func (d *directory) Find(_ context.Context, name string) (backend.Person, error) {
	switch {
	case d.down:
		return backend.Person{}, token.Refuse(token.ErrUnavailable, "directory out of reach")
	case name != "zoe":
		return backend.Person{}, token.ErrUnknown
	}
	return backend.Person{Name: "zoe", ID: "z-1", DN: "uid=zoe"}, nil
}

func (d *directory) Verify(_ context.Context, p backend.Person, pass token.Secret) (backend.Person, error) {
	if !pass.IsZero() && pass.Reveal() != testPassword {
		return p, token.ErrCredentials
	}
	return p, nil
}

func (d *directory) Groups(_ context.Context, p backend.Person) (backend.Person, error) {
	return p, nil
}

func (d *directory) Close() error { return nil }

const (
	testPassword = "s3cre7"
	source       = "192.0.2.7"
	local        = "xivo_user" // the first backend
)

// zone is that of the seed's server.
func zone() *time.Location { return time.FixedZone("", -5*3600) }

// world is a service with a fake clock, and its handler.
type world struct {
	testing.TB
	clock     *clock
	store     *outage
	directory *directory
	core      *issuer.Issuer
	door      *issuer.Door
	handler   *door.Handler
	mu        sync.Mutex
	failed    []error // what was reported
}

// newWorld is a service whose users log in by xivo_user, admins also by xivo_admin,
// and people of a directory by ldap_user.
func newWorld(t testing.TB, change ...func(*door.Config)) *world {
	t.Helper()
	w := &world{
		TB: t, clock: &clock{at: time.Date(2015, 6, 5, 15, 16, 58, 557_553_000, time.UTC)},
		store: &outage{Store: memory.New()}, directory: &directory{},
	}
	hasher, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	w.do(err)
	brake, err := throttle.New(throttle.Config{Attempts: 5, Now: w.clock.Now})
	w.do(err)
	w.core, err = issuer.New(t.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: hasher, Throttle: brake, Now: w.clock.Now,
		Backends: []issuer.Backend{
			{Name: local},
			{Name: "xivo_admin", Role: store.RoleAdmin, Policies: []string{"admins"}},
			{Name: "ldap_user", Directory: w.directory, Policies: []string{"people"}},
		},
	})
	w.do(err)
	w.door, err = w.core.Door(t.Context(), issuer.DoorConfig{Name: "wazo", Format: issuer.FormatWazo(), AccessTTL: 7200})
	w.do(err)
	c := door.Config{Core: w.core, Door: w.door, Report: w.report, Now: w.clock.Now, Zone: zone()}
	for _, f := range change {
		f(&c)
	}
	w.handler, err = door.New(c)
	w.do(err)
	w.addUser("alice", "confd.users.me.#", "auth.users.me.tokens.#", "auth.users.me.sessions.#")
	w.addUser("root", "auth.#", "confd.#")
	return w
}

func (w *world) report(_ *http.Request, err error) (int, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
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

func (w *world) addUser(name string, list ...string) {
	w.Helper()
	u := store.User{Tenant: store.DefaultTenant, Name: name, ACL: list}
	w.do(w.core.AddUser(w.Context(), u, token.NewPassword(testPassword)))
}

func (w *world) uuid(name string) string {
	w.Helper()
	u, err := w.core.User(w.Context(), store.DefaultTenant, name)
	w.do(err)
	return w.core.UserUUID(u)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// object is a JSON answer, as Go reads it.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return o
}

func (a answer) data(t testing.TB) map[string]any {
	t.Helper()
	data, _ := a.object(t)["data"].(map[string]any)
	return data
}

// text is a member of the data.
func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	s, _ := a.data(t)[name].(string)
	return s
}

// column is one member of all items of a list.
func (a answer) column(t testing.TB, name string) string {
	t.Helper()
	items, ok := a.object(t)["items"].([]any)
	if !ok {
		t.Fatalf("no items: %s", a.body)
	}
	list := []string{}
	for _, i := range items {
		list = append(list, fmt.Sprint(i.(map[string]any)[name]))
	}
	return strings.Join(list, " ")
}

// counts are total and filtered.
func (a answer) counts(t testing.TB) string {
	t.Helper()
	return fmt.Sprint(a.object(t)["total"], " ", a.object(t)["filtered"])
}

// send sends a request; headers are name, value, name, value.
func (w *world) send(method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r.WithContext(dialect.WithSource(context.Background(), source)))
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// post asks for a token as a user.
func (w *world) post(user, body string, headers ...string) answer {
	w.Helper()
	return w.send("POST", wazo.PathToken, body, append(basic(user, testPassword), headers...)...)
}

// login is a token of a user's.
func (w *world) login(user string) string {
	w.Helper()
	return w.want(w.post(user, ""), 200, "login of "+user).text(w, "token")
}

// as is send by the bearer of a token.
func (w *world) as(raw, method, path, body string) answer {
	w.Helper()
	return w.send(method, path, body, wazo.HeaderToken, raw)
}

func (w *world) want(a answer, status int, what string) answer {
	w.Helper()
	if a.status != status {
		w.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	return a
}

var wireError = regexp.MustCompile(`^\{"reason": \[("(?:[^"\\]|\\.)+")\], "timestamp": \[([0-9]+(\.[0-9]{1,6})?)\], "status_code": ([0-9]{3})\}$`)

// refused is what an answer says of a refusal, in the dialect's shape.
func refused(t testing.TB, a answer) string {
	t.Helper()
	m := wireError.FindStringSubmatch(a.body)
	if m == nil || m[4] != fmt.Sprint(a.status) || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s: no refusal of the dialect's", a.status, a.header, a.body)
	}
	var reason string
	if err := json.Unmarshal([]byte(m[1]), &reason); err != nil {
		t.Fatal(err)
	}
	return reason
}

func (w *world) wantRefused(a answer, status int, reason, what string) {
	w.Helper()
	if w.want(a, status, what); refused(w, a) != reason {
		w.Errorf("%s: %s, want the reason %q", what, a.body, reason)
	}
}

func basic(user, pass string) []string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, pass)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

func tokenPath(raw string) string { return wazo.PathToken + "/" + raw }

// bare is a request by itself, with the handler and a writer that keeps nothing.
func (w *world) bare(method, path string) (*door.Handler, *http.Request, http.ResponseWriter) {
	r := httptest.NewRequest(method, path, nil)
	return w.handler, r.WithContext(context.Background()), &deaf{http.Header{}}
}

// deaf keeps nothing of an answer.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(b []byte) (int, error) { return len(b), nil }
func (d *deaf) WriteHeader(int)             {}

func itoa(n int) string { return strconv.Itoa(n) }

func passwordOf() token.Secret { return token.NewPassword(testPassword) }

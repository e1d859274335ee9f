package door_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/awx/door"
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
	ats     *issuer.Door
	handler *door.Handler
	failed  []error // what was reported
}

func newWorld(t testing.TB, change ...func(*world, *door.Config)) *world {
	t.Helper()
	w := &world{TB: t, clock: &clock{at: time.UnixMicro(1_512_530_665_614_523)}, store: memory.New()}
	c := door.Config{URL: publicURL, Now: w.clock.Now, Report: w.report}
	for _, f := range change {
		f(w, &c)
	}
	hasher, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	w.do(err)
	brake, err := throttle.New(throttle.Config{Attempts: 5, Now: w.clock.Now})
	w.do(err)
	w.core, err = issuer.New(t.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: hasher, Throttle: brake, Now: w.clock.Now,
	})
	w.do(err)
	w.ats, err = w.core.Door(t.Context(), issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600, RefreshTTL: 86400})
	w.do(err)
	w.door, err = w.core.Door(t.Context(), issuer.DoorConfig{
		Name: "awx", Issuer: publicURL, Format: issuer.FormatAWX(), AccessTTL: 31_536_000_000,
	})
	w.do(err)
	c.Core, c.Door = w.core, w.door
	w.handler, err = door.New(c)
	w.do(err)
	return w
}

// newHouse is a world with two organisations, Red (1) and Blue (2). Rita is Red's
// admin, Rob its member and Rene its auditor; Bea and Ben are Blue's admin and
// member; Nina belongs to none; Root is a system admin and Ada a system auditor.
func newHouse(t testing.TB, change ...func(*world, *door.Config)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.addUser("root", store.RoleAdmin)
	w.addUser("ada", store.RoleAuditor)
	for _, name := range []string{"rita", "rob", "rene", "bea", "ben", "nina"} {
		w.addUser(name)
	}
	red, blue := w.addOrg("Red"), w.addOrg("Blue")
	w.join(red, "rita", store.OrganisationAdmin)
	w.join(red, "rob", store.OrganisationMember)
	w.join(red, "rene", store.OrganisationAuditor)
	w.join(blue, "bea", store.OrganisationAdmin)
	w.join(blue, "ben", store.OrganisationMember)
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

func (w *world) addOrg(name string) int64 {
	w.Helper()
	o, err := w.core.AddOrganisation(w.Context(), store.Organisation{Tenant: store.DefaultTenant, Name: name})
	w.do(err)
	return o.Number
}

func (w *world) join(org int64, name, role string) {
	w.Helper()
	w.do(w.core.SetMember(w.Context(), store.Membership{Tenant: store.DefaultTenant, Organisation: org, User: name, Role: role}, true))
}

// addApp makes an application of an organisation for the password grant.
func (w *world) addApp(org int64, name string, change ...func(*store.Application)) (store.Application, token.Secret) {
	w.Helper()
	a := store.Application{
		Tenant: store.DefaultTenant, ID: strings.Repeat("A", 40-len(name)) + name, Name: name, Organisation: org,
		Scopes: []string{"read", "write"}, Grants: []string{"password", "refresh_token"}, PKCEOptional: true,
	}
	for _, f := range change {
		f(&a)
	}
	_, secret, err := w.core.AddApplication(w.Context(), a)
	w.do(err)
	a, err = w.core.Application(w.Context(), a.Tenant, a.ID)
	w.do(err)
	return a, secret
}

// keep makes a token of a user's, of an application's unless client is empty.
func (w *world) keep(user, client, scope string) issuer.Kept {
	w.Helper()
	k, err := w.door.Keep(w.Context(), w.door.Tick(), store.AccessToken{Subject: user, Client: client, Scope: scope}, client != "")
	w.do(err)
	return k
}

func (w *world) number(name string) int64 {
	w.Helper()
	u, err := w.core.User(w.Context(), store.DefaultTenant, name)
	w.do(err)
	return u.Number
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

func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	s, _ := a.object(t)[name].(string)
	return s
}

func (a answer) number(t testing.TB, name string) int64 {
	t.Helper()
	n, _ := a.object(t)[name].(float64)
	return int64(n)
}

// ids are the numbers of a page's results.
func (a answer) ids(t testing.TB) (list []int64) {
	t.Helper()
	results, _ := a.object(t)["results"].([]any)
	for _, r := range results {
		n, _ := r.(map[string]any)["id"].(float64)
		list = append(list, int64(n))
	}
	return list
}

// send sends a request; headers are name, value, name, value.
func (w *world) send(method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = strings.TrimPrefix(publicURL, "http://")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r.WithContext(dialect.WithSource(r.Context(), source)))
	openapitest.Judge(w, "awx", "/sub", r, recorder)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// as is send by a user with the password.
func (w *world) as(user, method, path, body string, headers ...string) answer {
	w.Helper()
	return w.send(method, path, body, append(basic(user, testPassword), headers...)...)
}

func (w *world) want(a answer, status int, what string) answer {
	w.Helper()
	if a.status != status {
		w.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	return a
}

func (w *world) wantDetail(a answer, status int, detail, what string) {
	w.Helper()
	if w.want(a, status, what); a.text(w, "detail") != detail {
		w.Errorf("%s: %s, want the detail %q", what, a.body, detail)
	}
}

func (w *world) wantField(a answer, field, message, what string) {
	w.Helper()
	w.want(a, http.StatusBadRequest, what)
	list, _ := a.object(w)[field].([]any)
	if len(list) == 0 || message != "" && list[0] != message {
		w.Errorf("%s: %s, want %s: %q", what, a.body, field, message)
	}
}

func bearer(raw string) []string { return []string{"Authorization", "Bearer " + raw} }

func basic(user, pass string) []string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, pass)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

func item(list string, number int64) string { return awx.ItemPath(list, number) }

func beneath(list string, number int64, name string) string { return awx.ListPath(list, number, name) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func quoted(format string, args ...any) string { return fmt.Sprintf(format, args...) }

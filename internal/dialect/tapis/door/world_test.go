package door_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis/door"
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
	publicURL    = "http://127.0.0.1:5001"
	seedIssuer   = "https://dev.api.tapis.io/tokens/v3"
	testPassword = "correct horse battery"
	source       = "192.0.2.7"
	hostOfDev    = "dev.api.tapis.io"
)

// world is a service with a fake clock, and its handler. The tenants are default,
// dev and admin of the site tacc, which admin administers, and far of the site uh.
type world struct {
	testing.TB
	clock   *clock
	store   *failing
	core    *issuer.Issuer
	doors   *issuer.Doors
	handler *door.Handler
	failed  []error // what was reported
	open    string  // the tenant with open minting
}

// failing is a store that can be made to fail.
type failing struct {
	store.Store
	down bool
}

func (f *failing) ServiceAccount(ctx context.Context, tenant, name string) (store.ServiceAccount, error) {
	if f.down {
		return store.ServiceAccount{}, store.ErrUnavailable
	}
	return f.Store.ServiceAccount(ctx, tenant, name)
}

func (f *failing) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	if f.down {
		return nil, store.ErrUnavailable
	}
	return f.Store.Revocations(ctx, after, limit)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, "ES256")
}

// newWorldOf has keys of that algorithm in dev; RSA keys take their time.
func newWorldOf(t testing.TB, algorithm string) *world {
	t.Helper()
	// A millisecond before the first token of the seed was made.
	w := &world{TB: t, clock: &clock{at: time.UnixMicro(1_571_068_592_897_216)}, store: &failing{Store: memory.New()}}
	hasher, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	w.do(err)
	brake, err := throttle.New(throttle.Config{Attempts: 5, Now: w.clock.Now})
	w.do(err)
	w.core, err = issuer.New(t.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: hasher, Throttle: brake, Now: w.clock.Now,
	})
	w.do(err)
	w.doors, err = w.core.Doors(t.Context(), doorConfig)
	w.do(err)
	for _, tenant := range []store.Tenant{
		{Name: "dev", Site: "tacc", Issuer: seedIssuer, BaseURL: "https://" + hostOfDev, Algorithm: algorithm, APIVersion: "1.8.3"},
		{Name: "admin", Site: "tacc", SiteAdmin: true, BaseURL: "https://admin.api.tapis.io", Algorithm: "ES256"},
		{Name: "far", Site: "uh", BaseURL: "https://tapis.uh.example:8443/v", Algorithm: "ES256"},
	} {
		w.do(w.core.AddTenant(t.Context(), tenant))
	}
	w.handler, err = door.New(door.Config{
		URL: publicURL, Core: w.core, Doors: w.doors, Now: w.clock.Now, Report: w.report,
		OpenMinting: func(tenant string) bool { return tenant == w.open },
	})
	w.do(err)
	w.addUser("dev", "jstubbs")
	w.addUser("dev", "root", store.RoleAdmin)
	w.addService("dev", "files")
	w.addService("dev", "apps", "dev", "far")
	w.addService("admin", "tokens", "dev", "admin")
	w.clock.move(time.Millisecond)
	return w
}

func doorConfig(t store.Tenant) (issuer.DoorConfig, bool) {
	return issuer.DoorConfig{
		Name: "tapis", Tenant: t.Name, Issuer: cmp.Or(t.Issuer, cmp.Or(t.BaseURL, publicURL)+"/v3/tokens"),
		Format: issuer.FormatTapis(), KeyAlgorithm: cmp.Or(t.Algorithm, "ES256"), AllowWeakKeys: t.WeakKeys,
		AccessTTL: cmp.Or(t.AccessTTL, 300), MaxAccessTTL: t.MaxAccessTTL,
		RefreshTTL: cmp.Or(t.RefreshTTL, 600), MaxRefreshTTL: t.MaxRefreshTTL,
	}, true
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

func (w *world) addUser(tenant, name string, roles ...string) {
	w.Helper()
	w.do(w.core.AddUser(w.Context(), store.User{Tenant: tenant, Name: name, Roles: roles}, token.NewPassword(testPassword)))
}

func (w *world) addService(tenant, name string, mayMint ...string) {
	w.Helper()
	w.do(w.core.AddServiceAccount(w.Context(), store.ServiceAccount{Tenant: tenant, Name: name, MayMint: mayMint}, token.NewPassword(testPassword)))
}

// addApplication returns its id and its key.
func (w *world) addApplication(a store.Application) (id, key string) {
	w.Helper()
	stored, secret, err := w.core.AddApplication(w.Context(), a)
	w.do(err)
	return stored.ID, secret.Reveal()
}

func (w *world) door(tenant string) *issuer.Door {
	w.Helper()
	served, ok := w.doors.Of(tenant)
	if !ok {
		w.Fatalf("no tenant %s", tenant)
	}
	return served.Door
}

// answer is an envelope with its status.
type answer struct {
	status  int
	header  http.Header
	body    string
	Message string
	Result  json.RawMessage
	Status  string
	Version string
}

// pair reads the tokens of an answer.
func (a answer) pair(w *world) tapis.Pair {
	w.Helper()
	var p tapis.Pair
	if err := json.Unmarshal(a.Result, &p); err != nil || p.Access == nil {
		w.Fatalf("no tokens in %d %s", a.status, a.body)
	}
	return p
}

// send sends a request; headers are name, value, name, value, and Host and Peer
// are not in the header.
func (w *world) send(method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = hostOfDev
	for i := 0; i < len(headers); i += 2 {
		switch headers[i] {
		case "Host":
			r.Host = headers[i+1]
		case "Peer":
			r.RemoteAddr = headers[i+1]
		default:
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	if !w.handler.Serves(r) {
		w.Fatalf("%s is not the door's", path)
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r.WithContext(dialect.WithSource(r.Context(), source)))
	openapitest.Judge(w, "tapis", "/auth", r, recorder)
	a := answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	w.readEnvelope(&a)
	return a
}

// readEnvelope wants the one shape that all answers have.
func (w *world) readEnvelope(a *answer) {
	w.Helper()
	if kind := a.header.Values("Content-Type"); len(kind) != 1 || kind[0] != "application/json" {
		w.Errorf("Content-Type %q", kind)
	}
	o, err := token.ParseObject(a.body)
	if err != nil {
		w.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	w.do(json.Unmarshal([]byte(a.body), a))
	metadata, _ := o.Member("metadata")
	if names := strings.Join(o.Names(), " "); names != "message metadata result status version" || metadata != "{}" || a.Version == "" || a.Message == "" {
		w.Errorf("envelope %q", a.body)
	}
	if want := map[bool]string{true: "success", false: "error"}[a.status == 200]; a.Status != want {
		w.Errorf("%d with status %q", a.status, a.Status)
	}
	if a.status != 200 && string(a.Result) != "null" {
		w.Errorf("an error with the result %s", a.Result)
	}
}

// want wants a status, and a message unless it is empty.
func (w *world) want(a answer, status int, message, what string) {
	w.Helper()
	if a.status != status {
		w.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	if message != "" && a.Message != message {
		w.Errorf("%s: message %q, want %q", what, a.Message, message)
	}
}

func basic(name, pass string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+pass))}
}

func bearing(raw string) []string { return []string{tapis.HeaderToken, raw} }

// apps mints as the service that may mint for anybody in dev and far.
func (w *world) apps(body string) tapis.Pair {
	w.Helper()
	a := w.send("POST", tapis.PathTokens, body, append(basic("apps", testPassword), tapis.HeaderTenant, "dev")...)
	w.want(a, 200, tapis.MessageMinted, body)
	return a.pair(w)
}

// service is an access token of a service account, as it mints it for itself.
func (w *world) service(tenant, name string) string {
	w.Helper()
	body := fmt.Sprintf(`{"token_tenant_id":%q,"account_type":"service","token_username":%q}`, tenant, name)
	a := w.send("POST", tapis.PathTokens, body, basic(name, testPassword)...)
	w.want(a, 200, tapis.MessageMinted, name)
	return a.pair(w).Access.Token
}

// claims are those of a token, without judging it.
func (w *world) claims(raw string) map[string]any {
	w.Helper()
	t, err := token.Decode(raw)
	w.do(err)
	var claims map[string]any
	w.do(json.Unmarshal([]byte(t.Claims.Text()), &claims))
	return claims
}

// live tells whether a token is honoured, by what the site router says.
func (w *world) live(raw string) bool {
	w.Helper()
	return w.send("GET", tapis.PathCheck, "", bearing(raw)...).status == 200
}

func (w *world) refresh(raw string) answer {
	w.Helper()
	return w.send("PUT", tapis.PathTokens, fmt.Sprintf(`{"refresh_token":%q}`, raw))
}

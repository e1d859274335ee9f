package door_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// issuerURL is what the service of most worlds is called.
const issuerURL = "https://auth.example.com"

// pass is every user's password.
const pass = "correct horse"

// Applications that every world has, by client_id. Those with a secret may prove
// themselves by Basic or in the body, unless it says otherwise.
const (
	web      = "web"      // confidential: code, refresh; asks for consent; redirects to webCallback
	house    = "house"    // confidential, of the house: code, password, refresh; no consent
	native   = "native"   // public: code, refresh, device; loopback redirects
	legacy   = "legacy"   // confidential: code, without PKCE if it likes; two redirects
	machine  = "machine"  // confidential: client_credentials for resource and files
	basic    = "basic"    // client_secret_basic alone: client_credentials
	posting  = "posting"  // client_secret_post alone: client_credentials
	signer   = "signer"   // private_key_jwt: client_credentials, code, refresh
	watcher  = "watcher"  // confidential, may introspect: client_credentials
	gateway  = "gateway"  // confidential: token exchange, client_credentials
	tv       = "tv"       // public: device, refresh
	plainApp = "plainapp" // confidential: code, and no refresh tokens
)

const (
	webCallback = "https://app.example.com/cb"
	resource    = "https://api.example.com/"
	files       = "https://files.example.com/v1"
)

func applications() []store.Application {
	rights := []string{"openid", "profile", "account", "read", "write"}
	code, refresh, device := token.GrantAuthorizationCode, token.GrantRefreshToken, token.GrantDeviceCode
	machines := []string{token.GrantClientCredentials}
	return []store.Application{
		{ID: web, Name: "The Web App", Grants: []string{code, refresh}, RedirectURIs: []string{webCallback}, Scopes: rights, Audiences: []string{resource, files}},
		{ID: house, Name: "The House", Grants: []string{code, refresh, token.GrantPassword}, RedirectURIs: []string{"https://house.example.com/cb"}, Scopes: rights, Audiences: []string{resource}, SkipConsent: true},
		{
			ID: native, Name: "Native", AuthMethod: "none", Grants: []string{code, refresh, device}, Scopes: rights,
			RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:3000/cb", "com.example.app:/cb"},
		},
		{ID: legacy, Name: "Legacy", Grants: []string{code, refresh}, RedirectURIs: []string{"https://old.example.com/cb?kind=a", "https://old.example.com/cb"}, Scopes: rights, PKCEOptional: true},
		{ID: machine, Name: "Machine", Grants: machines, Scopes: []string{"read", "write"}, Audiences: []string{resource, files}},
		{ID: basic, Name: "Basic", AuthMethod: "client_secret_basic", Grants: machines},
		{ID: posting, Name: "Post", AuthMethod: "client_secret_post", Grants: machines},
		{ID: signer, Name: "Signer", AuthMethod: "private_key_jwt", Grants: []string{token.GrantClientCredentials, code, refresh}, RedirectURIs: []string{webCallback}, Scopes: rights},
		{ID: watcher, Name: "Watcher", Grants: machines, Introspect: true},
		{ID: gateway, Name: "Gateway", Grants: []string{token.GrantTokenExchange, token.GrantClientCredentials}, Scopes: rights, Audiences: []string{resource, files}},
		{ID: tv, Name: "Television", AuthMethod: "none", Grants: []string{device, refresh}, Scopes: rights, Audiences: []string{resource}},
		{ID: plainApp, Name: "Plain", Grants: []string{code}, RedirectURIs: []string{webCallback}, Scopes: rights},
	}
}

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// breakable is a store that a test can break.
type breakable struct {
	store.Store
	mu     sync.Mutex
	broken bool
}

func (b *breakable) breakDown(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *breakable) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return fmt.Errorf("%w: the disk is gone", store.ErrUnavailable)
	}
	return nil
}

func (b *breakable) Apply(ctx context.Context, commands ...store.Command) error {
	if err := b.err(); err != nil {
		return err
	}
	return b.Store.Apply(ctx, commands...)
}

func (b *breakable) Session(ctx context.Context, id store.ID) (store.Session, error) {
	if err := b.err(); err != nil {
		return store.Session{}, err
	}
	return b.Store.Session(ctx, id)
}

func (b *breakable) Ticket(ctx context.Context, id store.ID) (store.Ticket, error) {
	if err := b.err(); err != nil {
		return store.Ticket{}, err
	}
	return b.Store.Ticket(ctx, id)
}

// settings of a world.
type settings struct {
	url      string
	door     issuer.DoorConfig
	throttle throttle.Config
	alone    bool // the pages
}

// setting changes the settings of a world.
type setting func(*settings)

func at(address string) setting { return func(s *settings) { s.url = address } }

func doorWith(change func(*issuer.DoorConfig)) setting {
	return func(s *settings) { change(&s.door) }
}

// world is one service with a fake clock, its applications, and two users: marco
// and the admin ada.
type world struct {
	testing.TB
	url     string
	clock   *fakeClock
	store   *breakable
	issuer  *issuer.Issuer
	door    *issuer.Door
	ats     *issuer.Door // a second door of the tenant
	beside  *issuer.Door // a third, whose authorization endpoint is besidePath
	handler *door.Handler
	secrets map[string]string // client_secret by client_id
	key     *ecdsa.PrivateKey // of signer
	hasher  *password.Hasher

	mu       sync.Mutex
	log      bytes.Buffer
	reported []error
}

func newWorld(t testing.TB, list ...setting) *world {
	t.Helper()
	s := settings{url: issuerURL, throttle: throttle.Config{Attempts: 1000}, door: issuer.DoorConfig{
		Name: "oauth2", Format: issuer.FormatRFC9068(), AccessTTL: 600, RefreshTTL: 30 * 86400, ReuseGrace: 30,
	}}
	for _, change := range list {
		change(&s)
	}
	w := &world{
		TB: t, url: s.url, clock: &fakeClock{at: time.Unix(1_800_000_000, 0)}, store: &breakable{Store: memory.New()},
		secrets: map[string]string{}, key: newKey(t),
	}
	s.door.Issuer, s.throttle.Now = s.url, w.clock.Now
	w.do(w.open(s))
	w.addUser("marco")
	w.addUser("ada", store.RoleAdmin)
	for _, app := range applications() {
		w.addApplication(app)
	}
	return w
}

func (w *world) open(s settings) (err error) {
	if w.hasher, err = password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}}); err != nil {
		return err
	}
	brake, err := throttle.New(s.throttle)
	if err != nil {
		return err
	}
	w.issuer, err = issuer.New(w.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: w.hasher, Throttle: brake, Now: w.clock.Now,
		Log: slog.New(slog.NewTextHandler(w, nil)),
	})
	if err != nil {
		return err
	}
	if w.door, err = w.issuer.Door(w.Context(), s.door); err != nil {
		return err
	}
	if w.ats, err = w.issuer.Door(w.Context(), issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600}); err != nil {
		return err
	}
	w.beside, err = w.issuer.Door(w.Context(), issuer.DoorConfig{Name: "awx", Issuer: s.url, Format: issuer.FormatAWX(), AccessTTL: 31_536_000_000})
	if err != nil {
		return err
	}
	w.handler, err = door.New(door.Config{
		URL: s.url, Core: w.issuer, Door: w.door, Report: w.report, Now: w.clock.Now,
		Beside: &door.Beside{Path: besidePath, Door: w.beside}, PagesAlone: s.alone,
	})
	return err
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) report(_ *http.Request, err error) (int, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reported = append(w.reported, err)
	if errors.Is(err, token.ErrUnavailable) {
		return http.StatusServiceUnavailable, "req-1"
	}
	return http.StatusInternalServerError, "req-1"
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) addUser(name string, roles ...string) {
	w.Helper()
	u := store.User{Tenant: store.DefaultTenant, Name: name, Roles: roles}
	w.do(w.issuer.AddUser(w.Context(), u, token.NewPassword(pass)))
}

func (w *world) addApplication(a store.Application) {
	w.Helper()
	a.Tenant = store.DefaultTenant
	if a.AuthMethod == oauth2.AuthKey && a.JWKS == "" {
		a.JWKS = jwksOf(w.key, "k1")
	}
	_, secret, err := w.issuer.AddApplication(w.Context(), a)
	w.do(err)
	w.secrets[a.ID] = secret.Reveal()
}

// claims are those of a JWT, unverified.
func (w *world) claims(raw string) map[string]any {
	w.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		w.Fatalf("no JWT: %q", raw)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	w.do(err)
	m := map[string]any{}
	w.do(json.Unmarshal(b, &m))
	return m
}

// isLive tells whether the service honours an access token or a refresh token.
func (w *world) isLive(raw string) bool {
	w.Helper()
	a := w.post("/oauth2/introspect", fields("token", raw), w.as(watcher))
	if a.status != http.StatusOK {
		w.Fatalf("introspection: %d %s", a.status, a.body)
	}
	return a.member("active") == true
}

func (w *world) wantLive(raw string, want bool, what string) {
	w.Helper()
	if got := w.isLive(raw); got != want {
		w.Errorf("%s: live %t, want %t", what, got, want)
	}
}

// rule is one of a standard's, with its section.
type rule struct {
	name  string
	check func(t *testing.T, w *world)
}

// must holds a world of its own against each rule.
func must(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(t, newWorld(t))
		})
	}
}

// logged is the log so far.
func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// fetch sends a request to an address that need not be behind the service's URL.
func (w *world) fetch(method, address string) answer {
	w.Helper()
	return w.serve(httptest.NewRequest(method, address, nil))
}

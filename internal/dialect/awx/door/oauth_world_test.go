package door_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	awxdoor "github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	oauthURL      = "https://awx.example.com"
	oauthPass     = "correct horse"
	oauthCallback = "http://app.example.com/cb"
)

// Applications that every oauthWorld has, by client_id.
const (
	byPassword       = "bypassword"       // confidential: password, refresh
	byPasswordToo    = "bypasswordtoo"    // the same, of somebody else
	byPasswordPublic = "bypasswordpublic" // public: password, refresh
	byCode           = "bycode"           // confidential: code, refresh
	byCodePublic     = "bycodepublic"     // public: code, refresh
	implicitly       = "implicitly"       // public: a token in the place of a code
	byItself         = "byitself"         // confidential: client_credentials
	standardAlone    = "standardalone"    // of no organisation: password, refresh
)

func oauthApplications(organisation int64) []store.Application {
	code, refresh := []string{token.GrantAuthorizationCode, token.GrantRefreshToken}, []string{token.GrantPassword, token.GrantRefreshToken}
	list := []store.Application{
		{ID: byPassword, Grants: refresh},
		{ID: byPasswordToo, Grants: refresh},
		{ID: byPasswordPublic, Grants: refresh, AuthMethod: "none"},
		{ID: byCode, Grants: code, RedirectURIs: []string{oauthCallback}},
		{ID: byCodePublic, Grants: code, RedirectURIs: []string{oauthCallback}, AuthMethod: "none"},
		{ID: implicitly, Implicit: true, RedirectURIs: []string{oauthCallback}, AuthMethod: "none"},
		{ID: byItself, Grants: []string{token.GrantClientCredentials}},
		{ID: standardAlone, Grants: refresh},
	}
	for n := range list {
		list[n].Tenant, list[n].Name, list[n].Scopes = store.DefaultTenant, list[n].ID, []string{"read", "write"}
		if list[n].ID != standardAlone {
			list[n].Organisation = organisation
		}
	}
	return list
}

// oauthWorld is a service with a clock that stands still, an organisation's
// applications, the pages, and the users bob and carol.
type oauthWorld struct {
	testing.TB
	issuer  *issuer.Issuer
	door    *issuer.Door
	store   *fragile
	handler http.Handler
	secrets map[string]string // by client_id

	mu  sync.Mutex
	now time.Time
	log strings.Builder
}

// fragile is a store that a test can break.
type fragile struct {
	store.Store
	broken bool
}

func (f *fragile) Apply(ctx context.Context, commands ...store.Command) error {
	if f.broken {
		return fmt.Errorf("%w: the disk is gone", store.ErrUnavailable)
	}
	return f.Store.Apply(ctx, commands...)
}

func newOAuthWorld(t testing.TB, brake throttle.Config) *oauthWorld {
	t.Helper()
	w := &oauthWorld{TB: t, store: &fragile{Store: memory.New()}, secrets: map[string]string{}, now: time.Unix(1_800_000_000, 0)}
	w.do(w.open(brake))
	for _, name := range []string{"bob", "carol"} {
		w.do(w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: name}, token.NewPassword(oauthPass)))
	}
	o, err := w.issuer.AddOrganisation(t.Context(), store.Organisation{Tenant: store.DefaultTenant, Name: "Engineering"})
	w.do(err)
	for _, a := range oauthApplications(o.Number) {
		_, secret, err := w.issuer.AddApplication(t.Context(), a)
		w.do(err)
		w.secrets[a.ID] = secret.Reveal()
	}
	return w
}

func (w *oauthWorld) open(c throttle.Config) error {
	hasher, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	if err != nil {
		return err
	}
	if c.Attempts == 0 {
		c.Attempts = 1000
	}
	c.Now = w.Now
	brake, err := throttle.New(c)
	if err != nil {
		return err
	}
	w.issuer, err = issuer.New(w.Context(), issuer.Config{
		Store: w.store, Master: signing.NewMaster(), Hasher: hasher, Throttle: brake, Now: w.Now, Log: slog.New(slog.NewTextHandler(w, nil)),
	})
	if err != nil {
		return err
	}
	ats, err := w.issuer.Door(w.Context(), issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600})
	if err != nil {
		return err
	}
	w.door, err = w.issuer.Door(w.Context(), issuer.DoorConfig{Name: "awx", Issuer: oauthURL, Format: issuer.FormatAWX(), AccessTTL: 31_536_000_000})
	if err != nil {
		return err
	}
	pages, err := door.New(door.Config{
		URL: oauthURL, Core: w.issuer, Door: ats, Report: w.report, Now: w.Now, PagesAlone: true,
		Beside: &door.Beside{Path: awx.PathAuthorize, Door: w.door},
	})
	if err != nil {
		return err
	}
	h, err := awxdoor.New(awxdoor.Config{URL: oauthURL, Core: w.issuer, Door: w.door, Authorize: pages, Report: w.report, Now: w.Now})
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h.Serves(r) {
			h.ServeHTTP(rw, r)
			return
		}
		pages.ServeHTTP(rw, r)
	})
	return err
}

func (w *oauthWorld) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *oauthWorld) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *oauthWorld) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *oauthWorld) report(_ *http.Request, err error) (int, string) {
	fmt.Fprintln(w, err)
	if errors.Is(err, token.ErrUnavailable) {
		return http.StatusServiceUnavailable, "req-1"
	}
	return http.StatusInternalServerError, "req-1"
}

func (w *oauthWorld) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// told is what came back.
type told struct {
	status int
	header http.Header
	body   string
}

func (a told) member(name string) string {
	var m map[string]any
	if json.Unmarshal([]byte(a.body), &m) != nil || m[name] == nil {
		return ""
	}
	return fmt.Sprint(m[name])
}

func (w *oauthWorld) serve(r *http.Request) told {
	w.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r.WithContext(dialect.WithSource(r.Context(), "192.0.2.1")))
	openapitest.Judge(w, "awx", "", r, rec)
	if rec.Code == http.StatusInternalServerError {
		w.Errorf("%s %s: 500 %s\n%s", r.Method, r.URL, rec.Body, w.log.String())
	}
	return told{rec.Code, rec.Header(), rec.Body.String()}
}

// ask posts a form, given as name=value pairs, as an application: by Basic where it
// has a secret, else by its client_id; as nobody where app is empty.
func (w *oauthWorld) ask(path, app string, pairs ...string) told {
	w.Helper()
	f := url.Values{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		f.Add(name, value)
	}
	if w.secrets[app] == "" && app != "" {
		f.Set("client_id", app)
	}
	r := httptest.NewRequest(http.MethodPost, oauthURL+path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w.secrets[app] != "" {
		r.SetBasicAuth(app, w.secrets[app])
	}
	return w.serve(r)
}

// login gets an application tokens for bob by his password.
func (w *oauthWorld) login(app string, pairs ...string) (access, refresh string) {
	w.Helper()
	a := w.ask(awx.PathToken, app, append([]string{"grant_type=password", "username=bob", "password=" + oauthPass}, pairs...)...)
	if a.status != http.StatusOK || a.member("access_token") == "" || a.member("refresh_token") == "" {
		w.Fatalf("no token for %s: %d %s", app, a.status, a.body)
	}
	return a.member("access_token"), a.member("refresh_token")
}

func (w *oauthWorld) renew(app, refresh string, pairs ...string) told {
	w.Helper()
	return w.ask(awx.PathToken, app, append([]string{"grant_type=refresh_token", "refresh_token=" + refresh}, pairs...)...)
}

func (w *oauthWorld) wantLive(access string, want bool, what string) {
	w.Helper()
	if _, err := w.door.Live(w.Context(), access); (err == nil) != want {
		w.Errorf("%s: %v, want live %t", what, err, want)
	}
}

// wantError holds a refusal against a status and the very body.
func (w *oauthWorld) wantError(a told, status int, body, what string) {
	w.Helper()
	if a.status != status || strings.TrimSpace(a.body) != body || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		w.Errorf("%s: %d %s %v, want %d %s", what, a.status, a.body, a.header, status, body)
	}
}

var (
	csrfField  = regexp.MustCompile(`name="csrf" value="([^"]*)"`)
	formAction = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">`)
)

// allow has bob log in at an address of the service and allow what is asked, and
// returns where the browser is sent in the end.
func (w *oauthWorld) allow(address string) string {
	w.Helper()
	jar := map[string]string{}
	send := func(method, to, body string) told {
		r := httptest.NewRequest(method, oauthURL+to, strings.NewReader(body))
		for name, value := range jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", oauthURL)
		}
		a := w.serve(r)
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			jar[c.Name] = c.Value
		}
		return a
	}
	a := send(http.MethodGet, address, "")
	for range 8 {
		to := a.header.Get("Location")
		switch {
		case strings.HasPrefix(to, "/"):
			a = send(http.MethodGet, to, "")
		case to != "":
			return to
		default:
			action, csrf := formAction.FindAllStringSubmatch(a.body, -1), csrfField.FindStringSubmatch(a.body)
			if len(action) == 0 || csrf == nil {
				w.Fatalf("no form: %d %s", a.status, a.body)
			}
			f := url.Values{"csrf": {csrf[1]}, "username": {"bob"}, "password": {oauthPass}, "decision": {"allow"}}
			if next := regexp.MustCompile(`name="next" value="([^"]*)"`).FindStringSubmatch(a.body); next != nil {
				f.Set("next", html.UnescapeString(next[1]))
			}
			a = send(http.MethodPost, html.UnescapeString(action[len(action)-1][1]), f.Encode())
		}
	}
	w.Fatalf("%s leads in a circle", address)
	return ""
}

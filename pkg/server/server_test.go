package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestALoginIsCheckedRefreshedAndLoggedOutThroughTheWholeStack(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	first := w.login("marco")
	raw := first.member(t, "token")
	if _, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return []byte(testSecret), nil }); err != nil {
		t.Errorf("golang-jwt: %v", err)
	}
	checked := w.post("/user/check", "", bearer(raw)...)
	if checked.status != http.StatusOK || checked.member(t, "sub") != "marco" || checked.member(t, "iss") != "ats.auth" {
		t.Errorf("check: %d %s", checked.status, checked.body)
	}
	next := w.post("/user/refresh", `{"refresh_token":"`+first.member(t, "refresh_token")+`"}`)
	w.want(next, http.StatusOK, "refresh")
	other := w.login("marco").member(t, "token")
	w.want(w.post("/user/logout", "", bearer(next.member(t, "token"))...), http.StatusNoContent, "logout")
	w.want(w.post("/user/logout", "", bearer(next.member(t, "token"))...), http.StatusNoContent, "logout once more")
	w.wantCheck(raw, http.StatusUnauthorized, "the first token of the login")
	w.wantCheck(next.member(t, "token"), http.StatusUnauthorized, "the second token of the login")
	w.want(w.post("/user/refresh", `{"refresh_token":"`+next.member(t, "refresh_token")+`"}`), http.StatusUnauthorized, "a refresh after logout")
	w.wantCheck(other, http.StatusOK, "another login")
	w.want(w.post("/user/logout_all", "", bearer(other)...), http.StatusNoContent, "logout_all")
	w.wantCheck(other, http.StatusUnauthorized, "after logout_all")
	w.wantCheck(w.login("marco").member(t, "token"), http.StatusOK, "a login after logout_all")
	w.want(w.post("/user/logout_all", "", "X-Auth-UserId", "marco"), http.StatusUnauthorized, "logout_all by a bare header")
	w.want(w.post("/user/login", `{"username":"marco","password":"wrong"}`), http.StatusUnauthorized, "a wrong password")
}

func (w *world) health(path string) answer {
	r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, path, nil)
	recorder := httptest.NewRecorder()
	w.server.Health().ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

func TestReadinessFollowsTheStoreAndLivenessDoesNot(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		w.want(w.health(path), http.StatusOK, path)
	}
	w.do(w.store.Close())
	w.want(w.health("/healthz"), http.StatusOK, "/healthz with the store closed")
	down := w.health("/readyz")
	w.want(down, http.StatusServiceUnavailable, "/readyz with the store closed")
	if strings.TrimSpace(down.body) != "not ready" {
		t.Errorf("it tells %q", down.body)
	}
	w.want(w.health("/metricz"), http.StatusNotFound, "another path")
}

// hanging is a store that does not come back while its gate is closed.
type hanging struct {
	store.Store
	gate chan struct{}
}

func (h hanging) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	select {
	case <-h.gate:
		return h.Store.Revocations(ctx, after, limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h hanging) Ping(ctx context.Context) error {
	select {
	case <-h.gate:
		return h.Store.Ping(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestReadinessAnswersWithinTwoSecondsThoughTheStoreHangs(t *testing.T) {
	now, open := time.Now(), make(chan struct{})
	close(open)
	h := &hanging{Store: memory.New(), gate: open}
	w := newWorld(t, func(c *Config) { c.Store = h; c.Now = func() time.Time { return now } })
	now, h.gate = now.Add(time.Minute), make(chan struct{})
	began := time.Now()
	w.want(w.health("/readyz"), http.StatusServiceUnavailable, "/readyz")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}

// failing is a store that reads and does not write.
type failing struct {
	store.Store
	down bool
}

func (f *failing) Apply(ctx context.Context, commands ...store.Command) error {
	if f.down {
		return fmt.Errorf("%w: no space left on /var/lib/secret-place", store.ErrUnavailable)
	}
	return f.Store.Apply(ctx, commands...)
}

func TestARevocationThatIsNotDurableIs503AndNever204(t *testing.T) {
	f := &failing{Store: memory.New()}
	w := newWorld(t, func(c *Config) { c.Store = f })
	w.addUser("marco")
	a := w.login("marco")
	plain := w.post("/user/login", `{"username":"marco","password":"`+testPassword+`"}`).member(t, "token")
	f.down = true
	for what, got := range map[string]answer{
		"logout of a login": w.post("/user/logout", "", bearer(a.member(t, "token"))...),
		"logout of a token": w.post("/user/logout", "", bearer(plain)...),
		"logout_all":        w.post("/user/logout_all", "", bearer(plain)...),
		"refresh":           w.post("/user/refresh", `{"refresh_token":"`+a.member(t, "refresh_token")+`"}`),
		"a login with a refresh token": w.post("/user/login",
			`{"username":"marco","password":"`+testPassword+`","refresh":true}`),
	} {
		w.want(got, http.StatusServiceUnavailable, what)
		if got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "secret-place") {
			t.Errorf("%s: Retry-After %q, body %q", what, got.header.Get("Retry-After"), got.body)
		}
	}
	w.wantCheck(plain, http.StatusOK, "the token that was not revoked")
	f.down = false
	w.want(w.post("/user/logout", "", bearer(plain)...), http.StatusNoContent, "logout when the store is back")
}

// A context that ends is no word that the client has gone: who embeds the server
// may end it, and an answer that was not written is a 200.
func TestARequestWhoseContextHasEndedIsNeverAnsweredAsDone(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	raw := w.login("marco").member(t, "token")
	for _, path := range []string{"/user/logout", "/user/logout_all"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		recorder := httptest.NewRecorder()
		w.server.ServeHTTP(recorder, r)
		if recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, recorder.Code)
		}
	}
	w.wantCheck(raw, http.StatusOK, "the token")
}

func TestAnUnknownDialectAndBadLifetimesAreRefused(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*Config)
		names  string
	}{
		"dialect":        {func(c *Config) { c.Dialects = []string{"ats", "kerberos"} }, `"kerberos"`},
		"no store":       {func(c *Config) { c.Store = nil }, "store"},
		"lifetime":       {func(c *Config) { c.AccessTTL = -1 }, "-1"},
		"long lifetime":  {func(c *Config) { c.AccessTTL = maxTTL + 1 }, "lifetime"},
		"idle":           {func(c *Config) { c.RefreshIdle = -1 }, "-1"},
		"maximum":        {func(c *Config) { c.MaxRefreshTTL = -1 }, "-1"},
		"two masters":    {func(c *Config) { c.MasterKey, c.MasterKeyFile = token.NewSecret("x"), "y" }, "MasterKeyFile"},
		"a bad master":   {func(c *Config) { c.MasterKey = token.NewSecret("hush-hush") }, "master key"},
		"attempts":       {func(c *Config) { c.Attempts = -1 }, "throttle"},
		"password costs": {func(c *Config) { c.PasswordCost.KiB = 1 << 30 }, ""},
	} {
		config := testConfig(memory.New(), &logBuffer{})
		c.change(&config)
		_, err := New(t.Context(), config)
		if err == nil || !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatAnAdministratorDoesIsSeenAtTheDoor(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.JWTSecret = token.Secret{} })
	ctx := t.Context()
	w.addUser("admin", store.RoleAdmin)
	w.addUser("marco")
	if err := w.server.AddUser(ctx, store.User{Name: "marco"}, token.NewPassword("x")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a name twice: %v", err)
	}
	list, err := w.server.ListUsers(ctx, "", "", 10)
	if err != nil || len(list) != 2 || list[0].Name != "admin" || list[1].Tenant != store.DefaultTenant {
		t.Errorf("users %+v, %v", list, err)
	}
	admin := w.login("admin").member(t, "token")
	end := func(what string, change func() error) {
		t.Helper()
		raw := w.login("marco").member(t, "token")
		w.do(change())
		w.wantCheck(raw, http.StatusUnauthorized, what)
		w.wantCheck(admin, http.StatusOK, what+", somebody else")
	}
	end("revoke", func() error { return w.server.RevokeUser(ctx, "", "marco") })
	end("passwd", func() error { return w.server.SetPassword(ctx, "", "marco", token.NewPassword(testPassword), false) })
	end("disable", func() error { return w.server.SetDisabled(ctx, "", "marco", true) })
	w.do(w.server.SetDisabled(ctx, "", "marco", false))
	end("logout_all by an admin", func() error {
		w.want(w.post("/user/logout_all", `{"user":"marco"}`, bearer(admin)...), http.StatusNoContent, "logout_all")
		return nil
	})
	before := w.login("marco").member(t, "token")
	w.want(w.post("/user/logout_all", `{"user":"admin"}`, bearer(before)...), http.StatusForbidden, "by a user")
	w.do(w.server.RotateKey(ctx, "ats", "", Rotation{}))
	keys, err := w.server.Keys(ctx, "ats", "")
	if err != nil || len(keys) != 2 || keys[0].State != store.KeyActive || keys[1].NotAfter == 0 {
		t.Errorf("keys %+v, %v", keys, err)
	}
	w.wantCheck(before, http.StatusOK, "a token of the old key")
	end("delete", func() error { return w.server.DeleteUser(ctx, "", "marco") })
	if _, err := w.server.User(ctx, "", "marco"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the deleted user: %v", err)
	}
	w.do(w.server.RevokeEverything(ctx))
	w.wantCheck(admin, http.StatusUnauthorized, "after everything was revoked")
}

func TestRevocationsSurviveANewServerOverTheSameFiles(t *testing.T) {
	dir := t.TempDir()
	var raw, good string
	for round := range 2 {
		st, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "store.db")})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, func(c *Config) {
			c.Store, c.MasterKeyFile, c.JWTSecret = st, filepath.Join(dir, "master.key"), token.Secret{}
		})
		if round == 0 {
			w.addUser("marco")
			raw, good = w.login("marco").member(t, "token"), w.login("marco").member(t, "token")
			w.want(w.post("/user/logout", "", bearer(raw)...), http.StatusNoContent, "logout")
		}
		w.wantCheck(raw, http.StatusUnauthorized, fmt.Sprint("the revoked token, round ", round))
		w.wantCheck(good, http.StatusOK, fmt.Sprint("the other token, round ", round))
		w.do(st.Close())
	}
}

func TestManyClientsAtOnceGetWhatOneGets(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		w.addUser(fmt.Sprint("user", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	var run, group sync.WaitGroup
	run.Go(func() { w.server.Run(ctx) })
	for i := range 8 {
		group.Go(func() {
			for range 5 {
				a := w.login(fmt.Sprint("user", i))
				raw := a.member(t, "token")
				w.wantCheck(raw, http.StatusOK, "a token")
				next := w.post("/user/refresh", `{"refresh_token":"`+a.member(t, "refresh_token")+`"}`)
				w.want(next, http.StatusOK, "refresh")
				w.want(w.post("/user/logout", "", bearer(raw)...), http.StatusNoContent, "logout")
				w.wantCheck(next.member(t, "token"), http.StatusUnauthorized, "a token after logout")
			}
		})
	}
	group.Wait()
	stop()
	run.Wait()
}

func TestNewLeavesNoGoroutinesAndRunEndsWithItsContext(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := New(t.Context(), testConfig(memory.New(), &logBuffer{}))
	if err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); s.Run(ctx) }()
	time.Sleep(150 * time.Millisecond)
	stop()
	select {
	case <-over:
	case <-time.After(2 * time.Second):
		t.Fatal("Run goes on")
	}
	goleak.VerifyNone(t, before)
}

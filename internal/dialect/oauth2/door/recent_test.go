package door_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// behind is a store over which others give applications their secrets: what it knows of
// them is from before.
type behind struct {
	store.Store
	mu    sync.Mutex
	known map[string]store.Application
}

func (b *behind) RecentApplication(ctx context.Context, tenant, id string) (store.Application, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a, ok := b.known[id]; ok {
		return a, nil
	}
	a, err := b.Store.Application(ctx, tenant, id)
	if err == nil {
		b.known[id] = a
	}
	return a, err
}

// A server that has not heard of it goes by the secret of before for a second where
// nothing is issued that would outlive the application.
func TestAnApplicationOfAMomentAgoIsEnoughForTokensThatThereAreAndForNoneElse(t *testing.T) {
	w := newWorld(t)
	w.issuer.Store = &behind{Store: w.store, known: map[string]store.Application{}}
	set := w.logIn(web)
	about := func(secret string) answer {
		return w.post("/oauth2/introspect", fields("token", set.text("access_token")), withBasic(web, secret))
	}
	again := func(secret string) answer {
		return w.post("/oauth2/token", fields("grant_type", token.GrantRefreshToken, "refresh_token", set.text("refresh_token")), withBasic(web, secret))
	}
	fresh := func(secret string) answer {
		return w.post("/oauth2/token", fields("grant_type", token.GrantClientCredentials), withBasic(machine, secret))
	}
	want := func(a answer, status int, what string) answer {
		t.Helper()
		if a.status != status {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		return a
	}
	another := func(app string) string {
		secret, err := w.issuer.SetApplicationSecret(t.Context(), store.DefaultTenant, app)
		w.do(err)
		return secret.Reveal()
	}
	old, oldMachine := w.secrets[web], w.secrets[machine]
	want(about(old), 200, "the secret")
	want(fresh(oldMachine), 200, "the secret of a machine")
	secret, machineSecret := another(web), another(machine)
	want(about(secret), 200, "the new secret")
	want(about(old), 200, "the secret of a moment ago")
	want(about("neither"), 401, "a secret that is none")
	set = want(again(old), 200, "a refresh by the secret of a moment ago")
	set = want(again(secret), 200, "a refresh by the new secret")
	want(fresh(oldMachine), 401, "a token by the old secret")
	want(fresh(machineSecret), 200, "a token by the new secret")
	want(w.post("/oauth2/revoke", fields("token", set.text("access_token")), withBasic(web, secret)), 200, "a revocation by the new secret")
}

// A value that is remembered, and of which nobody knows that it is.
type forgetful struct{ *behind }

func (f forgetful) Apply(ctx context.Context, commands ...store.Command) error {
	err := f.behind.Apply(ctx, commands...)
	if _, once := commands[0].(store.Once); once && err == nil {
		err = fmt.Errorf("%w: outcome unknown", store.ErrUnavailable)
	}
	return err
}

func TestWhatTheStoreCannotTellIsNotAskedTwice(t *testing.T) {
	w := newWorld(t)
	w.issuer.Store = forgetful{&behind{Store: w.store, known: map[string]store.Application{}}}
	a := w.post("/oauth2/token", fields("grant_type", token.GrantRefreshToken, "refresh_token", "x"), asserted(w.assertion()))
	if a.status != 503 {
		t.Errorf("an assertion that may have been spent: %d %s", a.status, a.body)
	}
}

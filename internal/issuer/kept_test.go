package issuer_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// keptWorld is a service with a door whose tokens are rows, and a user.
type keptWorld struct {
	*world
	awx *issuer.Door
}

func newKeptWorld(t testing.TB, base *world) *keptWorld {
	t.Helper()
	w := &keptWorld{world: base}
	var err error
	w.awx, err = w.issuer.Door(t.Context(), issuer.DoorConfig{
		Name: "awx", Issuer: "http://127.0.0.1:8081", Format: issuer.FormatAWX(), AccessTTL: 31_536_000_000,
	})
	w.do(err)
	return w
}

func newKept(t testing.TB) *keptWorld {
	w := newKeptWorld(t, newWorld(t))
	w.addUser("bob")
	return w
}

func (w *keptWorld) keep(subject, client, scope string) issuer.Kept {
	w.Helper()
	k, err := w.awx.Keep(w.Context(), w.awx.Tick(), store.AccessToken{Subject: subject, Client: client, Scope: scope}, true)
	w.do(err)
	return k
}

func (w *keptWorld) wantLive(value token.Secret, kind error, what string) {
	w.Helper()
	if _, err := w.awx.Live(w.Context(), value.Reveal()); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestATokenThatIsARowHasAValueOfThirtyLettersAndDigits(t *testing.T) {
	w := newKept(t)
	seen := map[string]bool{}
	for range 50 {
		k := w.keep("bob", "app", "read write")
		for _, value := range []string{k.Access.Reveal(), k.Refresh.Reveal()} {
			if len(value) != 30 || strings.Trim(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" || seen[value] {
				t.Fatalf("value %q", value)
			}
			seen[value] = true
		}
		live, err := w.awx.Live(t.Context(), k.Access.Reveal())
		w.do(err)
		if live.User != "bob" || live.Client != "app" || live.Row.Number != k.Number || live.Row.Scope != "read write" {
			t.Errorf("live %+v", live.Row)
		}
		w.wantLive(k.Refresh, token.ErrUnknown, "a refresh token as access token")
	}
	if k := w.keep("bob", "", "write"); !k.Refresh.IsZero() {
		t.Error("a personal token has a refresh token")
	}
}

func TestAValueThatWasNotMadeHereIsUnknown(t *testing.T) {
	w := newKept(t)
	k := w.keep("bob", "", "write")
	value := k.Access.Reveal()
	for at := range value {
		other := value[:at] + string("01"[(value[at]&1)]) + value[at+1:]
		if other != value {
			w.wantLive(token.NewSecret(other), token.ErrUnknown, "one letter changed")
		}
	}
	for _, odd := range []string{"", "x", value + "0", value[:29], value[:29] + "-", strings.Repeat("z", 30)} {
		w.wantLive(token.NewSecret(odd), token.ErrUnknown, odd)
	}
}

func TestOfParallelRefreshesOfARowOneWinsAndTheFamilyEnds(t *testing.T) {
	for name, base := range map[string]func() *world{
		"memory": func() *world { return newWorld(t) },
		"sqlite": func() *world { return newWorldOver(t, openSQLite(t, sqlitePath(t)), newWorld(t).master, newClock()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newKeptWorld(t, base())
			w.addUser("bob")
			k := w.keep("bob", "app", "read write")
			var wait sync.WaitGroup
			answers := make([]error, 16)
			for n := range answers {
				wait.Go(func() { _, answers[n] = w.awx.KeepAgain(t.Context(), k.Refresh, "app", "") })
			}
			wait.Wait()
			var won int
			for _, err := range answers {
				switch {
				case err == nil:
					won++
				case !errors.Is(err, token.ErrRevoked) && !errors.Is(err, token.ErrUnknown):
					t.Errorf("a refresh that lost: %v", err)
				}
			}
			if won != 1 {
				t.Errorf("%d of 16 won", won)
			}
			n, err := w.hook.CountAccessTokens(t.Context(), store.DefaultTenant, store.AccessTokenFilter{})
			if err != nil || n != 0 {
				t.Errorf("%d tokens are left of the family: %v", n, err)
			}
		})
	}
}

func TestARefreshPutsAnotherRowInThePlaceOfTheOld(t *testing.T) {
	w := newKept(t)
	first := w.keep("bob", "app", "read write")
	second, err := w.awx.KeepAgain(t.Context(), first.Refresh, "app", "read")
	w.do(err)
	if second.Number == first.Number || second.Family != first.Family || second.Generation != 1 || second.Scope != "read" {
		t.Errorf("the next one is %+v", second.AccessToken)
	}
	w.wantLive(first.Access, token.ErrRevoked, "the old access token")
	w.wantLive(second.Access, nil, "the new one")
	if _, err := w.awx.KeepAgain(t.Context(), second.Refresh, "app", "read write"); !errors.Is(err, issuer.ErrScope) {
		t.Errorf("a wider scope: %v", err)
	}
	if _, err := w.awx.KeepAgain(t.Context(), second.Refresh, "other", ""); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("another application: %v", err)
	}
	if _, err := w.awx.KeepAgain(t.Context(), first.Refresh, "app", ""); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("the old refresh token: %v", err)
	}
	w.wantLive(second.Access, token.ErrUnknown, "the new one, after the old refresh token was used again")
}

func TestWhatVoidsAUserOrAnApplicationEndsRows(t *testing.T) {
	w := newKept(t)
	app, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, ID: "app", Name: "app", Grants: []string{token.GrantPassword}})
	w.do(err)
	for name, end := range map[string]func() error{
		"password": func() error {
			return w.issuer.SetPassword(t.Context(), store.DefaultTenant, "bob", token.NewPassword(pass), false)
		},
		"revoke all":  func() error { return w.issuer.RevokeEverything(t.Context()) },
		"application": func() error { return w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, app.ID) },
	} {
		k := w.keep("bob", app.ID, "write")
		w.wantLive(k.Access, nil, name+": before")
		w.do(end())
		w.wantLive(k.Access, token.ErrUnknown, name+": after")
		if n, err := w.hook.CountAccessTokens(t.Context(), store.DefaultTenant, store.AccessTokenFilter{}); n != 0 || err != nil {
			t.Errorf("%s: %d rows are left: %v", name, n, err)
		}
	}
}

func TestATokenThatIsARowIsGoodAtTheOtherDoorsAsFarAsItsScope(t *testing.T) {
	w := newKept(t)
	writes, reads := w.keep("bob", "", "write"), w.keep("bob", "", "read")
	for _, k := range []issuer.Kept{writes, reads} {
		claims, err := w.door.Inspect(t.Context(), k.Access.Reveal())
		w.do(err)
		if claims.Subject() != "bob" {
			t.Errorf("claims %s", claims.Text())
		}
	}
	if err := w.door.RevokeAll(t.Context(), reads.Access.Reveal(), ""); !errors.Is(err, token.ErrDenied) {
		t.Errorf("one that only reads revokes all: %v", err)
	}
	w.do(w.door.Revoke(t.Context(), reads.Access.Reveal()))
	w.wantLive(reads.Access, token.ErrUnknown, "revoked at another door")
	w.do(w.door.RevokeAll(t.Context(), writes.Access.Reveal(), ""))
	w.wantLive(writes.Access, token.ErrUnknown, "after revoke-all at another door")
}

func TestARowIsOverAtItsEnd(t *testing.T) {
	w := newKept(t)
	k := w.keep("bob", "", "write")
	w.clock.move(31_536_000 * 200 * time.Second)
	w.wantLive(k.Access, nil, "after two hundred years")
	if k.ExpiresAt-k.CreatedAt != 31_536_000_000*1_000_000 {
		t.Errorf("it lives for %d", k.ExpiresAt-k.CreatedAt)
	}
}

func TestATokenIsDescribedByWhoHasReadItLast(t *testing.T) {
	w := newKept(t)
	row := w.keep("bob", "", "write").AccessToken
	narrow, describe := row, row
	narrow.Scope, describe.Description = "read", "mine"
	w.do(w.awx.Describe(t.Context(), narrow))
	if err := w.awx.Describe(t.Context(), describe); !errors.Is(err, store.ErrConflict) {
		t.Errorf("what was read before: %v", err)
	}
	now, err := w.issuer.Store.AccessToken(t.Context(), row.Tenant, row.Number)
	if w.do(err); now.Scope != "read" || now.Description != "" || now.UpdatedAt <= row.UpdatedAt {
		t.Errorf("it is %+v", now)
	}
	now.Description = "mine"
	w.do(w.awx.Describe(t.Context(), now))
	w.do(w.awx.EndFamily(t.Context(), row))
	if err := w.awx.Describe(t.Context(), now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a token that is gone: %v", err)
	}
}

func TestARowIsEndedWithItsLoginAndKeepsWhatWasNarrowed(t *testing.T) {
	w := newKept(t)
	k := w.keep("bob", "app", "read write")
	read, err := w.issuer.Store.AccessToken(t.Context(), store.DefaultTenant, k.Number)
	w.do(err)
	// A change that comes between a refresh's look at the row and its write holds.
	w.hook.set(func(h *hooked) {
		change := once(func() {
			narrowed := read
			narrowed.Scope = "read"
			w.do(w.awx.Describe(t.Context(), narrowed))
		})
		h.onApply = func(commands []store.Command) error {
			if _, refresh := commands[0].(store.ReplaceAccessToken); refresh {
				change()
			}
			return nil
		}
	})
	next, err := w.awx.KeepAgain(t.Context(), k.Refresh, "app", "")
	w.do(err)
	if next.Scope != "read" {
		t.Errorf("the refresh has brought back the scope %q", next.Scope)
	}
	// Whoever read the old row ends the new one too.
	w.do(w.awx.EndFamily(t.Context(), read))
	w.wantLive(next.Access, token.ErrUnknown, "the next token of a login that was ended")
}

func TestTheRefreshTokenOfARowThatIsOverCanBeRevoked(t *testing.T) {
	w := newKept(t)
	w.do(w.issuer.SetProperty(t.Context(), store.DefaultTenant, issuer.PropertyAccessExpire, "2"))
	k := w.keep("bob", "app", "write")
	w.clock.move(3 * time.Second)
	w.wantLive(k.Access, token.ErrExpired, "the access token")
	row, err := w.awx.KeptByValue(t.Context(), k.Refresh)
	w.do(err)
	w.do(w.awx.EndFamily(t.Context(), row))
	if _, err := w.awx.KeepAgain(t.Context(), k.Refresh, "app", ""); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("after it was revoked: %v", err)
	}
}

package issuer_test

import (
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) exchange(origin token.Set, client string) token.Set {
	w.Helper()
	live := w.live(origin)
	return w.issue(issuer.Order{Subject: live.Subject(), Client: client, Scope: "read", Origin: live})
}

func TestAnExchangedTokenIsVoidWithTheLoginOfItsOrigin(t *testing.T) {
	ats, w := newDoors(t)
	w.addApplication()
	ctx := t.Context()
	for what, end := range map[string]func(origin token.Set) error{
		"its access token revoked": func(origin token.Set) error { return w.door.Revoke(ctx, origin.AccessToken.Reveal()) },
		"its refresh token revoked": func(origin token.Set) error {
			return w.door.RevokeFor(ctx, "billing", origin.RefreshToken)
		},
		"all of the user's revoked": func(token.Set) error { return w.issuer.RevokeUser(ctx, store.DefaultTenant, "marco") },
		"the application deleted": func(token.Set) error {
			return w.issuer.DeleteApplication(ctx, store.DefaultTenant, "gateway")
		},
	} {
		origin := w.issue(identified())
		other := w.issue(identified())
		if what == "the application deleted" {
			w.addApplication(func(a *store.Application) { a.ID = "gateway" })
		}
		one := w.exchange(origin, "gateway")
		two := w.exchange(one, "gateway")
		keeps := w.exchange(other, "gateway")
		w.wantGood(one, what+": before")
		w.wantGood(two, what+": before, exchanged twice")
		w.do(end(origin))
		w.wantAccess(one, token.ErrRevoked, what)
		w.wantAccess(two, token.ErrRevoked, what+": exchanged twice")
		if what == "its access token revoked" || what == "its refresh token revoked" {
			w.wantGood(keeps, what+": that of another login")
		}
	}
	atsLogin := ats.loginRefresh("marco")
	one := w.exchange(atsLogin, "gateway")
	w.do(ats.door.Revoke(ctx, atsLogin.AccessToken.Reveal()))
	w.wantAccess(one, token.ErrRevoked, "that of an ats login that was revoked")
}

func TestAnExchangedTokenIsVoidWithALoginThatHasNoRefreshToken(t *testing.T) {
	ats, w := newDoors(t)
	for what, origin := range map[string]token.Set{
		"of an application's own": w.issue(issuer.Order{Subject: "billing", Client: "billing"}),
		"of the ats door":         ats.login("marco"),
	} {
		one := w.exchange(origin, "gateway")
		two := w.exchange(one, "another")
		w.wantGood(two, what+": before")
		w.do(w.door.Revoke(t.Context(), origin.AccessToken.Reveal()))
		w.wantAccess(one, token.ErrRevoked, what)
		w.wantAccess(two, token.ErrRevoked, what+": exchanged twice")
	}
}

func TestTheEndOfAnExchangedTokenIsNotTheEndOfItsOrigin(t *testing.T) {
	_, w := newDoors(t)
	origin := w.issue(identified())
	one, twin := w.exchange(origin, "gateway"), w.exchange(origin, "gateway")
	if !w.live(one).IsExchanged() || w.live(origin).IsExchanged() {
		t.Error("it is not told apart from its origin")
	}
	w.do(w.door.RevokeFor(t.Context(), "billing", one.AccessToken))
	w.wantGood(one, "the origin's application is not its own")
	w.do(w.door.RevokeFor(t.Context(), "gateway", one.AccessToken))
	w.wantAccess(one, token.ErrRevoked, "itself")
	w.wantGood(origin, "its origin")
	w.wantGood(twin, "another one of the same origin")
	w.wantGood(w.renewed(origin), "the origin's login, refreshed")
	w.twinOf(w.door).wantAccess(one, token.ErrRevoked, "itself after a new start")
}

func TestAnExchangedTokenIsOverNoLaterThanItsOrigin(t *testing.T) {
	_, w := newDoors(t)
	w.clock.move(time.Second)
	origin := w.issue(identified())
	w.clock.move(500 * time.Second)
	one := w.exchange(origin, "gateway")
	if one.ExpiresIn > 100 || one.ExpiresIn < 99 || one.ExpiresAt.After(origin.ExpiresAt) {
		t.Errorf("it lasts %d s, its origin for another 100", one.ExpiresIn)
	}
	if got, want := part(t, one.AccessToken, 1)["exp"], part(t, origin.AccessToken, 1)["exp"]; got.(float64) > want.(float64) {
		t.Errorf("exp %v, its origin's %v", got, want)
	}
	if !one.RefreshToken.IsZero() {
		t.Error("it has a refresh token")
	}
	w.clock.move(100 * time.Second)
	w.wantAccess(one, token.ErrExpired, "afterwards")
}

package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestRevokeVoidsExactlyThatToken(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.addUser("anna")
	one, two, other := w.login("marco"), w.login("marco"), w.login("anna")
	w.do(w.door.Revoke(t.Context(), one.AccessToken.Reveal()))
	w.wantAccess(one, token.ErrRevoked, "the revoked one")
	w.wantGood(two, "another of the same user")
	w.wantGood(other, "one of another user")
	if err := w.door.Revoke(t.Context(), one.AccessToken.Reveal()); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("once more: %v, want revoked", err)
	}
	for _, raw := range []string{"", "x", "a.b.c", one.AccessToken.Reveal() + "x"} {
		if err := w.door.Revoke(t.Context(), raw); err == nil || errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%.10q: %v", raw, err)
		}
	}
	w.do(w.open())
	w.wantAccess(one, token.ErrRevoked, "after a new start")
	w.wantGood(two, "another after a new start")
}

func TestRevokingTheTokenOfALoginEndsTheLogin(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	first := w.loginRefresh("marco")
	apart := w.loginRefresh("marco")
	second := w.refresh(first)
	w.do(w.door.Revoke(t.Context(), second.AccessToken.Reveal()))
	w.wantAccess(first, token.ErrRevoked, "its first access token")
	w.wantAccess(second, token.ErrRevoked, "its second access token")
	w.wantRefresh(first, token.ErrRevoked, "its first refresh token")
	w.wantRefresh(second, token.ErrRevoked, "its second refresh token")
	w.wantGood(apart, "another login")
	w.refresh(apart)
}

func TestRevokeAllVoidsAllBeforeAndNothingAfterWithinOneMicrosecond(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.addUser("anna")
	other := w.loginRefresh("anna")
	for range 100 {
		before := w.loginRefresh("marco")
		w.do(w.door.RevokeAll(t.Context(), before.AccessToken.Reveal(), ""))
		after := w.loginRefresh("marco")
		w.wantAccess(before, token.ErrRevoked, "the token from before")
		w.wantRefresh(before, token.ErrRevoked, "the refresh token from before")
		w.wantGood(after, "the token from after")
		w.wantGood(w.refresh(after), "the refreshed token from after")
	}
	w.wantGood(other, "the other user's token")
}

func TestRevokeAllKeepsItsOrderAThousandTimesByTheRealClock(t *testing.T) {
	w := newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) { c.Now = nil })
	w.addUser("marco")
	for range 1000 {
		before := w.login("marco")
		w.do(w.door.RevokeAllOf(t.Context(), "marco"))
		after := w.login("marco")
		w.wantAccess(before, token.ErrRevoked, "the token from before")
		w.wantGood(after, "the token from after")
		if t.Failed() {
			return
		}
	}
}

func TestAnAdminVoidsTheTokensOfOthersAndAUserDoesNot(t *testing.T) {
	w := newWorld(t)
	w.addUser("admin", store.RoleAdmin)
	w.addUser("auditor", store.RoleAuditor)
	w.addUser("marco")
	w.addUser("anna")
	admin, auditor, marco, anna := w.login("admin"), w.login("auditor"), w.login("marco"), w.login("anna")
	for what, c := range map[string]struct {
		bearer token.Set
		user   string
	}{"a user": {marco, "anna"}, "an auditor": {auditor, "anna"}, "a user of nobody": {marco, "nobody"}, "an admin of nobody": {admin, "nobody"}} {
		if err := w.door.RevokeAll(t.Context(), c.bearer.AccessToken.Reveal(), c.user); !errors.Is(err, token.ErrDenied) {
			t.Errorf("%s: %v, want denied", what, err)
		}
	}
	w.wantGood(anna, "the token of the one attacked")
	w.do(w.door.RevokeAll(t.Context(), admin.AccessToken.Reveal(), "anna"))
	w.wantAccess(anna, token.ErrRevoked, "the token of the one named")
	w.wantGood(admin, "the admin's own")
	w.wantGood(marco, "a bystander's")
	if err := w.door.RevokeAll(t.Context(), anna.AccessToken.Reveal(), ""); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("by a void token: %v", err)
	}
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "admin", true))
	if err := w.door.RevokeAll(t.Context(), admin.AccessToken.Reveal(), "marco"); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("by a disabled admin: %v", err)
	}
}

func TestTokensOfADeletedUserStayDeadWhenTheNameIsUsedAgain(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	old := w.loginRefresh("marco")
	w.do(w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "marco"))
	w.wantAccess(old, token.ErrRevoked, "the access token")
	w.addUser("marco")
	w.wantAccess(old, token.ErrRevoked, "the access token, with a new user of the name")
	w.wantRefresh(old, token.ErrRevoked, "the refresh token, with a new user of the name")
	w.do(w.open())
	w.wantAccess(old, token.ErrRevoked, "the access token after a new start")
	w.wantGood(w.login("marco"), "the new user's token")
}

func TestRevokeEverythingEndsAccessAndRefreshTokens(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.addUser("anna")
	old := []token.Set{w.loginRefresh("marco"), w.loginRefresh("anna"), w.login("anna")}
	old = append(old, w.refresh(old[0]))
	w.do(w.issuer.RevokeEverything(t.Context()))
	for i, set := range old {
		w.wantAccess(set, token.ErrRevoked, fmt.Sprint("access token ", i))
	}
	w.wantRefresh(old[1], token.ErrRevoked, "a refresh token")
	w.wantRefresh(old[3], token.ErrRevoked, "a refreshed refresh token")
	after := w.loginRefresh("marco")
	w.wantGood(after, "a token from after")
	w.wantGood(w.refresh(after), "a refreshed one from after")
}

func TestAChangeThatDidNotSucceedIsNeverAnsweredAsOneNorHonoured(t *testing.T) {
	w := newWorld(t)
	w.addUser("admin", store.RoleAdmin)
	w.addUser("marco")
	set, plain, admin := w.loginRefresh("marco"), w.login("marco"), w.login("admin")
	ctx := t.Context()
	changes := map[string]func() error{
		"revoke a login":     func() error { return w.door.Revoke(ctx, set.AccessToken.Reveal()) },
		"revoke a token":     func() error { return w.door.Revoke(ctx, plain.AccessToken.Reveal()) },
		"revoke all":         func() error { return w.door.RevokeAll(ctx, plain.AccessToken.Reveal(), "") },
		"revoke all by name": func() error { return w.door.RevokeAll(ctx, admin.AccessToken.Reveal(), "marco") },
		"revoke all of":      func() error { return w.door.RevokeAllOf(ctx, "marco") },
		"revoke everything":  func() error { return w.issuer.RevokeEverything(ctx) },
		"passwd": func() error {
			return w.issuer.SetPassword(ctx, store.DefaultTenant, "marco", token.NewPassword("another"), false)
		},
		"disable": func() error { return w.issuer.SetDisabled(ctx, store.DefaultTenant, "marco", true) },
		"delete":  func() error { return w.issuer.DeleteUser(ctx, store.DefaultTenant, "marco") },
		"refresh": func() error { _, err := w.door.Refresh(ctx, set.RefreshToken, token.Request{}); return err },
		"rotate":  func() error { return w.door.RotateKey(ctx, issuer.Rotation{}) },
		"a login that is kept": func() error {
			_, err := w.door.Login(ctx, credentials("marco", pass), token.Request{Refresh: true})
			return err
		},
	}
	w.hook.set(func(h *hooked) { h.onApply = func([]store.Command) error { return errDown } })
	for name, change := range changes {
		if err := change(); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
		for _, s := range []token.Set{set, plain, admin} {
			w.wantGood(s, "after "+name)
		}
	}
	// The second watermark is part of the answer too.
	for _, name := range []string{"revoke all of", "revoke everything", "passwd"} {
		n := 0
		w.hook.set(func(h *hooked) {
			h.onApply = func([]store.Command) error {
				if n++; n > 1 {
					return errDown
				}
				return nil
			}
		})
		if err := changes[name](); !errors.Is(err, token.ErrUnavailable) || n != 2 {
			t.Errorf("%s, of which half is written: %v after %d", name, err, n)
		}
	}
}

func TestAStaleMirrorAsksTheStoreAndWithoutOneSaysNeitherYesNorNo(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	other := w.twin()
	w.clock.move(time.Millisecond)
	other.do(other.door.Revoke(t.Context(), set.AccessToken.Reveal()))
	w.wantGood(set, "while the mirror is fresh: the bound is StaleAfter")
	w.clock.move(time.Second)
	w.wantAccess(set, token.ErrRevoked, "when it is stale")
	good := w.loginRefresh("marco")
	w.hook.set(func(h *hooked) { h.broken = errDown })
	w.wantGood(good, "a store that is down, a mirror that is fresh")
	w.clock.move(time.Second + time.Microsecond)
	w.wantAccess(good, token.ErrUnavailable, "both down and stale")
	w.wantRefresh(good, token.ErrUnavailable, "a refresh then")
	for what, err := range map[string]error{
		"revoke": w.door.Revoke(t.Context(), good.AccessToken.Reveal()),
		"fresh":  w.issuer.Fresh(t.Context()),
	} {
		if !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.hook.set(func(h *hooked) { h.broken = nil })
	w.wantGood(good, "when the store is back")
}

func TestWhatAnotherProcessRevokesIsHonouredWithinASecond(t *testing.T) {
	path, master := sqlitePath(t), signing.NewMaster()
	realTime := func(c *issuer.Config, _ *issuer.DoorConfig) { c.Now = nil; c.StaleAfter = time.Minute } // only Run looks
	w := newWorldOver(t, openSQLite(t, path), master, newClock(), realTime)
	other := newWorldOver(t, openSQLite(t, path), master, newClock(), realTime)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); w.issuer.Run(ctx) }()
	defer func() { stop(); <-over }()
	for name, revoke := range map[string]func(user string, set token.Set) error{
		"a token": func(_ string, s token.Set) error { return other.door.Revoke(t.Context(), s.AccessToken.Reveal()) },
		"a user":  func(u string, _ token.Set) error { return other.issuer.RevokeUser(t.Context(), store.DefaultTenant, u) },
		"disable": func(u string, _ token.Set) error {
			return other.issuer.SetDisabled(t.Context(), store.DefaultTenant, u, true)
		},
		"everything": func(string, token.Set) error { return other.issuer.RevokeEverything(t.Context()) },
	} {
		other.addUser(name)
		set := w.loginRefresh(name)
		w.wantGood(set, name)
		w.do(revoke(name, set))
		w.wantRefresh(set, token.ErrRevoked, name+": the refresh token at once")
		for began := time.Now(); w.inspect(set) == nil; time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > time.Second {
				t.Fatalf("%s: still honoured after a second", name)
			}
		}
	}
}

func TestWhatIsOverLeavesTheMirrorAndTheStore(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	for range 1100 {
		w.do(w.door.Revoke(t.Context(), w.login("marco").AccessToken.Reveal()))
	}
	set := w.loginRefresh("marco")
	w.do(w.door.Revoke(t.Context(), set.AccessToken.Reveal()))
	count := func() int {
		rows, err := w.hook.Revocations(t.Context(), 0, 10_000)
		w.do(err)
		n := 0
		for _, r := range rows {
			if r.Kind != store.ChangeKeys {
				n++
			}
		}
		return n
	}
	w.issuer.Purge(t.Context())
	if n := count(); n != 1101 {
		t.Fatalf("%d facts before the end of their tokens", n)
	}
	w.clock.move(3 * time.Hour)
	w.issuer.Purge(t.Context())
	if n := count(); n != 0 {
		t.Errorf("%d facts left", n)
	}
	w.wantAccess(set, token.ErrExpired, "the revoked token")
	w.wantRefresh(set, token.ErrUnknown, "its refresh token")
}

package issuer_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestTokensIssuedWhileTheClockStandsStillAreHonoured(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	for range 3 {
		w.wantGood(w.login("marco"), "a token")
	}
}

func TestAClockSetBackDoesNotStopWhatWasIssuedOrIsIssuedNow(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	before := w.login("marco")
	w.clock.move(-time.Hour)
	after := w.login("marco")
	w.wantGood(before, "the token from before")
	w.wantGood(after, "the token from after")
	w.do(w.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco"))
	w.wantAccess(before, token.ErrRevoked, "the token from before, then")
	w.wantAccess(after, token.ErrRevoked, "the token from after, then")
}

func TestAClockSetBackDoesNotMakeAStaleMirrorFresh(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.login("marco")
	w.hook.set(func(h *hooked) { h.broken = errDown })
	w.clock.move(-time.Hour)
	w.wantAccess(set, token.ErrUnavailable, "a token")
}

func TestAClockThatWasAheadForAWhileRevivesNothing(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.login("marco")
	w.do(w.door.Revoke(t.Context(), set.AccessToken.Reveal()))
	w.clock.move(2 * time.Hour)
	w.issuer.Purge(t.Context())
	w.clock.move(-2 * time.Hour)
	if err := w.inspect(set); err == nil {
		t.Error("the revoked token is honoured again")
	}
}

func TestAWatermarkOfAProcessAheadDoesNotVoidWhatIsIssuedAfterIt(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	other := w.twin()
	for range 5 { // the other process is a few instants ahead of the clock
		other.login("marco")
	}
	other.do(other.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco"))
	w.do(w.issuer.Follow(t.Context()))
	w.wantGood(w.login("marco"), "a token issued after")
}

func TestATokenOfAProcessALittleAheadIsHonouredAndOneFarAheadIsNot(t *testing.T) {
	for ahead, want := range map[time.Duration]error{5 * time.Second: nil, time.Hour: token.ErrNotYetValid} {
		w := newWorld(t, withSecret)
		w.addUser("marco")
		faster := newClock()
		faster.move(ahead)
		other := newWorldOver(t, &hooked{Store: w.hook.Store}, w.master, faster, withSecret)
		set := other.login("marco")
		w.wantAccess(token.Set{AccessToken: token.NewSecret(sign(t, seedSecret, strings.Replace(payloadOf(t, set), "marco", "admin", 1)))}, token.ErrNotYetValid, "a forged one")
		w.wantAccess(set, want, ahead.String())
		w.do(w.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco"))
		if want == nil {
			w.wantAccess(set, token.ErrRevoked, "after the slower process has revoked it")
		}
	}
}

func TestLifetimesWithoutMeasureDoNotOverflow(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) {
		d.RefreshTTL, d.RefreshIdle, d.MaxRefreshTTL, d.ReuseGrace = math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64
	}))
	w.addUser("marco")
	set := w.loginFor("marco", token.Request{Refresh: true, TTL: math.MaxInt64, RefreshTTL: math.MaxInt64})
	w.clock.move(24 * time.Hour)
	next := w.refresh(set)
	w.wantGood(next, "the access token")
	w.clock.move(24 * time.Hour)
	if again := w.refresh(set); again.RefreshToken.Reveal() != next.RefreshToken.Reveal() {
		t.Error("another successor within the grace")
	}
}

func TestALifetimeThatMakesNoSenseIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*issuer.DoorConfig){
		"no access lifetime":   func(d *issuer.DoorConfig) { d.AccessTTL = 0 },
		"negative access":      func(d *issuer.DoorConfig) { d.AccessTTL = -1 },
		"negative refresh":     func(d *issuer.DoorConfig) { d.RefreshTTL = -1 },
		"negative idle":        func(d *issuer.DoorConfig) { d.RefreshIdle = -1 },
		"negative max refresh": func(d *issuer.DoorConfig) { d.MaxRefreshTTL = -1 },
		"negative grace":       func(d *issuer.DoorConfig) { d.ReuseGrace = -1 },
	} {
		c := issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600}
		change(&c)
		if _, err := w.issuer.Door(t.Context(), c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAnAccessLifetimeThatWasLoweredHoldsForLoginsThatExist(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	w.do(w.open(doorWith(func(d *issuer.DoorConfig) { d.AccessTTL = 60 })))
	next := w.refresh(set)
	if got := next.ExpiresAt.Sub(w.clock.Now()); got > time.Minute+time.Millisecond {
		t.Errorf("an access token of %s", got)
	}
}

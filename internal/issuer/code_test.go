package issuer_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// code is a login of marco's through the application billing that has been
// allowed.
func (w *world) code(change ...func(*store.Ticket)) token.Secret {
	w.Helper()
	t := store.Ticket{
		Client: "billing", Scope: "read", RedirectURI: "https://billing.example.org/cb", Challenge: "c", Nonce: "n",
		Subject: "marco", AuthAt: w.door.Tick(),
	}
	for _, f := range change {
		f(&t)
	}
	code, err := w.door.NewCode(w.Context(), t)
	w.do(err)
	return code
}

// device is a device that marco has let in.
func (w *world) device() token.Secret {
	w.Helper()
	authAt := w.door.Tick()
	code, t, err := w.door.NewDevice(w.Context(), store.Ticket{Client: "billing", Scope: "read"})
	w.do(err)
	w.do(w.door.Decide(w.Context(), t, true, "marco", "read", authAt))
	return code
}

// redeem trades a code or a device code as the application does.
func (w *world) redeem(code token.Secret, refresh bool) (token.Set, error) {
	at := w.door.Tick()
	find := w.door.Code
	if strings.HasPrefix(code.Reveal(), "ats_dc_") {
		find = w.door.Device
	}
	t, err := find(w.Context(), "billing", code)
	if err != nil {
		return token.Set{}, err
	}
	return w.door.Redeem(w.Context(), at, t, issuer.Order{
		Subject: t.Subject, Client: t.Client, Scope: t.Scope, AuthAt: t.AuthAt, Refresh: refresh,
	})
}

func (w *world) redeemed(code token.Secret) token.Set {
	w.Helper()
	set, err := w.redeem(code, true)
	w.do(err)
	return set
}

func (w *world) wantNotRedeemed(code token.Secret, kind error, what string) {
	w.Helper()
	if set, err := w.redeem(code, true); !errors.Is(err, kind) || !set.AccessToken.IsZero() {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func (w *world) wantRenewal(set token.Set, kind error, what string) {
	w.Helper()
	if _, err := w.door.Renew(w.Context(), set.RefreshToken, issuer.Renewal{Client: "billing"}); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// tickets are both kinds that are traded for a login.
func tickets() map[string]func(*world) token.Secret {
	return map[string]func(*world) token.Secret{
		"code":        func(w *world) token.Secret { return w.code() },
		"device code": (*world).device,
	}
}

func TestACodeIsTradedForTheLoginThatWasAllowed(t *testing.T) {
	_, w := newDoors(t)
	code := w.code()
	if !strings.HasPrefix(code.Reveal(), "ats_ac_") {
		t.Errorf("code %.8s", code.Reveal())
	}
	kept, err := w.door.Code(t.Context(), "billing", code)
	w.do(err)
	if kept.RedirectURI != "https://billing.example.org/cb" || kept.Challenge != "c" || kept.Nonce != "n" || kept.Subject != "marco" || kept.Scope != "read" {
		t.Errorf("kept %+v", kept)
	}
	set := w.redeemed(code)
	w.wantGood(set, "its access token")
	if live := w.live(set); live.Subject() != "marco" || live.Client != "billing" {
		t.Errorf("token of %s for %s", live.Subject(), live.Client)
	}
	if _, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{Client: "billing"}); err != nil {
		t.Errorf("its refresh token: %v", err)
	}
}

func TestACodeIsGoodForAMinuteAndADeviceCodeForTen(t *testing.T) {
	for what, life := range map[string]time.Duration{"code": time.Minute, "device code": 10 * time.Minute} {
		_, w := newDoors(t)
		w.clock.move(time.Second) // ahead of the ticks
		early, late := tickets()[what](w), tickets()[what](w)
		w.clock.move(life - time.Millisecond)
		w.redeemed(early)
		w.clock.move(2 * time.Millisecond)
		w.wantNotRedeemed(late, token.ErrExpired, what+" after its end")
		w.wantNotRedeemed(late, token.ErrExpired, what+" after its end, again")
	}
}

func TestASecondUseEndsTheLoginThatTheFirstOneGave(t *testing.T) {
	for what, made := range tickets() {
		for _, later := range []time.Duration{0, 5 * time.Minute, 23 * time.Hour} {
			_, w := newDoors(t)
			w.addApplication(grants(token.GrantAuthorizationCode, token.GrantDeviceCode, token.GrantRefreshToken))
			code := made(w)
			set := w.redeemed(code)
			next, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{Client: "billing"})
			w.do(err)
			other := w.redeemed(made(w))
			w.clock.move(later)
			w.issuer.Purge(t.Context())
			w.wantNotRedeemed(code, token.ErrRevoked, what+" twice")
			what := fmt.Sprintf("%s after %s", what, later)
			if later < 10*time.Minute {
				w.wantAccess(set, token.ErrRevoked, what+": the first access token")
				w.wantAccess(next, token.ErrRevoked, what+": the refreshed one")
				w.wantGood(other, what+": another login")
			}
			w.wantRenewal(next, token.ErrRevoked, what+": the refresh token")
			w.wantNotRedeemed(code, token.ErrRevoked, what+": a third use")
			if _, err := w.door.Renew(t.Context(), other.RefreshToken, issuer.Renewal{Client: "billing"}); err != nil {
				t.Errorf("%s: another login's refresh token: %v", what, err)
			}
		}
	}
}

func TestASecondUseEndsALoginThatHasNoRefreshToken(t *testing.T) {
	_, w := newDoors(t)
	code := w.code()
	set, err := w.redeem(code, false)
	w.do(err)
	w.wantGood(set, "after the first use")
	w.wantNotRedeemed(code, token.ErrRevoked, "the second use")
	w.wantAccess(set, token.ErrRevoked, "after the second use")
	w.twinOf(w.door).wantAccess(set, token.ErrRevoked, "after a new start")
}

func TestOfManyWhoTradeOneCodeAtOnceOneIsAnsweredAndTheLoginIsOver(t *testing.T) {
	const racers = 64
	stores := map[string]func() *hooked{
		"memory": func() *hooked { return &hooked{Store: memory.New()} },
		"sqlite": func() *hooked { return openSQLite(t, sqlitePath(t)) },
	}
	for name, open := range stores {
		w := newWorldOver(t, open(), signing.NewMaster(), newClock())
		w = w.standard()
		for what, made := range tickets() {
			for _, refresh := range []bool{true, false} {
				code := made(w)
				won := w.race(racers, code, refresh)
				what := fmt.Sprintf("%s, %s, refresh %t", name, what, refresh)
				if len(won) != 1 {
					t.Fatalf("%s: %d were answered, want 1", what, len(won))
				}
				w.wantAccess(won[0], token.ErrRevoked, what+": the access token")
				if refresh {
					w.wantRenewal(won[0], token.ErrRevoked, what+": the refresh token")
				}
			}
		}
	}
}

// race trades one code many times at once, and returns what was answered. All
// others must have been refused for the second use.
func (w *world) race(racers int, code token.Secret, refresh bool) (won []token.Set) {
	w.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range racers {
		group.Go(func() {
			<-start
			set, err := w.redeem(code, refresh)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, set)
			case !errors.Is(err, token.ErrRevoked):
				w.Errorf("a loser: %v, want revoked", err)
			}
		})
	}
	close(start)
	group.Wait()
	return won
}

func TestACodeIsOfOneApplicationOneDoorAndOneKind(t *testing.T) {
	ats, w := newDoors(t)
	code, device := w.code(), w.device()
	for what, find := range map[string]func() error{
		"another application's": func() error { _, err := w.door.Code(t.Context(), "other", code); return err },
		"nobody's":              func() error { _, err := w.door.Code(t.Context(), "", code); return err },
		"a device's":            func() error { _, err := w.door.Device(t.Context(), "billing", code); return err },
		"a code for a device":   func() error { _, err := w.door.Code(t.Context(), "billing", device); return err },
		"a cookie":              func() error { _, err := w.door.Browser(t.Context(), code); return err },
		"a refresh token":       func() error { _, err := w.door.LiveRefresh(t.Context(), code); return err },
		"a relabelled device": func() error {
			_, err := w.door.Code(t.Context(), "billing", token.NewSecret("ats_ac_"+strings.TrimPrefix(device.Reveal(), "ats_dc_")))
			return err
		},
	} {
		if err := find(); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%s: %v, want unknown", what, err)
		}
	}
	if _, err := ats.door.Inspect(t.Context(), code.Reveal()); err == nil {
		t.Error("a code is taken for a token")
	}
	w.redeemed(code)
	w.redeemed(device)
}

func TestACodeHasOneSpelling(t *testing.T) {
	_, w := newDoors(t)
	raw := w.code().Reveal()
	for what, other := range map[string]string{
		"empty": "", "prefix alone": "ats_ac_", "cut": raw[:len(raw)-1], "grown": raw + "A", "padded": raw + "=", "a line": raw + "\n",
		"upper": strings.ToUpper(raw), "no prefix": strings.TrimPrefix(raw, "ats_ac_"), "in front": " " + raw,
		"another letter": raw[:20] + string(raw[20]^1) + raw[21:],
	} {
		if _, err := w.door.Code(t.Context(), "billing", token.NewSecret(other)); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%s: %v, want unknown", what, err)
		}
	}
	w.redeemed(token.NewSecret(raw))
}

// voids are what ends all that marco allowed the application billing.
func voids(w *world) map[string]func() error {
	ctx, tenant := w.Context(), store.DefaultTenant
	return map[string]func() error{
		"revoke-all":          func() error { return w.issuer.RevokeUser(ctx, tenant, "marco") },
		"revoke everything":   func() error { return w.issuer.RevokeEverything(ctx) },
		"another password":    func() error { return w.issuer.SetPassword(ctx, tenant, "marco", token.NewPassword("another"), false) },
		"disabled":            func() error { return w.issuer.SetDisabled(ctx, tenant, "marco", true) },
		"deleted":             func() error { return w.issuer.DeleteUser(ctx, tenant, "marco") },
		"application deleted": func() error { return w.issuer.DeleteApplication(ctx, tenant, "billing") },
	}
}

func TestWhatVoidsAUsersTokensVoidsWhatWasAllowedBefore(t *testing.T) {
	_, probe := newDoors(t)
	for void := range voids(probe) {
		for what, made := range tickets() {
			_, w := newDoors(t)
			w.addApplication(grants(token.GrantAuthorizationCode, token.GrantDeviceCode, token.GrantRefreshToken))
			code := made(w)
			w.clock.move(time.Second)
			w.do(voids(w)[void]())
			w.wantNotRedeemed(code, token.ErrRevoked, what+" after "+void)
			w.twinOf(w.door).wantNotRedeemed(code, token.ErrRevoked, what+" after "+void+", at another process")
			w.redeemed(made(w)) // what is allowed afterwards is good
		}
	}
}

func TestWhatVoidsAUsersTokensWhileACodeIsTradedVoidsWhatItGives(t *testing.T) {
	uses := func(c store.Command) bool { _, is := c.(store.UseTicket); return is }
	_, probe := newDoors(t)
	for void := range voids(probe) {
		_, w := newDoors(t)
		w.addApplication()
		code := w.code()
		w.before(uses, func() { w.do(voids(w)[void]()) })
		set, err := w.redeem(code, true)
		if err != nil {
			continue // refused is as good
		}
		w.wantAccess(set, token.ErrRevoked, void+": the access token")
		w.wantRenewal(set, token.ErrRevoked, void+": the refresh token")
	}
}

// The person was let into the page, then everything was revoked, then the page
// made the code.
func TestACodeOfALoginThatWasRevokedMeanwhileIsVoid(t *testing.T) {
	_, w := newDoors(t)
	for void, f := range voids(w) {
		if void == "application deleted" {
			continue
		}
		authAt := w.door.Tick()
		w.clock.move(time.Second)
		w.do(f())
		code := w.code(func(t *store.Ticket) { t.AuthAt = authAt })
		w.wantNotRedeemed(code, token.ErrRevoked, void)
		if void == "deleted" {
			w.addUser("marco")
		}
	}
}

func TestACodeSurvivesAStoreThatIsDown(t *testing.T) {
	_, w := newDoors(t)
	code := w.code()
	w.hook.set(func(h *hooked) { h.onApply = func([]store.Command) error { return errDown } })
	w.wantNotRedeemed(code, token.ErrUnavailable, "while it cannot be written")
	w.hook.set(func(h *hooked) { h.onApply = nil })
	w.wantGood(w.redeemed(code), "afterwards")
}

func TestWhatMayBeUsedOnceIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	until := w.clock.Now().Add(time.Minute).UnixMicro()
	var first atomic.Int32
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			if err := w.issuer.Once(t.Context(), "proof:a", until); err == nil {
				first.Add(1)
			} else if !errors.Is(err, issuer.ErrReplayed) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if first.Load() != 1 {
		t.Errorf("%d were the first", first.Load())
	}
	if err := w.twin().issuer.Once(t.Context(), "proof:a", until); !errors.Is(err, issuer.ErrReplayed) {
		t.Errorf("at another process: %v", err)
	}
	w.do(w.issuer.Once(t.Context(), "proof:b", until))
	w.hook.set(func(h *hooked) { h.broken = errDown })
	if err := w.issuer.Once(t.Context(), "proof:c", until); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("when nobody can say: %v", err)
	}
}

func TestACodeIsGoodHoweverLongAgoThePersonLoggedIn(t *testing.T) {
	w := newWorld(t).standard(func(c *issuer.DoorConfig) { c.MaxRefreshTTL = 1000 })
	w.addUser("marco")
	authAt := w.door.Tick()
	w.clock.move(7 * time.Hour)
	w.wantGood(w.redeemed(w.code(func(t *store.Ticket) { t.AuthAt = authAt })), "its token")
}

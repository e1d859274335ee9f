package issuer_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func same(a, b token.Set) bool {
	return a.AccessToken.Reveal() == b.AccessToken.Reveal() && a.RefreshToken.Reveal() == b.RefreshToken.Reveal() && a.ExpiresAt.Equal(b.ExpiresAt)
}

func TestARefreshGivesANewPairAndLeavesTheOldAccessToken(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	seen := map[string]bool{}
	set := w.loginRefresh("marco")
	for range 5 {
		if !strings.HasPrefix(set.RefreshToken.Reveal(), "ats_rt_") {
			t.Errorf("refresh token %.7s", set.RefreshToken.Reveal())
		}
		for _, text := range []string{set.AccessToken.Reveal(), set.RefreshToken.Reveal()} {
			if seen[text] {
				t.Error("a token was given twice")
			}
			seen[text] = true
		}
		w.clock.move(time.Minute)
		next := w.refresh(set)
		if got := next.ExpiresAt.Sub(w.clock.Now()); got != time.Hour || next.ExpiresIn != 3600 {
			t.Errorf("the new access token lives %s, %d s", got, next.ExpiresIn)
		}
		w.wantGood(set, "the older access token")
		w.wantGood(next, "the newer access token")
		set = next
	}
}

func TestWithinTheGraceTheVerySamePairIsGivenAgain(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	old := w.loginRefresh("marco")
	w.clock.move(time.Minute)
	next := w.refresh(old)
	for range 3 {
		w.clock.move(10 * time.Second)
		again := w.refresh(old)
		if !same(next, again) {
			t.Error("another pair")
		}
		if left := int64(again.ExpiresAt.Sub(w.clock.Now()) / time.Second); again.ExpiresIn != left {
			t.Errorf("expires in %d s, by the clock %d", again.ExpiresIn, left)
		}
	}
	last := w.refresh(next)
	w.wantGood(last, "the successor's successor")
	w.wantGood(next, "the successor")
}

func TestASecondUseBeyondTheGraceEndsTheLogin(t *testing.T) {
	for name, use := range map[string]func(w *world, first token.Set) (spent token.Set, others []token.Set){
		"after the grace": func(w *world, first token.Set) (token.Set, []token.Set) {
			w.clock.move(time.Second)
			next := w.refresh(first)
			w.clock.move(30*time.Second + time.Microsecond)
			return first, []token.Set{next}
		},
		"once its successor has been used": func(w *world, first token.Set) (token.Set, []token.Set) {
			next := w.refresh(first)
			return first, []token.Set{next, w.refresh(next)}
		},
		"an older one": func(w *world, first token.Set) (token.Set, []token.Set) {
			second := w.refresh(first)
			w.clock.move(time.Hour / 2)
			third := w.refresh(second)
			w.clock.move(time.Minute)
			return first, []token.Set{second, third, w.refresh(third)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			apart := w.loginRefresh("marco")
			spent, others := use(w, w.loginRefresh("marco"))
			w.wantRefresh(spent, token.ErrRevoked, "the spent one")
			for _, set := range append(others, spent) {
				w.wantAccess(set, token.ErrRevoked, "an access token of the login")
				w.wantRefresh(set, token.ErrRevoked, "a refresh token of the login")
			}
			w.wantGood(apart, "another login")
			w.do(w.open())
			w.wantAccess(spent, token.ErrRevoked, "an access token after a new start")
		})
	}
}

func TestALoginEndsWhenItLiesUnusedAndAtItsAbsoluteEnd(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.RefreshIdle, d.RefreshTTL, d.AccessTTL = 60, 150, 100 }))
	w.addUser("marco")
	w.clock.move(time.Second)
	set := w.loginRefresh("marco")
	idle := w.loginRefresh("marco")
	for range 2 {
		w.clock.move(59 * time.Second)
		set = w.refresh(set)
	}
	w.wantRefresh(idle, token.ErrExpired, "the one that lay unused")
	if got := set.ExpiresAt.Sub(w.clock.Now()); got != 32*time.Second {
		t.Errorf("an access token of %s outlives its login, which has 32 s", got)
	}
	w.clock.move(32 * time.Second)
	w.wantRefresh(set, token.ErrExpired, "at the absolute end")
	w.wantAccess(set, token.ErrExpired, "its access token")
}

func TestALoginLivesAsLongAsWasAskedForUpToTheMaximum(t *testing.T) {
	day := int64(86400)
	for name, c := range map[string]struct{ ttl, most, asked, want int64 }{
		"for nothing":                   {10, 0, 0, 10},
		"for more without a maximum":    {10, 0, 20, 20},
		"for more than the maximum":     {10, 15, 20, 15},
		"for less":                      {10, 15, 5, 5},
		"for nothing, without end":      {0, 0, 0, 0},
		"for nothing, with a maximum":   {0, 15, 0, 15},
		"for more than can be counted":  {10, 0, 1 << 62, 0},
		"for that, but with a maximum":  {10, 15, 1 << 62, 15},
		"for nothing, beyond a maximum": {20, 15, 0, 15},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.RefreshTTL, d.MaxRefreshTTL = c.ttl*day, c.most*day }))
			w.addUser("marco")
			w.clock.move(time.Second)
			asked := c.asked
			if asked < 1<<40 {
				asked *= day
			}
			set := w.loginFor("marco", token.Request{Refresh: true, RefreshTTL: asked})
			if c.want == 0 {
				w.clock.move(100 * 365 * 24 * time.Hour)
				w.refresh(set)
				return
			}
			w.clock.move(time.Duration(c.want)*24*time.Hour - time.Second)
			set = w.refresh(set)
			w.clock.move(time.Second)
			w.wantRefresh(set, token.ErrExpired, "at the end")
		})
	}
}

func TestAMaximumHoldsForLoginsThatExist(t *testing.T) {
	for name, ttl := range map[string]int64{"with an end": 86400, "without": 0} {
		w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.RefreshTTL = ttl }))
		w.addUser("marco")
		w.clock.move(time.Second)
		set := w.loginRefresh("marco")
		w.do(w.open(doorWith(func(d *issuer.DoorConfig) { d.RefreshTTL, d.MaxRefreshTTL = ttl, 600 })))
		w.clock.move(599 * time.Second)
		set = w.refresh(set)
		if got := set.ExpiresAt.Sub(w.clock.Now()); got != time.Second {
			t.Errorf("%s: an access token of %s, one second before the end", name, got)
		}
		w.clock.move(time.Second)
		w.wantRefresh(set, token.ErrExpired, name)
	}
}

func TestOfManyWhoRaceOnOneRefreshTokenOneWinsAndAllHaveTheSamePair(t *testing.T) {
	for name, s := range map[string]*hooked{"memory": nil, "sqlite": openSQLite(t, sqlitePath(t))} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if s != nil {
				w = newWorldOver(t, s, signing.NewMaster(), newClock())
			}
			w.addUser("marco")
			twin := w.twin()
			set := w.loginRefresh("marco")
			won := 0
			count := func(commands []store.Command, err error) {
				if _, is := commands[0].(store.RotateSession); is && err == nil {
					won++
				}
			}
			var mu sync.Mutex
			for _, h := range []*hooked{w.hook, twin.hook} {
				h.set(func(h *hooked) {
					h.answered = func(c []store.Command, err error) { mu.Lock(); defer mu.Unlock(); count(c, err) }
				})
			}
			results := make(chan token.Set, 64)
			var group sync.WaitGroup
			for i := range 64 {
				door := []*issuer.Door{w.door, twin.door}[i%2]
				group.Go(func() {
					next, err := door.Refresh(t.Context(), set.RefreshToken, token.Request{})
					if err != nil {
						t.Error(err)
					}
					results <- next
				})
			}
			group.Wait()
			close(results)
			first := <-results
			for other := range results {
				if !same(first, other) {
					t.Error("two different successors")
				}
			}
			if won != 1 {
				t.Errorf("%d rotations", won)
			}
			w.wantGood(w.refresh(first), "the successor's successor")
		})
	}
}

func TestWithoutAGraceOneOfManyRacersHasATokenAndTheLoginIsOver(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.ReuseGrace = 0 }))
	w.addUser("marco")
	set := w.loginRefresh("marco")
	var mu sync.Mutex
	var won []token.Set
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			next, err := w.door.Refresh(t.Context(), set.RefreshToken, token.Request{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, next)
			} else if !errors.Is(err, token.ErrRevoked) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(won) != 1 {
		t.Fatalf("%d winners", len(won))
	}
	w.wantAccess(won[0], token.ErrRevoked, "the winner's token")
}

func TestARefreshTokenIsVoidAfterEveryKindOfRevocation(t *testing.T) {
	for name, revoke := range map[string]func(w *world, set token.Set) error{
		"revoke":     func(w *world, s token.Set) error { return w.door.Revoke(t.Context(), s.AccessToken.Reveal()) },
		"revoke-all": func(w *world, s token.Set) error { return w.door.RevokeAll(t.Context(), s.AccessToken.Reveal(), "") },
		"passwd": func(w *world, _ token.Set) error {
			return w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another"), false)
		},
		"disable": func(w *world, _ token.Set) error {
			return w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "marco", true)
		},
		"delete": func(w *world, _ token.Set) error {
			return w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "marco")
		},
	} {
		w := newWorld(t)
		w.addUser("marco")
		first := w.loginRefresh("marco")
		second := w.refresh(first)
		w.do(revoke(w, second))
		w.wantRefresh(second, token.ErrRevoked, name)
		w.wantRefresh(first, token.ErrRevoked, name+", the one before, within the grace")
		w.do(w.open())
		w.wantRefresh(second, token.ErrRevoked, name+", after a new start")
	}
}

func TestARefreshTokenOfElsewhereOrTamperedWithIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	text := set.RefreshToken.Reveal()
	flip := func(i int) string {
		b := []byte(text)
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		return string(b)
	}
	for _, bad := range []string{
		"", "ats_rt_", text[:len(text)-1], text + "A", text + "\n", text[:20] + "\n" + text[20:], " " + text, text + "=", strings.TrimPrefix(text, "ats_rt_"),
		strings.ToUpper(text), "ats_pat_" + strings.TrimPrefix(text, "ats_rt_"), set.AccessToken.Reveal(), strings.Repeat("A", 1<<20),
	} {
		w.wantRefresh(token.Set{RefreshToken: token.NewSecret(bad)}, token.ErrUnknown, "tampered with")
	}
	for i := range text {
		w.wantRefresh(token.Set{RefreshToken: token.NewSecret(flip(i))}, token.ErrUnknown, "one letter changed")
	}
	elsewhere := newWorld(t)
	elsewhere.wantRefresh(set, token.ErrUnknown, "another store and master key")
	newWorldOver(t, elsewhere.hook, elsewhere.master, elsewhere.clock).wantRefresh(set, token.ErrUnknown, "the same, newly started")
	empty := newWorldOver(t, &hooked{Store: memory.New()}, signing.NewMaster(), w.clock, withSecret)
	empty.wantRefresh(set, token.ErrUnknown, "another master key")
	if _, err := w.door.Inspect(t.Context(), text); !errors.Is(err, token.ErrMalformed) {
		t.Errorf("a refresh token in place of an access token: %v", err)
	}
	w.refresh(set)
}

func TestARefreshTokenIsUnknownAtAnotherDoor(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	other, err := w.issuer.Door(t.Context(), issuer.DoorConfig{Name: "other", Issuer: "ats.auth", AccessTTL: 60})
	w.do(err)
	if _, err := other.Refresh(t.Context(), set.RefreshToken, token.Request{}); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("%v, want unknown", err)
	}
	if _, err := other.Inspect(t.Context(), set.AccessToken.Reveal()); err != nil {
		t.Errorf("an access token is known whatever door it came in by: %v", err)
	}
	w.refresh(set)
}

func FuzzGarbageIsRefusedAndChangesNothing(f *testing.F) {
	w := newWorld(f)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	w.hook.set(func(h *hooked) {
		h.onApply = func([]store.Command) error { f.Error("garbage changed the store"); return nil }
	})
	good := map[string]bool{set.RefreshToken.Reveal(): true, set.AccessToken.Reveal(): true}
	for seed := range good {
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
		f.Add(seed + "\r\n")
	}
	f.Add("ats_rt_" + strings.Repeat("A", 75))
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if good[raw] {
			return
		}
		if _, err := w.door.Refresh(t.Context(), token.NewSecret(raw), token.Request{}); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("refresh: %v", err)
		}
		if _, err := w.door.Inspect(t.Context(), raw); err == nil {
			t.Error("honoured")
		}
		if err := w.door.Revoke(t.Context(), raw); err == nil {
			t.Error("revoked")
		}
	})
}

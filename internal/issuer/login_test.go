package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestALoginGivesATokenWithTheClaimsOfTheOriginalAndAnID(t *testing.T) {
	w := newWorld(t, withSecret)
	for _, name := range []string{"marco", `ma"r\co`, "märco <&> 日本", "a\u2028b"} {
		w.addUser(name)
		w.clock.move(1_234_567 * time.Microsecond)
		set := w.login(name)
		var members map[string]json.RawMessage
		payload := payloadOf(t, set)
		w.do(json.Unmarshal([]byte(payload), &members))
		var sub string
		w.do(json.Unmarshal(members["sub"], &sub))
		if len(members) != 5 || sub != name || string(members["iss"]) != `"ats.auth"` || len(members["jti"]) != 56 {
			t.Errorf("claims %s", payload)
		}
		now := w.clock.Now()
		seconds := func(at time.Time) string { return fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000) }
		if got := string(members["iat"]); got != seconds(now) {
			t.Errorf("iat %s, want %s", got, seconds(now))
		}
		if got, want := string(members["exp"]), seconds(now.Add(time.Hour)); got != want {
			t.Errorf("exp %s, want %s", got, want)
		}
		if set.ExpiresIn != 3600 || !set.ExpiresAt.Equal(now.Add(time.Hour)) || set.TokenType != "Bearer" || !set.RefreshToken.IsZero() {
			t.Errorf("the set is %+v", set)
		}
		w.wantGood(set, name)
	}
}

func TestALifetimeThatIsAskedForIsClampedToTheDoors(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	for asked, want := range map[int64]int64{0: 3600, 1: 1, 60: 60, 3600: 3600, 3601: 3600, 1 << 62: 3600, -5: 3600} {
		w.clock.move(time.Second)
		set := w.loginFor("marco", token.Request{TTL: asked})
		if got := set.ExpiresAt.Sub(w.clock.Now()); got != time.Duration(want)*time.Second || set.ExpiresIn != want {
			t.Errorf("asked for %d s: %s and %d s, want %d", asked, got, set.ExpiresIn, want)
		}
	}
}

func TestATokenIsOverAtTheVeryInstantOfItsExp(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.clock.move(time.Second)
	set := w.login("marco")
	w.clock.move(time.Hour - time.Microsecond)
	w.wantGood(set, "a microsecond before its end")
	w.clock.move(time.Microsecond)
	w.wantAccess(set, token.ErrExpired, "at its end")
}

func TestWrongUserWrongPasswordAndDisabledUserReadTheSameAndCostOneHash(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.addUser("gone")
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "gone", true))
	w.do(w.hook.Apply(t.Context(), store.CreateUser{User: store.User{Tenant: store.DefaultTenant, Name: "nohash"}}))
	w.do(w.hook.Apply(t.Context(), store.CreateUser{User: store.User{Tenant: store.DefaultTenant, Name: "odd", PasswordHash: "$9$odd"}}))
	texts := map[string]bool{}
	for what, c := range map[string]token.Credentials{
		"unknown user":         credentials("nobody", pass),
		"wrong password":       credentials("marco", "wrong"),
		"empty password":       credentials("marco", ""),
		"disabled user":        credentials("gone", pass),
		"disabled and wrong":   credentials("gone", "wrong"),
		"user without a hash":  credentials("nohash", ""),
		"a hash of no format":  credentials("odd", pass),
		"name in other case":   credentials("Marco", pass),
		"password plus a byte": credentials("marco", pass+"\x00"),
		"name of another kind": credentials("marco\x00", pass),
	} {
		before := w.hasher.Stats()
		_, err := w.door.Login(t.Context(), c, token.Request{Source: "192.0.2.1"})
		after := w.hasher.Stats()
		if !errors.Is(err, token.ErrCredentials) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		texts[err.Error()] = true
		if after.Hashes-before.Hashes != 1 || after.Work-before.Work != 64 {
			t.Errorf("%s: %d hashes of %d work", what, after.Hashes-before.Hashes, after.Work-before.Work)
		}
	}
	if len(texts) != 1 {
		t.Errorf("they read differently: %v", texts)
	}
}

func TestAPasswordLongerThanIsHashedReadsTheSameForEverybody(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	for _, name := range []string{"marco", "nobody"} {
		before := w.hasher.Stats().Hashes
		_, err := w.door.Login(t.Context(), credentials(name, strings.Repeat("x", password.MaxLength+1)), token.Request{})
		if err == nil || err.Error() != token.ErrCredentials.Error() || w.hasher.Stats().Hashes != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withAttempts(n int) func(w *world) option {
	return func(w *world) option {
		return func(c *issuer.Config, _ *issuer.DoorConfig) {
			brake, err := throttle.New(throttle.Config{Attempts: n, Window: time.Minute, Now: w.clock.Now})
			if err != nil {
				w.Fatal(err)
			}
			c.Throttle = brake
		}
	}
}

func TestGuessingIsSlowedAlikeForKnownAndUnknownUsers(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.do(w.open(withAttempts(3)(w)))
	answers := map[string][]string{}
	for i, name := range []string{"marco", "nobody"} {
		source := fmt.Sprintf("192.0.2.%d", i)
		for range 5 {
			before := w.hasher.Stats().Hashes
			_, err := w.door.Login(t.Context(), credentials(name, "wrong"), token.Request{Source: source})
			var refusal *token.Refusal
			throttled := errors.Is(err, token.ErrThrottled)
			if throttled && (!errors.As(err, &refusal) || refusal.RetryAfter <= 0 || refusal.RetryAfter > time.Minute) {
				t.Errorf("%s: no time to wait: %#v", name, err)
			}
			if throttled && w.hasher.Stats().Hashes != before {
				t.Error("a throttled try cost a hash")
			}
			answers[name] = append(answers[name], err.Error())
		}
		if _, err := w.door.Login(t.Context(), credentials(name, pass), token.Request{Source: source}); !errors.Is(err, token.ErrThrottled) {
			t.Errorf("%s with the right password: %v, want throttled", name, err)
		}
	}
	if got, want := fmt.Sprint(answers["marco"]), fmt.Sprint(answers["nobody"]); got != want {
		t.Errorf("known %s\nunknown %s", got, want)
	}
	if strings.Count(fmt.Sprint(answers["marco"]), token.ErrThrottled.Error()) != 2 {
		t.Errorf("of five tries with three allowed: %v", answers["marco"])
	}
	if _, err := w.door.Login(t.Context(), credentials("marco", pass), token.Request{Source: "198.51.100.1"}); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	w.clock.move(time.Minute)
	if _, err := w.door.Login(t.Context(), credentials("marco", pass), token.Request{Source: "192.0.2.0"}); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestRightPasswordsAndFailuresOfTheServiceDoNotCount(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.do(w.open(withAttempts(3)(w)))
	for range 20 {
		w.login("marco")
	}
	w.hook.set(func(h *hooked) { h.broken = errDown })
	for range 10 {
		if _, err := w.door.Login(t.Context(), credentials("marco", "wrong"), token.Request{}); !errors.Is(err, token.ErrUnavailable) {
			t.Fatalf("%v, want unavailable", err)
		}
	}
	w.hook.set(func(h *hooked) { h.broken = nil })
	w.login("marco")
}

func TestALoginThatFindsNoRoomToHashIsThrottledAndNotCounted(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	slow, err := password.New(password.Config{Params: password.Params{Memory: 64 << 10, Time: 8}, MaxConcurrent: 1, MaxQueue: 1, MaxWait: time.Millisecond})
	w.do(err)
	w.do(w.open(func(c *issuer.Config, d *issuer.DoorConfig) { c.Hasher = slow; withAttempts(3)(w)(c, d) }))
	held := make(chan struct{})
	go func() { defer close(held); _, _ = slow.Hash(context.Background(), "anything") }()
	for slow.Stats().Running == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 4 {
		_, err = w.door.Login(t.Context(), credentials("marco", pass), token.Request{})
		var refusal *token.Refusal
		if !errors.Is(err, token.ErrThrottled) || !errors.As(err, &refusal) || refusal.RetryAfter < time.Second {
			t.Errorf("%#v, want a throttled one with a time to wait", err)
		}
	}
	<-held
	w.login("marco")
}

func (w *world) giveHash(name, hash string) {
	w.Helper()
	u, err := w.hook.Store.User(w.Context(), store.DefaultTenant, name)
	w.do(err)
	read := u.UpdatedAt
	u.PasswordHash, u.UpdatedAt = hash, read+1
	w.do(w.hook.Store.Apply(w.Context(), store.UpdateUser{User: u, Read: read}))
}

func oldHash(t testing.TB) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(pass), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestAHashOfAnotherKindIsRenewedAtLogin(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.giveHash("marco", oldHash(t))
	first := w.login("marco")
	u, err := w.issuer.User(t.Context(), store.DefaultTenant, "marco")
	w.do(err)
	if !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
		t.Errorf("the hash is still %.7s", u.PasswordHash)
	}
	before := w.hasher.Stats().Hashes
	w.login("marco")
	if got := w.hasher.Stats().Hashes - before; got != 1 {
		t.Errorf("the next login costs %d hashes", got)
	}
	w.wantGood(first, "the token of the login that renewed")
}

func TestARenewedHashCannotUndoWhatHappensMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world) error
		check  func(u store.User) bool
	}{
		"disable": {
			func(w *world) error { return w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "marco", true) },
			func(u store.User) bool { return u.Disabled },
		},
		"passwd": {
			func(w *world) error {
				return w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another"), false)
			},
			func(u store.User) bool { return u.PasswordHash != "" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			w.giveHash("marco", oldHash(t))
			var after store.User
			w.before(updatesUser, func() {
				w.do(c.change(w))
				after, _ = w.issuer.User(t.Context(), store.DefaultTenant, "marco")
			})
			set := w.login("marco")
			u, err := w.issuer.User(t.Context(), store.DefaultTenant, "marco")
			w.do(err)
			if !c.check(u) || u.PasswordHash != after.PasswordHash || u.UpdatedAt != after.UpdatedAt {
				t.Errorf("the renewal has overwritten it: %+v", u)
			}
			w.wantAccess(set, token.ErrRevoked, "the token of the login that overlapped")
		})
	}
}

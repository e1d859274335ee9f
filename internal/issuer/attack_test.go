package issuer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// sign is what whoever was given the secret to verify with can do.
func sign(t testing.TB, secret, payload string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func payloadOf(t testing.TB, set token.Set) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(set.AccessToken.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func claimOf(t testing.TB, set token.Set, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(payloadOf(t, set)), &members); err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(members[name]), `"`)
}

func TestWhoHoldsTheSecretCannotForgeATokenFromTheIDOfAnother(t *testing.T) {
	w := newWorld(t, withSecret)
	w.addUser("mallory")
	w.addUser("admin", store.RoleAdmin)
	own := w.login("mallory")
	payload := payloadOf(t, own)
	id, exp, iat := claimOf(t, own, "jti"), claimOf(t, own, "exp"), claimOf(t, own, "iat")
	if raw := sign(t, seedSecret, payload); raw != own.AccessToken.Reveal() {
		t.Fatal("the test does not sign as the door does")
	}
	change := func(old, new string) string {
		if !strings.Contains(payload, old) {
			t.Fatalf("no %s in %s", old, payload)
		}
		return strings.Replace(payload, old, new, 1)
	}
	last, before := id[len(id)-1:], id[len(id)-2]
	other := map[bool]string{true: "Y", false: "Z"}[before == 'Z']
	for what, forged := range map[string]string{
		"another subject":      change(`"mallory"`, `"admin"`),
		"a later end":          change(exp, "9999999999.000000"),
		"a later end, twice":   change(`,"exp":`+exp, `,"exp":9999999999.000000`),
		"an earlier issue":     change(iat, "1400000000.000000"),
		"one claim more":       change(`,"jti"`, `,"role":"admin","jti"`),
		"one claim behind":     change(`"}`, `","role":"admin"}`),
		"another order":        `{"jti":"` + id + `","iat":` + iat + `,"sub":"mallory","iss":"ats.auth","exp":` + exp + `}`,
		"white space":          change(`,"jti":`, `, "jti":`),
		"an escaped subject":   change(`mallory`, `mallor\u0079`),
		"an id with one other": change(id, id[:len(id)-2]+other+last),
		"no id":                change(`,"jti":"`+id+`"`, ``),
		"a foreign id":         change(id, "7c1c5e1e-6b1f-4a4e-8a11-1d6b8a1f9c3e"),
		"jwtid in place":       change(`"jti"`, `"jwtid"`),
	} {
		claims, err := w.door.Inspect(t.Context(), sign(t, seedSecret, forged))
		if err == nil {
			t.Errorf("%s: honoured as %s", what, claims.Text())
		} else if !errors.Is(err, token.ErrUnknown) && !errors.Is(err, token.ErrClaims) {
			t.Errorf("%s: %v, want unknown", what, err)
		}
	}
}

func TestAnAdminIsNotImpersonatedByWhoHoldsTheSecret(t *testing.T) {
	w := newWorld(t, withSecret)
	w.addUser("admin", store.RoleAdmin)
	w.addUser("mallory")
	w.addUser("victim")
	victim := w.login("victim")
	forged := sign(t, seedSecret, strings.Replace(payloadOf(t, w.login("mallory")), "mallory", "admin", 1))
	if err := w.door.RevokeAll(t.Context(), forged, "victim"); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("%v, want unknown", err)
	}
	w.wantGood(victim, "the victim's token")
}

// before runs attack once, when a change that has such a command has taken its
// instant and is about to be written.
func (w *world) before(is func(store.Command) bool, attack func()) {
	fire := once(attack)
	w.hook.set(func(h *hooked) {
		h.onApply = func(commands []store.Command) error {
			for _, c := range commands {
				if is(c) {
					fire()
				}
			}
			return nil
		}
	})
}

func updatesUser(c store.Command) bool     { _, is := c.(store.UpdateUser); return is }
func deletesUser(c store.Command) bool     { _, is := c.(store.DeleteUser); return is }
func revokesSessions(c store.Command) bool { _, is := c.(store.RevokeSessions); return is }
func revokes(c store.Command) bool         { _, is := c.(store.Revoke); return is }

func TestALoginWithTheOldPasswordThatOverlapsItsChangeIsVoid(t *testing.T) {
	changes := map[string]struct {
		is     func(store.Command) bool
		change func(w *world) error
	}{
		"passwd": {updatesUser, func(w *world) error {
			return w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another"), false)
		}},
		"disable": {updatesUser, func(w *world) error {
			return w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "marco", true)
		}},
		"delete": {deletesUser, func(w *world) error {
			return w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "marco")
		}},
	}
	for name, c := range changes {
		t.Run(name+" after the user was read", func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			w.hook.set(func(h *hooked) { h.onUser = once(func() { w.do(c.change(w)) }) })
			got := w.loginRefresh("marco")
			w.wantAccess(got, token.ErrRevoked, "the access token")
			w.wantRefresh(got, token.ErrRevoked, "the refresh token")
		})
		t.Run(name+" before it is written", func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			var got token.Set
			w.before(c.is, func() { got = w.loginRefresh("marco") })
			w.do(c.change(w))
			w.wantAccess(got, token.ErrRevoked, "the access token")
			w.wantRefresh(got, token.ErrRevoked, "the refresh token")
		})
		t.Run(name+" by another process before it is written", func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			other := w.twin()
			var got token.Set
			other.before(c.is, func() {
				w.clock.move(time.Millisecond)
				got = w.loginRefresh("marco")
				w.clock.move(time.Millisecond)
			})
			other.do(c.change(other))
			w.do(w.issuer.Follow(t.Context()))
			w.wantAccess(got, token.ErrRevoked, "the access token")
			w.wantRefresh(got, token.ErrRevoked, "the refresh token")
		})
	}
}

func TestARefreshThatOverlapsARevocationIsVoidWhenThatIsAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		is     func(store.Command) bool
		revoke func(w *world) error
	}{
		"revoke-all": {revokesSessions, func(w *world) error {
			return w.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco")
		}},
		"everything": {revokes, func(w *world) error { return w.issuer.RevokeEverything(t.Context()) }},
		"passwd": {updatesUser, func(w *world) error {
			return w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another"), false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			old := w.loginRefresh("marco")
			var next token.Set
			w.before(c.is, func() { next = w.refresh(old) })
			w.do(c.revoke(w))
			w.wantAccess(next, token.ErrRevoked, "the access token")
			w.wantRefresh(next, token.ErrRevoked, "the refresh token")
		})
		t.Run(name+" of another process", func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			old := w.loginRefresh("marco")
			other := w.twin()
			var next token.Set
			other.before(c.is, func() {
				w.clock.move(time.Millisecond)
				next = w.refresh(old)
				w.clock.move(time.Millisecond)
			})
			other.do(c.revoke(other))
			w.do(w.issuer.Follow(t.Context()))
			w.wantAccess(next, token.ErrRevoked, "the access token")
			w.wantRefresh(next, token.ErrRevoked, "the refresh token")
		})
	}
}

// The login was refreshed while the revocation was on its way, and is once more
// before that is answered: what counts is when the login began.
func TestARefreshInEveryGapOfARevocationDoesNotCarryALoginPastIt(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	other := w.twin()
	other.hook.set(func(h *hooked) {
		h.onApply = func([]store.Command) error {
			w.clock.move(time.Millisecond)
			if next, err := w.door.Refresh(t.Context(), set.RefreshToken, token.Request{}); err == nil {
				set = next
			}
			w.clock.move(time.Millisecond)
			return nil
		}
	})
	first := set
	w.clock.move(time.Millisecond)
	other.do(other.issuer.RevokeEverything(t.Context()))
	if same(first, set) {
		t.Fatal("it was never refreshed")
	}
	w.do(w.issuer.Follow(t.Context()))
	w.wantAccess(set, token.ErrRevoked, "the last access token")
	w.wantRefresh(set, token.ErrRevoked, "the last refresh token")
}

// A refresh must not carry a login past a revocation that this process has not
// read yet.
func TestARefreshBeforeTheNextPollDoesNotOutliveRevokeEverything(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	old := w.loginRefresh("marco")
	other := w.twin()
	other.do(other.issuer.RevokeEverything(t.Context()))
	w.clock.move(time.Millisecond) // the mirror counts as fresh
	w.wantRefresh(old, token.ErrRevoked, "the refresh token")
}

func TestARefreshTokenAtTheEndOfItsIdleTimeIsExpired(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.RefreshIdle = 60 }))
	w.addUser("marco")
	w.clock.move(time.Second)
	set := w.loginRefresh("marco")
	w.clock.move(60 * time.Second)
	w.wantRefresh(set, token.ErrExpired, "at the very end")
}

func TestWithoutAGraceASecondUseInTheSameMicrosecondIsReuse(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.ReuseGrace = 0 }))
	w.addUser("marco")
	set := w.loginRefresh("marco")
	next := w.refresh(set)
	w.wantRefresh(set, token.ErrRevoked, "the used token")
	w.wantAccess(next, token.ErrRevoked, "the successor's access token")
}

// The end of a login holds for as long as the last access token that was issued
// while it was on its way to the disk.
func TestTheEndOfALoginOutlivesTheTokensIssuedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	old := w.loginRefresh("marco")
	var next token.Set
	w.before(revokesSessions, func() {
		w.clock.move(5 * time.Second)
		next = w.refresh(old)
	})
	w.do(w.door.Revoke(t.Context(), old.AccessToken.Reveal()))
	w.clock.move(time.Hour - 2*time.Second)
	w.issuer.Purge(t.Context())
	w.wantAccess(next, token.ErrRevoked, "three seconds before its end")
}

func TestReadyAndInspectWaitNoLongerThanTheirContext(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.login("marco")
	hung, release := make(chan struct{}), make(chan struct{})
	stop := once(func() { close(hung); <-release })
	w.hook.set(func(h *hooked) { h.onFacts = func(context.Context) error { stop(); return nil } })
	w.clock.move(time.Minute)
	over := make(chan error, 1)
	go func() { over <- w.inspect(set) }()
	select {
	case <-hung:
	case <-time.After(5 * time.Second):
		t.Fatal("a stale mirror did not ask the store")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	answered := make(chan error, 2)
	go func() { answered <- w.issuer.Ready(ctx) }()
	go func() { _, err := w.door.Inspect(ctx, set.AccessToken.Reveal()); answered <- err }()
	for range 2 {
		select {
		case err := <-answered:
			if !errors.Is(err, token.ErrUnavailable) {
				t.Errorf("%v, want unavailable", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("it waits for somebody else's look at the store")
		}
	}
	close(release)
	if err := <-over; err != nil {
		t.Errorf("the one that looked: %v", err)
	}
}

package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// opaqueWorld is a service with a door whose tokens are opaque, and a user.
type opaqueWorld struct {
	*world
	wazo *issuer.Door
	bob  store.User
}

func newOpaque(t testing.TB, base *world) *opaqueWorld {
	t.Helper()
	w := &opaqueWorld{world: base}
	var err error
	w.wazo, err = w.issuer.Door(t.Context(), issuer.DoorConfig{
		Name: "wazo", Issuer: "http://127.0.0.1:9497", Format: issuer.FormatWazo(), AccessTTL: 7200,
	})
	w.do(err)
	u := store.User{Tenant: store.DefaultTenant, Name: "bob", ACL: []string{"confd.users.{{ uuid }}.read", "auth.users.me.sessions.#", "auth.users.me.tokens.#"}}
	if err := w.issuer.AddUser(t.Context(), u, token.NewPassword(pass)); err != nil && !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	w.bob, err = w.issuer.User(t.Context(), store.DefaultTenant, "bob")
	w.do(err)
	return w
}

func (w *opaqueWorld) try(o issuer.OpaqueOrder) (issuer.Opaque, error) {
	o.User, o.Backend = w.bob, w.wazo.Backends()[0]
	return w.wazo.IssueOpaque(w.Context(), w.wazo.Tick(), o)
}

func (w *opaqueWorld) opaque(o issuer.OpaqueOrder) issuer.Opaque {
	w.Helper()
	made, err := w.try(o)
	w.do(err)
	return made
}

func (w *opaqueWorld) wantCheck(made issuer.Opaque, kind error, what string) {
	w.Helper()
	if _, err := w.wazo.Check(w.Context(), made.Access.Reveal()); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestAnOpaqueTokenEndsToTheMicrosecond(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	made := w.opaque(issuer.OpaqueOrder{TTL: 600})
	if made.ExpiresAt != made.CreatedAt+600_000_000 {
		t.Fatalf("from %d to %d", made.CreatedAt, made.ExpiresAt)
	}
	left := time.Duration(made.ExpiresAt-w.clock.Now().UnixMicro()) * time.Microsecond
	w.clock.move(left - time.Microsecond)
	w.wantCheck(made, nil, "a microsecond before the end")
	w.clock.move(time.Microsecond)
	w.wantCheck(made, token.ErrExpired, "at the end")
}

func TestAnOpaqueTokenAllowsWhatItsListSays(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	p, err := w.issuer.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "ops", Templates: []string{"ops.#", "!ops.secret", "{{ nothing }}"}})
	w.do(err)
	w.do(w.issuer.SetRights(t.Context(), store.DefaultTenant, "bob", nil, []string{"ops", "gone"}))
	w.bob, err = w.issuer.User(t.Context(), store.DefaultTenant, "bob")
	w.do(err)
	made := w.opaque(issuer.OpaqueOrder{})
	uuid := w.issuer.UserUUID(w.bob)
	pass, err := w.wazo.Check(t.Context(), made.Access.Reveal())
	w.do(err)
	for access, want := range map[string]bool{
		"confd.users." + uuid + ".read": true, "confd.users.me.read": false, "auth.users.me.sessions.delete": true,
		"auth.users." + uuid + ".sessions.x.delete": true, "ops.reboot": true, "ops.secret": false, "": false, "other": false,
	} {
		if pass.Allows(access) != want {
			t.Errorf("%q: %v", access, !want)
		}
	}
	w.do(w.issuer.DeletePolicy(t.Context(), store.DefaultTenant, p.UUID, 0))
	if pass, err := w.wazo.Check(t.Context(), made.Access.Reveal()); err != nil || !pass.Allows("ops.reboot") {
		t.Error("a token lost what it allows when the policy went:", err)
	}
	pass, err = w.wazo.Check(t.Context(), w.opaque(issuer.OpaqueOrder{}).Access.Reveal())
	if err != nil || pass.Allows("ops.reboot") {
		t.Error("a new token has what the policy allowed that is gone:", err)
	}
}

// TestWhateverEndsAnOpaqueTokenEndsItInEveryProcess looks at tokens that both
// processes remember.
func TestWhateverEndsAnOpaqueTokenEndsItInEveryProcess(t *testing.T) {
	for what, end := range map[string]func(w *opaqueWorld, made issuer.Opaque) error{
		"itself": func(w *opaqueWorld, made issuer.Opaque) error {
			return w.wazo.EndOpaque(w.Context(), made.Access.Reveal())
		},
		"its login": func(w *opaqueWorld, made issuer.Opaque) error {
			return w.door.EndLogin(w.Context(), "bob", made.Accessor)
		},
		"its user": func(w *opaqueWorld, _ issuer.Opaque) error {
			return w.issuer.RevokeUser(w.Context(), store.DefaultTenant, "bob")
		},
		"everything": func(w *opaqueWorld, _ issuer.Opaque) error { return w.issuer.RevokeEverything(w.Context()) },
		"password": func(w *opaqueWorld, _ issuer.Opaque) error {
			return w.issuer.SetPassword(w.Context(), store.DefaultTenant, "bob", token.NewPassword("another one"), false)
		},
		"disabled": func(w *opaqueWorld, _ issuer.Opaque) error {
			return w.issuer.SetDisabled(w.Context(), store.DefaultTenant, "bob", true)
		},
		"deleted": func(w *opaqueWorld, _ issuer.Opaque) error {
			return w.issuer.DeleteUser(w.Context(), store.DefaultTenant, "bob")
		},
		"another door": func(w *opaqueWorld, made issuer.Opaque) error {
			return w.door.Revoke(w.Context(), made.Access.Reveal())
		},
		"the ats door!": func(w *opaqueWorld, made issuer.Opaque) error {
			return w.door.RevokeAll(w.Context(), made.Access.Reveal(), "")
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newOpaque(t, newWorld(t))
			other := newOpaque(t, w.twin())
			made := w.opaque(issuer.OpaqueOrder{Offline: "app"})
			w.wantCheck(made, nil, "before, here")
			other.wantCheck(made, nil, "before, there")
			w.do(end(w, made))
			if _, err := w.wazo.Check(t.Context(), made.Access.Reveal()); err == nil {
				t.Error("it is honoured here")
			}
			w.clock.move(1100 * time.Millisecond)
			if _, err := other.wazo.Check(t.Context(), made.Access.Reveal()); err == nil {
				t.Error("it is honoured there")
			}
			_, err := other.wazo.IssueOpaqueFor(t.Context(), made.Refresh, "app", issuer.OpaqueOrder{})
			stays := what == "itself" || what == "its login" || what == "another door"
			if (err == nil) != stays {
				t.Errorf("its refresh token: %v", err)
			}
		})
	}
}

func TestACheckWritesNothingAndAsksTheStoreOnceInAWhile(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	made := w.opaque(issuer.OpaqueOrder{TTL: 86400})
	w.hook.set(func(h *hooked) { h.onApply = func([]store.Command) error { t.Error("a check wrote"); return nil } })
	w.wantCheck(made, nil, "the first")
	reads := &countedSessions{Store: w.hook.Store}
	w.hook.Store = reads
	for range 100 {
		w.wantCheck(made, nil, "a later one")
	}
	if n := reads.count(); n != 0 {
		t.Errorf("%d reads for 100 checks", n)
	}
	w.clock.move(time.Hour + time.Millisecond)
	w.wantCheck(made, nil, "an hour later")
	if n := reads.count(); n != 1 {
		t.Errorf("%d reads for the check after an hour: a fact that voids it may be gone by then", n)
	}
	w.hook.set(func(h *hooked) { h.onApply = nil })
}

// countedSessions counts how often a session is read.
type countedSessions struct {
	store.Store
	mu sync.Mutex
	n  int
}

func (c *countedSessions) Session(ctx context.Context, id store.ID) (store.Session, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Store.Session(ctx, id)
}

func (c *countedSessions) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestAnOpaqueTokenIsNotHonouredWhileTheStoreIsAwayForTooLong(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	made := w.opaque(issuer.OpaqueOrder{})
	w.wantCheck(made, nil, "before")
	w.hook.set(func(h *hooked) { h.broken = errDown })
	w.wantCheck(made, nil, "within stale_after")
	w.clock.move(1100 * time.Millisecond)
	w.wantCheck(made, token.ErrUnavailable, "afterwards")
}

func TestAUserHasAHundredOpaqueTokensAtATimeAtMost(t *testing.T) {
	w := newOpaque(t, newWorldOver(t, openSQLite(t, sqlitePath(t)), newWorld(t).master, newClock()))
	var list []issuer.Opaque
	for range issuer.MaxOpaque - 1 {
		list = append(list, w.opaque(issuer.OpaqueOrder{TTL: 60}))
	}
	var wait sync.WaitGroup
	answers := make([]error, 16)
	for n := range answers {
		wait.Go(func() { _, answers[n] = w.try(issuer.OpaqueOrder{TTL: 60}) })
	}
	wait.Wait()
	made := 0
	for _, err := range answers {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, issuer.ErrTooMany):
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d of 16 were made where there was room for one", made)
	}
	w.do(w.wazo.EndOpaque(t.Context(), list[0].Access.Reveal()))
	w.opaque(issuer.OpaqueOrder{TTL: 120})
	if _, err := w.try(issuer.OpaqueOrder{}); !errors.Is(err, issuer.ErrTooMany) {
		t.Error("the hundred and first:", err)
	}
	w.clock.move(61 * time.Second)
	w.opaque(issuer.OpaqueOrder{})
	_, total, err := w.wazo.OpaqueSessions(t.Context(), "bob", 0, 10)
	if err != nil || total != 2 {
		t.Errorf("%d sessions when the others are over: %v", total, err)
	}
}

func TestARefreshTokenOfAClientStaysTheSame(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	first, second := w.opaque(issuer.OpaqueOrder{Offline: "app"}), w.opaque(issuer.OpaqueOrder{Offline: "app"})
	other := w.opaque(issuer.OpaqueOrder{Offline: "another"})
	if first.Refresh.Reveal() != second.Refresh.Reveal() || first.Refresh.Reveal() == other.Refresh.Reveal() {
		t.Error("the same client has two refresh tokens, or two have one")
	}
	trade := func(refresh token.Secret, client string) error {
		_, err := w.wazo.IssueOpaqueFor(t.Context(), refresh, client, issuer.OpaqueOrder{})
		return err
	}
	w.do(trade(first.Refresh, "app"))
	if err := trade(first.Refresh, "another"); !errors.Is(err, token.ErrUnknown) {
		t.Error("another client's:", err)
	}
	for _, odd := range []string{"", "x", first.Access.Reveal(), strings.ToUpper(first.Refresh.Reveal())} {
		if err := trade(token.NewSecret(odd), "app"); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%q: %v", odd, err)
		}
	}
	w.do(w.wazo.EndOpaque(t.Context(), first.Access.Reveal()))
	w.do(trade(first.Refresh, "app"))
	w.do(w.wazo.DeleteRefreshToken(t.Context(), "bob", "app"))
	if err := trade(first.Refresh, "app"); !errors.Is(err, token.ErrUnknown) {
		t.Error("deleted:", err)
	}
	w.wantCheck(second, nil, "the access token of a refresh token that is deleted")
	if err := w.wazo.DeleteRefreshToken(t.Context(), "bob", "app"); !errors.Is(err, token.ErrUnknown) {
		t.Error("deleted twice:", err)
	}
	if again := w.opaque(issuer.OpaqueOrder{Offline: "app"}); again.Refresh.Reveal() == first.Refresh.Reveal() {
		t.Error("a deleted refresh token is given again")
	}
}

func TestAMobileClientIsTheOnlyOneAndIsGivenAnotherRefreshToken(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	desk := w.opaque(issuer.OpaqueOrder{Offline: "desk"})
	old := w.opaque(issuer.OpaqueOrder{Offline: "phone", Mobile: true})
	next := w.opaque(issuer.OpaqueOrder{Offline: "phone", Mobile: true})
	tablet := w.opaque(issuer.OpaqueOrder{Offline: "tablet", Mobile: true})
	for _, c := range []struct {
		client  string
		refresh token.Secret
		good    bool
	}{{"desk", desk.Refresh, true}, {"phone", old.Refresh, false}, {"phone", next.Refresh, false}, {"tablet", tablet.Refresh, true}} {
		_, err := w.wazo.IssueOpaqueFor(t.Context(), c.refresh, c.client, issuer.OpaqueOrder{})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.client, err)
		}
	}
}

func TestParallelLoginsOfOneClientHaveOneRefreshToken(t *testing.T) {
	w := newOpaque(t, newWorldOver(t, openSQLite(t, sqlitePath(t)), newWorld(t).master, newClock()))
	var wait sync.WaitGroup
	values := make([]string, 32)
	for n := range values {
		wait.Go(func() {
			made, err := w.try(issuer.OpaqueOrder{Offline: "app"})
			if err != nil {
				t.Error(err)
			}
			values[n] = made.Refresh.Reveal()
		})
	}
	wait.Wait()
	for _, v := range values {
		if v != values[0] {
			t.Fatal("two logins were given two refresh tokens")
		}
	}
	if _, err := w.wazo.IssueOpaqueFor(t.Context(), token.NewSecret(values[0]), "app", issuer.OpaqueOrder{}); err != nil {
		t.Error(err)
	}
}

func TestAnOpaqueTokenActsForItsUserAloneAtOtherDoors(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	w.addUser("alice")
	w.do(w.issuer.SetRights(t.Context(), store.DefaultTenant, "bob", []string{"#"}, nil))
	narrow := w.opaque(issuer.OpaqueOrder{})
	var err error
	w.bob, err = w.issuer.User(t.Context(), store.DefaultTenant, "bob")
	w.do(err)
	wide := w.opaque(issuer.OpaqueOrder{})
	live, err := w.door.Live(t.Context(), wide.Access.Reveal())
	if err != nil || live.User != "bob" || live.Door != w.wazo || live.Expiry != wide.ExpiresAt {
		t.Fatalf("at another door: %+v, %v", live, err)
	}
	if scope, ok := live.String("scope"); ok {
		t.Errorf("scope %q", scope)
	}
	if list, _ := live.Strings("acl"); len(list) != 1 || list[0] != "#" {
		t.Errorf("acl %q", list)
	}
	if err := w.door.RevokeAll(t.Context(), wide.Access.Reveal(), "alice"); !errors.Is(err, token.ErrDenied) {
		t.Error("for another user:", err)
	}
	w.do(w.issuer.SetRights(t.Context(), store.DefaultTenant, "bob", []string{}, nil))
	w.bob, err = w.issuer.User(t.Context(), store.DefaultTenant, "bob")
	w.do(err)
	none := w.opaque(issuer.OpaqueOrder{})
	if err := w.door.RevokeAll(t.Context(), none.Access.Reveal(), ""); !errors.Is(err, token.ErrDenied) {
		t.Error("without the access:", err)
	}
	w.do(w.door.RevokeAll(t.Context(), narrow.Access.Reveal(), ""))
	for _, made := range []issuer.Opaque{narrow, wide, none} {
		w.wantCheck(made, token.ErrRevoked, "all of them")
	}
}

func TestWhatIsRememberedOfOpaqueTokensIsBounded(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	issuer.FillPasses(w.issuer, 3<<20, w.clock.Now())
	if n := issuer.CountPasses(w.issuer); n > 2<<20 {
		t.Errorf("%d tokens are remembered", n)
	}
	w.wantCheck(w.opaque(issuer.OpaqueOrder{}), nil, "a token among so many")
}

func TestARevocationOfEverythingMakesRoomAgain(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	for range issuer.MaxOpaque {
		w.opaque(issuer.OpaqueOrder{TTL: 315360000})
	}
	w.do(w.issuer.RevokeEverything(t.Context()))
	if _, total, err := w.wazo.OpaqueSessions(t.Context(), "bob", 0, 1000); err != nil || total != 0 {
		t.Errorf("%d sessions are listed: %v", total, err)
	}
	w.opaque(issuer.OpaqueOrder{})
}

// TestARevocationHoldsThoughClocksDiffer looks at tokens that are remembered, of a
// process that is ahead and of one whose clock was set back.
func TestARevocationHoldsThoughClocksDiffer(t *testing.T) {
	for what, end := range map[string]func(w *world) error{
		"disable":      func(w *world) error { return w.issuer.SetDisabled(w.Context(), store.DefaultTenant, "bob", true) },
		"delete":       func(w *world) error { return w.issuer.DeleteUser(w.Context(), store.DefaultTenant, "bob") },
		"revoke":       func(w *world) error { return w.issuer.RevokeUser(w.Context(), store.DefaultTenant, "bob") },
		"revoke --all": func(w *world) error { return w.issuer.RevokeEverything(w.Context()) },
	} {
		w := newOpaque(t, newWorld(t))
		w.clock.move(time.Hour)
		w.do(w.issuer.Follow(t.Context()))
		made := w.opaque(issuer.OpaqueOrder{})
		w.wantCheck(made, nil, "fresh")
		w.clock.move(-time.Second)
		w.do(end(w.twin()))
		w.clock.move(4 * time.Second)
		if _, err := w.wazo.Check(t.Context(), made.Access.Reveal()); err == nil {
			t.Errorf("%s after the clock was set back: honoured", what)
		}

		w = newOpaque(t, newWorld(t))
		faster := newClock()
		faster.move(5 * time.Second)
		made = newOpaque(t, newWorldOver(t, &hooked{Store: w.hook.Store}, w.master, faster)).opaque(issuer.OpaqueOrder{})
		w.wantCheck(made, nil, "of the faster one")
		w.do(end(w.world))
		if _, err := w.wazo.Check(t.Context(), made.Access.Reveal()); err == nil {
			t.Errorf("%s of what a faster process made: honoured", what)
		}
	}
}

func TestALoginThatRacesItsUsersEndLeavesNothingThatCounts(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	at := w.wazo.Tick()
	w.do(w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "bob"))
	for range issuer.MaxOpaque {
		_, err := w.wazo.IssueOpaque(t.Context(), at, issuer.OpaqueOrder{User: w.bob, Backend: w.wazo.Backends()[0], TTL: 315360000})
		w.do(err)
	}
	w.do(w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: "bob"}, token.NewPassword(pass)))
	w.bob = w.user("bob")
	w.opaque(issuer.OpaqueOrder{})
}

func TestAUserHasRefreshTokensOfAHundredClientsAtMost(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	for n := range issuer.MaxOpaque {
		w.opaque(issuer.OpaqueOrder{Offline: fmt.Sprint("app", n), TTL: 1})
		w.clock.move(time.Second)
	}
	if _, err := w.try(issuer.OpaqueOrder{Offline: "one more"}); !errors.Is(err, issuer.ErrTooMany) {
		t.Error("the hundred and first client:", err)
	}
	w.opaque(issuer.OpaqueOrder{Offline: "app7"})
	w.opaque(issuer.OpaqueOrder{Offline: "app8", Mobile: true})
}

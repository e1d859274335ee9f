package issuer_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// family is what the promise of refresh tokens speaks of: one login.
type family struct {
	counter   int64
	revoked   bool
	rotatedAt int64  // microseconds
	successor string // identity of the access token that the last rotation gave
	granted   int    // uses that gave something
}

// use is one operation on a family.
type use struct {
	revoke bool
	family int
	number int64 // of the refresh token
	at     int64 // by the clock, which stands still while uses are under way
	// granted is how many uses of the family gave something in the end. When it is
	// revoked it must have been that many, since none comes after: without that
	// knowledge a checker tries all orders of those who were refused.
	granted int
}

// given is what a use was answered.
type given struct {
	refused   bool
	number    int64
	successor string
}

// step is the promise: a refresh token works once; within the grace it gives the
// very same successor again; any other use of an old one ends the family.
func (f family) step(u use, g given, grace int64) (bool, family) {
	again := u.number == f.counter-1 && grace > 0 && u.at-f.rotatedAt <= grace*1_000_000
	switch {
	case f.revoked:
		return u.revoke || g.refused, f
	case !u.revoke && u.number == f.counter:
		f.counter, f.rotatedAt, f.successor, f.granted = f.counter+1, u.at, g.successor, f.granted+1
		return !g.refused && g.number == f.counter, f
	case !u.revoke && again:
		f.granted++
		return !g.refused && g.number == f.counter && g.successor == f.successor, f
	}
	f.revoked = true
	return (u.revoke || g.refused) && f.granted == u.granted, f
}

func promise(grace int64) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[int][]porcupine.Operation{}
			for _, o := range history {
				n := o.Input.(use).family
				parts[n] = append(parts[n], o)
			}
			var list [][]porcupine.Operation
			for _, p := range parts {
				list = append(list, p)
			}
			return list
		},
		Init: func() any { return family{} },
		Step: func(state, input, output any) (bool, any) {
			return state.(family).step(input.(use), output.(given), grace)
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
}

// history is what was done and answered, and when.
type history struct {
	*world
	grace  int64
	mu     sync.Mutex
	began  time.Time
	ops    []porcupine.Operation
	tokens [][]token.Secret // of each family, by number
	access []token.Set      // that each family was given
}

func newHistory(t testing.TB, s *hooked, grace int64) *history {
	t.Helper()
	w := newWorldOver(t, s, signing.NewMaster(), newClock())
	return &history{world: w.standard(func(c *issuer.DoorConfig) { c.ReuseGrace = grace }), grace: grace, began: time.Now()}
}

// login begins a family.
func (h *history) login() (family int) {
	h.Helper()
	set := h.issue(identified())
	h.tokens = append(h.tokens, []token.Secret{set.RefreshToken})
	h.access = append(h.access, set)
	return len(h.tokens) - 1
}

// newest is the latest refresh token of a family, old the one before.
func (h *history) newest(family int) token.Secret { return h.tokens[family][len(h.tokens[family])-1] }

func (h *history) old(family int) token.Secret { return h.tokens[family][len(h.tokens[family])-2] }

// act does one operation, and notes it.
func (h *history) act(client, family int, raw token.Secret, revoke bool) given {
	u := use{revoke: revoke, family: family, number: numberOf(h, raw), at: h.clock.Now().UnixMicro()}
	called := time.Since(h.began)
	g, set, err := h.answer(u, raw)
	returned := time.Since(h.began)
	if err != nil {
		h.Errorf("%+v: %v", u, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: u, Call: int64(called), Output: g, Return: int64(returned)})
	if g.number == int64(len(h.tokens[family])) {
		h.tokens[family] = append(h.tokens[family], set.RefreshToken)
		h.access[family] = set
	}
	return g
}

func (h *history) answer(u use, raw token.Secret) (given, token.Set, error) {
	if u.revoke {
		return given{}, token.Set{}, h.door.RevokeFor(h.Context(), "billing", raw)
	}
	set, err := h.door.Renew(h.Context(), raw, issuer.Renewal{Client: "billing"})
	if errors.Is(err, token.ErrRevoked) {
		return given{refused: true}, set, nil
	}
	if err != nil {
		return given{refused: true}, set, err
	}
	claims := part(h, set.AccessToken, 1)
	return given{number: numberOf(h, set.RefreshToken), successor: fmt.Sprint(claims["jti"], claims["iat"], claims["exp"])}, set, nil
}

func numberOf(t testing.TB, refresh token.Secret) int64 {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(refresh.Reveal(), "ats_rt_"))
	if err != nil || len(b) != 56 {
		t.Errorf("refresh token %.7s: %v", refresh.Reveal(), err)
		return -1
	}
	return int64(binary.BigEndian.Uint64(b[16:]))
}

// race lets many do something with one refresh token at once, and returns what
// those were given that were not refused.
func (h *history) race(family, racers int, raw token.Secret, revokes func(i int) bool) (won []given) {
	var group sync.WaitGroup
	start := make(chan struct{})
	answers := make([]given, racers)
	for i := range racers {
		group.Go(func() {
			<-start
			answers[i] = h.act(i, family, raw, revokes(i))
		})
	}
	close(start)
	group.Wait()
	for _, g := range answers {
		if !g.refused && g.successor != "" {
			won = append(won, g)
		}
	}
	return won
}

func never(int) bool { return false }

// check holds the history against the promise.
func (h *history) check() porcupine.CheckResult {
	granted := make([]int, len(h.tokens))
	for _, o := range h.ops {
		if o.Output.(given).successor != "" {
			granted[o.Input.(use).family]++
		}
	}
	for i, o := range h.ops {
		u := o.Input.(use)
		u.granted = granted[u.family]
		h.ops[i].Input = u
	}
	return porcupine.CheckOperationsTimeout(promise(h.grace), h.ops, 20*time.Second)
}

func (h *history) wantPromise() {
	h.Helper()
	took := time.Since(h.began)
	if got := h.check(); got != porcupine.Ok {
		h.Errorf("%d operations: the history is %s", len(h.ops), got)
	}
	h.Logf("%d operations in %s, checked in %s", len(h.ops), took, time.Since(h.began)-took)
}

// wantDead holds a family against its end.
func (h *history) wantDead(family int, what string) {
	h.Helper()
	for _, raw := range h.tokens[family] {
		h.wantRenewal(token.Set{RefreshToken: raw}, token.ErrRevoked, what+": a refresh token")
	}
	h.wantAccess(h.access[family], token.ErrRevoked, what+": the access token")
}

const racers = 64

func TestWithinTheGraceAllUsesOfARefreshTokenGiveTheSameSuccessor(t *testing.T) {
	const grace, families, generations = 30, 8, 8
	h := newHistory(t, openSQLite(t, sqlitePath(t)), grace)
	for n := range families {
		h.login()
		for generation := range generations {
			won := h.race(n, racers, h.newest(n), never)
			if len(won) != racers {
				t.Fatalf("%d of %d were given a successor", len(won), racers)
			}
			for _, g := range won {
				if g != won[0] || g.number != int64(generation)+1 {
					t.Fatalf("given %+v and %+v", won[0], g)
				}
			}
			h.wantGood(h.access[n], "the successor's access token")
		}
		if n%2 == 0 { // somebody comes late, or with one from long before
			h.clock.move((grace + 1) * time.Second)
			h.race(n, racers, h.old(n), never)
		} else {
			h.race(n, racers, h.tokens[n][0], never)
		}
		h.wantDead(n, "after a use too many")
	}
	h.wantPromise()
}

func TestWithoutAGraceOneUseOfARefreshTokenWinsAndTheOthersEndTheLogin(t *testing.T) {
	const families = 64
	h := newHistory(t, openSQLite(t, sqlitePath(t)), 0)
	for n := range families {
		h.login()
		h.act(0, n, h.newest(n), false) // alone nothing happens
		h.wantGood(h.access[n], "refreshed once")
		won := h.race(n, racers, h.newest(n), never)
		if len(won) != 1 || won[0].number != 2 {
			t.Fatalf("%d were given a successor, want 1", len(won))
		}
		h.wantDead(n, "after the race")
	}
	h.wantPromise()
}

func TestARefreshAndARevocationThatRaceAgreeOnWhoWasFirst(t *testing.T) {
	for _, grace := range []int64{0, 30} {
		h := newHistory(t, openSQLite(t, sqlitePath(t)), grace)
		for n := range 24 {
			h.login()
			chance := rand.IntN(racers)
			for range 2 {
				h.race(n, racers, h.newest(n), func(i int) bool { return i == chance })
			}
			h.wantDead(n, "after a revocation")
		}
		h.wantPromise()
	}
}

func TestAnyMixtureOfUsesKeepsThePromise(t *testing.T) {
	for _, grace := range []int64{0, 30} {
		h := newHistory(t, openSQLite(t, sqlitePath(t)), grace)
		for n := range 40 {
			h.login()
			var group sync.WaitGroup
			for client := range 8 {
				group.Go(func() {
					for range 4 {
						h.mu.Lock()
						known := h.tokens[n]
						raw := known[max(0, len(known)-1-rand.IntN(3)/2*rand.IntN(2))]
						h.mu.Unlock()
						h.act(client, n, raw, rand.IntN(20) == 0)
					}
				})
			}
			group.Wait()
		}
		h.wantPromise()
	}
}

// A checker that finds nothing wrong with a store that rotates twice would be
// worth nothing.
func TestABrokenCompareAndSetIsFoundOut(t *testing.T) {
	const racers = 4
	s := openSQLite(t, sqlitePath(t))
	h := newHistory(t, s, 30)
	h.login()
	var arrived sync.WaitGroup // all have read the login before one changes it
	arrived.Add(racers)
	var turn sync.Mutex
	s.set(func(s *hooked) {
		s.onApply = func(commands []store.Command) error {
			r, is := commands[0].(store.RotateSession)
			if !is {
				return nil
			}
			arrived.Done()
			arrived.Wait()
			turn.Lock()
			row, err := s.Store.Session(t.Context(), r.ID)
			r.From = row.Counter // whatever it is by now
			commands[0] = r
			return err
		}
		s.answered = func(commands []store.Command, _ error) {
			if _, is := commands[0].(store.RotateSession); is {
				turn.Unlock()
			}
		}
	})
	won := h.race(0, racers, h.newest(0), never)
	if got := h.check(); got != porcupine.Illegal {
		t.Errorf("the history of %d who won is %s", len(won), got)
	}
}

func TestTheCheckerKnowsWhatThePromiseForbids(t *testing.T) {
	renew := func(number int64, g given) porcupine.Operation {
		return porcupine.Operation{Input: use{number: number}, Output: g}
	}
	first, second := given{number: 1, successor: "a"}, given{number: 1, successor: "b"}
	no, revoke := given{refused: true}, porcupine.Operation{Input: use{revoke: true}, Output: given{}}
	for what, c := range map[string]struct {
		grace int64
		ops   []porcupine.Operation
		want  porcupine.CheckResult
	}{
		"the same successor again":      {30, []porcupine.Operation{renew(0, first), renew(0, first)}, porcupine.Ok},
		"another successor":             {30, []porcupine.Operation{renew(0, first), renew(0, second)}, porcupine.Illegal},
		"two winners":                   {0, []porcupine.Operation{renew(0, first), renew(0, first)}, porcupine.Illegal},
		"a reuse that ends it":          {0, []porcupine.Operation{renew(0, first), renew(0, no), renew(1, no)}, porcupine.Ok},
		"a reuse that ends nothing":     {0, []porcupine.Operation{renew(0, first), renew(0, no), renew(1, given{number: 2, successor: "c"})}, porcupine.Illegal},
		"refused for nothing":           {30, []porcupine.Operation{renew(0, no)}, porcupine.Illegal},
		"refused within the grace":      {30, []porcupine.Operation{renew(0, first), renew(0, no)}, porcupine.Illegal},
		"refused after a revocation":    {30, []porcupine.Operation{renew(0, first), revoke, renew(1, no), renew(0, no)}, porcupine.Ok},
		"a winner after a revocation":   {30, []porcupine.Operation{revoke, renew(0, first)}, porcupine.Illegal},
		"once more after a revocation":  {30, []porcupine.Operation{renew(0, first), revoke, renew(0, first)}, porcupine.Illegal},
		"a number that does not follow": {30, []porcupine.Operation{renew(0, given{number: 2, successor: "a"})}, porcupine.Illegal},
	} {
		h := &history{world: &world{TB: t}, grace: c.grace, tokens: make([][]token.Secret, 1), ops: c.ops}
		for i := range h.ops { // one after the other
			h.ops[i].Call, h.ops[i].Return = int64(2*i), int64(2*i+1)
		}
		if got := h.check(); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

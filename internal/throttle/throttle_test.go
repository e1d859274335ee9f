package throttle

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a hand-set clock.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func newThrottle(t testing.TB, c Config) (*Throttle, *clock) {
	t.Helper()
	hand := newClock()
	if c.Now == nil {
		c.Now = hand.Now
	}
	th, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return th, hand
}

// fail makes wrong tries until one is refused, at most limit, and counts them.
func fail(th *Throttle, user, source string, limit int) int {
	for n := range limit {
		if _, ok := th.Allow(user, source); !ok {
			return n
		}
		th.Failure(user, source)
	}
	return limit
}

const home, office = "192.0.2.1", "198.51.100.7"

func TestAfterAttemptsFailuresAPairIsRefusedUntilOneIsForgiven(t *testing.T) {
	th, clock := newThrottle(t, Config{})
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Fatalf("%d wrong tries passed, want 10", n)
	}
	retryAfter, ok := th.Allow("alice", home)
	if ok || retryAfter != 30*time.Second {
		t.Fatalf("Allow = %v, %v, want a tenth of 5 minutes", retryAfter, ok)
	}
	clock.advance(retryAfter - 1)
	if left, ok := th.Allow("alice", home); ok || left != 1 {
		t.Errorf("a nanosecond early: %v, %v", left, ok)
	}
	clock.advance(1)
	if n := fail(th, "alice", home, 50); n != 1 {
		t.Errorf("%d tries passed after %v, want 1", n, retryAfter)
	}
	clock.advance(5 * time.Minute)
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Errorf("%d tries passed after the whole window, want 10", n)
	}
}

func TestTheStrictPresetHolds(t *testing.T) {
	th, _ := newThrottle(t, Config{Attempts: 5, Window: 15 * time.Minute})
	if n := fail(th, "alice", home, 50); n != 5 {
		t.Errorf("%d wrong tries passed", n)
	}
	if retryAfter, _ := th.Allow("alice", home); retryAfter != 3*time.Minute {
		t.Errorf("retry after %v", retryAfter)
	}
}

func TestRightPasswordsAreNeverSlowedByTheirNumber(t *testing.T) {
	th, _ := newThrottle(t, Config{})
	for i := range 100_000 {
		if _, ok := th.Allow("alice", home); !ok {
			t.Fatalf("login %d refused", i)
		}
		th.Success("alice", home)
	}
	if s := th.Stats(); s != (Stats{}) {
		t.Errorf("something is remembered: %+v", s)
	}
}

func TestASuccessForgivesThePairButNotTheSource(t *testing.T) {
	th, _ := newThrottle(t, Config{})
	guesses := 0
	// Somebody with a password of his own logs in between his guesses.
	for round := range 100 {
		guesses += fail(th, "victim"+strconv.Itoa(round), home, 9)
		if _, ok := th.Allow("mallory", home); ok {
			th.Success("mallory", home)
		}
	}
	if guesses != 100 {
		t.Errorf("%d guesses from one source, want 100", guesses)
	}

	th, _ = newThrottle(t, Config{})
	fail(th, "alice", home, 9)
	th.Allow("alice", home)
	th.Success("alice", home)
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Errorf("%d tries after the right password, want 10", n)
	}
}

func TestATryThatWasNotJudgedDoesNotCount(t *testing.T) {
	th, clock := newThrottle(t, Config{})
	for range 1000 {
		if _, ok := th.Allow("alice", home); !ok {
			t.Fatal("refused")
		}
		clock.advance(time.Millisecond)
		th.Release("alice", home)
	}
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Errorf("%d wrong tries passed, want 10", n)
	}
}

func TestATryThatNobodyReportsCountsAsAFailureAndIsForgiven(t *testing.T) {
	th, clock := newThrottle(t, Config{})
	for range 10 {
		th.Allow("alice", home)
	}
	if _, ok := th.Allow("alice", home); ok {
		t.Error("the eleventh passed")
	}
	clock.advance(5 * time.Minute)
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Errorf("%d tries after the window, want 10", n)
	}
}

func TestAUserIsNeverLockedOutForOtherSources(t *testing.T) {
	th, _ := newThrottle(t, Config{})
	fail(th, "alice", home, 1000)
	for i := range 5000 {
		fail(th, "alice", fmt.Sprint("203.0.113.", i), 1000)
	}
	if _, ok := th.Allow("alice", office); !ok {
		t.Error("alice is locked out at the office")
	}
}

func TestASourceIsSlowedOverAllUsersAndNoOtherSourceWithIt(t *testing.T) {
	th, _ := newThrottle(t, Config{})
	passed := 0
	for i := range 5000 {
		passed += fail(th, "user"+strconv.Itoa(i), home, 1)
	}
	if passed != 100 {
		t.Errorf("%d wrong tries from one source, want 100", passed)
	}
	if retryAfter, _ := th.Allow("alice", home); retryAfter != 3*time.Second {
		t.Errorf("retry after %v", retryAfter)
	}
	if _, ok := th.Allow("user1", office); !ok {
		t.Error("another source is refused")
	}
	if s := th.Stats(); s.Pairs > 101 {
		t.Errorf("%d pairs are remembered of one source", s.Pairs)
	}
}

func TestTheGlobalBrakeSparesSourcesWithoutAFailure(t *testing.T) {
	th, clock := newThrottle(t, Config{GlobalFactor: 20}) // 200 failures a window
	for i := range 200 {
		if n := fail(th, "user", "source"+strconv.Itoa(i), 1); n != 1 {
			t.Fatalf("source %d refused before the brake", i)
		}
	}
	if retryAfter, ok := th.Allow("other", "source7"); ok || retryAfter != 1500*time.Millisecond {
		t.Errorf("a source with a failure: %v, %v", retryAfter, ok)
	}
	if _, ok := th.Allow("alice", office); !ok {
		t.Error("a source without a failure is refused")
	}
	th.Success("alice", office)
	clock.advance(5 * time.Minute)
	if _, ok := th.Allow("other", "source7"); !ok {
		t.Error("the brake does not let go")
	}
}

func TestAnswersDoNotDependOnWhatTheNameIs(t *testing.T) {
	th, _ := newThrottle(t, Config{})
	for _, user := range []string{"alice", "", "nobody\x00" + home, strings.Repeat("long", 1000)} {
		if n := fail(th, user, home, 50); n != 10 {
			t.Errorf("%.20q: %d", user, n)
		}
		if retryAfter, ok := th.Allow(user, home); ok || retryAfter != 30*time.Second {
			t.Errorf("%.20q: %v, %v", user, retryAfter, ok)
		}
	}
}

func TestAClockSetBackLocksNobodyForLongerThanTheWindow(t *testing.T) {
	th, clock := newThrottle(t, Config{})
	fail(th, "alice", home, 50)
	clock.advance(-time.Hour)
	if retryAfter, ok := th.Allow("alice", home); ok || retryAfter != 30*time.Second {
		t.Errorf("after the jump: %v, %v", retryAfter, ok)
	}
	clock.advance(time.Hour + 5*time.Minute)
	if n := fail(th, "alice", home, 50); n != 10 {
		t.Errorf("%d tries, want 10", n)
	}
}

func TestMemoryIsBoundedWhateverTheNames(t *testing.T) {
	const entries = 1000
	th, _ := newThrottle(t, Config{MaxEntries: entries, GlobalFactor: 1_000_000})
	for i := range 20 * entries {
		user, source := "user"+strconv.Itoa(i), "source"+strconv.Itoa(i/50)
		th.Allow(user, source)
		th.Failure(user, source)
		if s := th.Stats(); s.Pairs > entries || s.Sources > entries {
			t.Fatalf("after %d: %+v", i, s)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 64 {
		th.Allow(strings.Repeat("x", 10<<20)+strconv.Itoa(i), "source"+strconv.Itoa(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("64 names of 10 MB left %d bytes behind", grown)
	}
	runtime.KeepAlive(th)
}

func TestAFloodOfOthersDoesNotMakeTheBusiestForgotten(t *testing.T) {
	th, _ := newThrottle(t, Config{MaxEntries: 200, GlobalFactor: 1_000_000})
	fail(th, "alice", home, 50)
	for i := range 20_000 {
		fail(th, "user", "source"+strconv.Itoa(i), 1)
	}
	if _, ok := th.Allow("alice", home); ok {
		t.Error("the flood washed alice's failures away")
	}
}

func TestOfAHundredParallelTriesAtMostTenWrongOnesPass(t *testing.T) {
	th, _ := newThrottle(t, Config{Now: time.Now})
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ask := th.Allow
			if i%2 == 0 {
				ask = func(user, source string) (time.Duration, bool) { return th.Wait(t.Context(), user, source) }
			}
			if _, ok := ask("alice", home); ok {
				passed.Add(1)
				time.Sleep(time.Millisecond) // hashing
				th.Failure("alice", home)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 10 {
		t.Errorf("%d wrong tries passed, want 10", n)
	}
}

func TestSourcesAreAddressesOfIPv4AndNetworksOfIPv6(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":     "2001:db8:1:2::/64",
		"fe80::1:2%eth0":          "fe80::/64",
		"::1":                     "::/64",
		"2001:db8:1:3::1":         "2001:db8:1:3::/64",
		"::ffff:198.51.100.7%lo0": "198.51.100.7",
	} {
		if got := Source(netip.MustParseAddr(address)); got != want {
			t.Errorf("Source(%s) = %s, want %s", address, got, want)
		}
	}
	if got := Source(netip.Addr{}); got != "invalid IP" {
		t.Errorf("Source of no address = %q", got)
	}
}

func TestNewRefusesWhatCannotBeCounted(t *testing.T) {
	for name, c := range map[string]Config{
		"attempts": {Attempts: -1},
		"window":   {Window: -time.Second},
		"entries":  {MaxEntries: -1},
		"factor":   {SourceFactor: -1},
		"brake":    {GlobalFactor: -1},
		"instant":  {Attempts: 10, Window: 5},
		"overflow": {Attempts: 1 << 40, GlobalFactor: 1 << 40},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkAllowAndFailureInAFullTable(b *testing.B) {
	th, err := New(Config{GlobalFactor: 1_000_000})
	if err != nil {
		b.Fatal(err)
	}
	users := make([]string, 1<<18)
	for i := range users {
		users[i] = "user" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		user := users[i%len(users)]
		source := users[i/64%len(users)]
		th.Allow(user, source)
		th.Failure(user, source)
		i++
	}
}

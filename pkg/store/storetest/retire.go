package storetest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// now is an instant of today's size, second one in its unit.
const (
	now    = 1_800_000_000_000_001
	second = 1_000_000
)

func retireChecks() []check {
	return []check{
		{"a retired key has its state, and lasts until its longest token is over", retiredKey},
		{"a stretched key knows its longest token, and lasts until it is over where it ends", stretchedKey},
		{"a key that is not there is neither retired nor stretched", func(t *testing.T, s store.Store) {
			apply(t, s, store.PutKey{Key: aKey("kid", 1)})
			for _, id := range []string{"KID", "kid ", "", "k%"} {
				refused(t, s, store.ErrNotFound, store.RetireKey{ID: id, State: store.KeyRetiring, LastSigned: 1, Least: 1})
				refused(t, s, store.ErrNotFound, store.StretchKey{ID: id, TTL: 99, At: now})
			}
			same(t, []store.Key{aKey("kid", 1)}, must(s.Keys(t.Context()))(t))
		}},
		{"a token signed before or after its key retires is covered", func(t *testing.T, s store.Store) {
			retire := store.RetireKey{ID: "kid", State: store.KeyRetiring, LastSigned: now, Least: 300}
			stretch := store.StretchKey{ID: "kid", TTL: 9_999_999, At: now}
			key := store.Key{ID: "kid", State: store.KeyActive}
			want := store.Key{ID: "kid", State: store.KeyRetiring, LongestTTL: stretch.TTL, NotAfter: now + 9_999_999*second}
			for _, order := range [][]store.Command{
				{retire, stretch}, {stretch, retire}, {retire, stretch, retire}, {stretch, retire, stretch},
			} {
				apply(t, s, store.PutKey{Key: key})
				apply(t, s, order...)
				same(t, []store.Key{want}, must(s.Keys(t.Context()))(t))
				apply(t, s, store.PutKey{Key: key})
				for _, command := range order {
					apply(t, s, command)
				}
				same(t, []store.Key{want}, must(s.Keys(t.Context()))(t))
			}
		}},
		{"tokens signed while their key retires are all covered", retireAtOnce},
		{"lifetimes of thousands of years are kept exactly, and none ends before it began", endlessKeys},
	}
}

// retiredKey has another key beside, which must stay as it is.
func retiredKey(t *testing.T, s store.Store) {
	beside := aKey("beside", 0)
	apply(t, s, store.PutKey{Key: beside})
	for _, c := range []struct {
		name                             string
		longest, notAfter, signed, least int64
		want                             int64
	}{
		{"the least is the longer", 299, 0, now, 300, now + 300*second},
		{"the longest is the longer", 301, 0, now, 300, now + 301*second},
		{"no token is longer than the least", 0, 0, now, 300, now + 300*second},
		{"no least", 7, 0, now, 0, now + 7*second},
		{"neither", 0, 0, now, 0, now},
		{"an end that is earlier is kept", 0, now + 300*second - 1, now, 300, now + 300*second - 1},
		{"an end that is much earlier is kept", 900, 1, now, 300, 1},
		{"an end that is later is not", 0, now + 300*second + 1, now, 300, now + 300*second},
		{"an end later than the longest token is not", 900, math.MaxInt64, now, 300, now + 900*second},
		{"an end that is the same", 0, now + 300*second, now, 300, now + 300*second},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := aKey("kid", 1)
			key.LongestTTL, key.NotAfter = c.longest, c.notAfter
			for _, state := range []string{store.KeyRetiring, "another state"} {
				apply(t, s, store.PutKey{Key: key},
					store.RetireKey{ID: "kid", State: state, LastSigned: c.signed, Least: c.least})
				want := key
				want.State, want.NotAfter = state, c.want
				same(t, []store.Key{want, beside}, must(s.Keys(t.Context()))(t))
			}
		})
	}
}

func stretchedKey(t *testing.T, s store.Store) {
	beside := aKey("beside", 0)
	apply(t, s, store.PutKey{Key: beside})
	for _, c := range []struct {
		name                      string
		longest, notAfter         int64
		ttl, at                   int64
		wantLongest, wantNotAfter int64
	}{
		{"the first that is long", 0, 0, 300, now, 300, 0},
		{"a longer one", 299, 0, 300, now, 300, 0},
		{"a shorter one", 301, 0, 300, now, 301, 0},
		{"one of the same length", 300, 0, 300, now, 300, 0},
		{"the end is lengthened", 0, now, 300, now, 300, now + 300*second},
		{"the end is lengthened by the least there is", 0, now + 300*second - 1, 300, now, 300, now + 300*second},
		{"the end is never shortened", 0, now + 300*second + 1, 300, now, 300, now + 300*second + 1},
		{"the end is as it must be", 0, now + 300*second, 300, now, 300, now + 300*second},
		{"a later one that is not the longest lengthens the end", 900, now, 300, now, 900, now + 300*second},
		{"an earlier one that is the longest leaves the end", 300, now, 900, now - 900*second, 900, now},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, state := range []string{store.KeyActive, store.KeyRetiring} {
				key := aKey("kid", 1)
				key.State, key.LongestTTL, key.NotAfter = state, c.longest, c.notAfter
				apply(t, s, store.PutKey{Key: key}, store.StretchKey{ID: "kid", TTL: c.ttl, At: c.at})
				key.LongestTTL, key.NotAfter = c.wantLongest, c.wantNotAfter
				same(t, []store.Key{key, beside}, must(s.Keys(t.Context()))(t))
			}
		})
	}
}

// retireAtOnce has tokens of many lengths signed, each up to the instant of the
// last, while the key retires several times over.
func retireAtOnce(t *testing.T, s store.Store) {
	for round := range 5 {
		id := fmt.Sprint("kid", round)
		apply(t, s, store.PutKey{Key: store.Key{ID: id, State: store.KeyActive, CreatedAt: int64(-round)}})
		stood := winners(t, store.ErrConflict, func(i int) error {
			if i%16 == 7 {
				return s.Apply(context.Background(), store.RetireKey{ID: id, State: store.KeyRetiring, LastSigned: now, Least: 10})
			}
			return s.Apply(context.Background(), store.StretchKey{ID: id, TTL: int64(1000 + i*37%64), At: now})
		})
		same(t, 64, stood)
		want := store.Key{
			ID: id, State: store.KeyRetiring, CreatedAt: int64(-round),
			LongestTTL: 1063, NotAfter: now + 1063*second,
		}
		same(t, want, must(s.Keys(t.Context()))(t)[round])
	}
}

func endlessKeys(t *testing.T, s store.Store) {
	const longest = 200_000_000_000
	retire := store.RetireKey{ID: "kid", State: store.KeyRetiring, LastSigned: now, Least: 300}
	end := func(key store.Key, commands ...store.Command) store.Key {
		t.Helper()
		apply(t, s, append([]store.Command{store.PutKey{Key: key}}, commands...)...)
		return must(s.Keys(t.Context()))(t)[0]
	}
	bare, ending := store.Key{ID: "kid"}, store.Key{ID: "kid", NotAfter: 1}
	for _, ttl := range []int64{longest, longest - 1} {
		stretch := store.StretchKey{ID: "kid", TTL: ttl, At: now}
		want := store.Key{ID: "kid", LongestTTL: ttl, NotAfter: now + ttl*second}
		same(t, want, end(ending, stretch))
		want.State = store.KeyRetiring
		same(t, want, end(bare, stretch, retire))
	}
	// What lasts beyond the last instant ends with it.
	for _, ttl := range []int64{math.MaxInt64 / second, math.MaxInt64} {
		stretch := store.StretchKey{ID: "kid", TTL: ttl, At: now}
		least := store.RetireKey{ID: "kid", State: store.KeyRetiring, LastSigned: now, Least: ttl}
		for _, key := range []store.Key{end(ending, stretch), end(bare, stretch, retire), end(bare, least)} {
			same(t, int64(math.MaxInt64), key.NotAfter)
		}
	}
}

package storetest

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func revocationChecks() []check {
	return []check{
		{"facts are kept exactly and come in the order of their commit", keptFacts},
		{"a fact again is merged: the later instants hold, under a new number", mergedFacts},
		{"an equal or weaker fact changes nothing", weakerFacts},
		{"the same key under another kind is another fact", func(t *testing.T, s store.Store) {
			for _, kind := range []string{store.RevokeToken, store.RevokeSession, store.ChangeKeys} {
				apply(t, s, store.Revoke{Revocation: store.Revocation{Kind: kind, Key: "k", At: 1}})
			}
			same(t, 3, len(facts(t, s, 0)))
		}},
		{"the head is where the facts end, also when they are gone", headOfFacts},
		{"pages of facts miss none and double none", factPages},
		{"a follower misses none and doubles none while others write", followed},
	}
}

func keptFacts(t *testing.T, s store.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	want := []store.Revocation{
		{Kind: store.RevokeToken, Key: string(every[:16]), At: 1, Until: 2},
		{Kind: store.RevokeSession, Key: string(every), At: math.MaxInt64, Until: math.MaxInt64},
		{Kind: store.RevokeSubject, Key: store.SubjectKey("t", "o'neil"), At: math.MinInt64},
		{Kind: store.RevokeTenant, Key: "\x00", At: 1},
		{Kind: store.RevokeTenant, Key: "\x00\x00", At: 1},
		{Kind: store.RevokeAll, Key: "", At: 4},
		{Kind: store.ChangeKeys, Key: "t"},
	}
	for _, fact := range want {
		fact.Seq = 1234 // is the store's to give
		apply(t, s, store.Revoke{Revocation: fact})
	}
	same(t, want, unnumbered(t, facts(t, s, 0)))
}

// unnumbered takes the numbers off, having checked that they rise.
func unnumbered(t testing.TB, all []store.Revocation) []store.Revocation {
	t.Helper()
	var last int64
	for i := range all {
		if all[i].Seq <= last {
			t.Errorf("number %d comes after %d", all[i].Seq, last)
		}
		last, all[i].Seq = all[i].Seq, 0
	}
	return all
}

func mergedFacts(t *testing.T, s store.Store) {
	apply(t, s, revoke("k", 10, 100), revoke("other", 1, 1))
	for _, c := range []struct{ at, until, wantAt, wantUntil int64 }{
		{11, 50, 11, 100}, // later At
		{5, 101, 11, 101}, // later Until
		{20, 200, 20, 200},
		{1, 0, 20, 0}, // no end is the latest
		{21, 300, 21, 0},
	} {
		all := facts(t, s, 0)
		apply(t, s, revoke("k", c.at, c.until))
		news := facts(t, s, all[len(all)-1].Seq)
		want := store.Revocation{Kind: store.RevokeToken, Key: "k", At: c.wantAt, Until: c.wantUntil}
		same(t, []store.Revocation{want}, unnumbered(t, news))
		same(t, len(all), len(facts(t, s, 0)))
	}
}

func weakerFacts(t *testing.T, s store.Store) {
	apply(t, s, revoke("k", 10, 100), revoke("endless", 10, 0))
	before := facts(t, s, 0)
	for _, weaker := range []store.Command{
		revoke("k", 10, 100), revoke("k", 9, 100), revoke("k", 10, 99), revoke("k", -1, -1),
		revoke("endless", 10, 0), revoke("endless", 9, math.MaxInt64),
	} {
		apply(t, s, weaker)
		same(t, before, facts(t, s, 0))
	}
}

func headOfFacts(t *testing.T, s store.Store) {
	first := must(s.Head(t.Context()))(t)
	if first.Epoch == "" || first.Seq != 0 {
		t.Errorf("an empty store begins at %+v", first)
	}
	apply(t, s, revoke("a", 1, 10), revoke("b", 1, 20))
	apply(t, s, revoke("c", 1, 30))
	all := facts(t, s, 0)
	second := must(s.Head(t.Context()))(t)
	if second.Epoch != first.Epoch || second.Seq < all[len(all)-1].Seq {
		t.Errorf("the head is %+v behind %+v", second, all)
	}
	apply(t, s, store.Purge{Before: 100, Limit: 100})
	same(t, 0, len(facts(t, s, 0)))
	same(t, second.Seq, must(s.Head(t.Context()))(t).Seq)
	apply(t, s, revoke("d", 1, 0))
	same(t, true, must(s.Head(t.Context()))(t).Seq > second.Seq)
}

func factPages(t *testing.T, s store.Store) {
	for i := range 23 {
		apply(t, s, revoke(fmt.Sprint(i), 1, 0))
	}
	apply(t, s, revoke("3", 2, 0), revoke("7", 2, 0))
	all := facts(t, s, 0)
	same(t, 23, len(all))
	for limit := 1; limit <= 24; limit++ {
		var seen []store.Revocation
		for after := int64(0); ; after = seen[len(seen)-1].Seq {
			page := must(s.Revocations(t.Context(), after, limit))(t)
			if len(page) > limit {
				t.Fatalf("a page of %d for limit %d", len(page), limit)
			}
			seen = append(seen, page...)
			if len(page) == 0 {
				break
			}
		}
		same(t, all, seen)
	}
	same(t, 0, len(must(s.Revocations(t.Context(), 0, 0))(t)))
	same(t, 0, len(must(s.Revocations(t.Context(), 0, -1))(t)))
	same(t, 0, len(facts(t, s, math.MaxInt64)))
}

// followed lets eight writers race a follower that reads on from the last
// number it saw. A number that becomes visible after a higher one is a fact
// that this follower never sees.
func followed(t *testing.T, s store.Store) {
	const writers, each = 8, 150
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				commands := []store.Command{revoke(fmt.Sprintf("%d/%d", w, i), 1, 0)}
				if i%3 == 0 {
					commands = append(commands, revoke(fmt.Sprintf("%d/%d/b", w, i), 1, 0))
				}
				if err := s.Apply(context.Background(), commands...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { group.Wait(); close(written) }()

	seen, last := map[string]int{}, int64(0)
	follow := func() {
		for _, fact := range must(s.Revocations(t.Context(), last, 7))(t) {
			if fact.Seq <= last {
				t.Errorf("number %d after %d", fact.Seq, last)
			}
			last = fact.Seq
			seen[fact.Key]++
		}
	}
	defer group.Wait()
	for {
		select {
		case <-written:
			for before := int64(-1); before != last; {
				before = last
				follow()
			}
			checkSeen(t, seen, writers*(each+each/3))
			return
		default:
			follow()
		}
	}
}

func checkSeen(t *testing.T, seen map[string]int, want int) {
	t.Helper()
	same(t, want, len(seen))
	for key, times := range seen {
		if times != 1 {
			t.Errorf("fact %s seen %d times", key, times)
		}
	}
}

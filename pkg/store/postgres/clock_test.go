package postgres

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/measured"
)

func oneClock(t *testing.T, c cluster) {
	url := c.SocketURL(c.emptied(t))
	var stores []*Store
	var wrong [2]atomic.Int64 // nanoseconds
	for i := range wrong {
		wrong[i].Store(int64(time.Hour) * int64(1-2*i))
		s, err := Open(t.Context(), Config{URL: url, Now: func() time.Time { return time.Now().Add(time.Duration(wrong[i].Load())) }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		stores = append(stores, s)
	}
	// The server runs on this machine.
	isRight := func(s *Store) bool { return time.Since(s.Now()).Abs() < 200*time.Millisecond }
	if !isRight(stores[0]) || !isRight(stores[1]) {
		t.Errorf("the clocks say %v and %v", stores[0].Now(), stores[1].Now())
	}
	wrong[0].Add(int64(time.Minute))
	for began := time.Now(); !isRight(stores[0]); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the machine's clock was set, and %v is what this one says", stores[0].Now())
		}
	}
	if !isRight(stores[1]) {
		t.Errorf("the other clock says %v", stores[1].Now())
	}
}

func TestAFactIsOfTheInstantOfItsCommitWhereThatIsAskedFor(t *testing.T) {
	s := startCluster(t).open(t)
	began := time.Now().UnixMicro() // the server runs on this machine
	far := began + int64(time.Hour/time.Microsecond)
	of := func(key string, at int64, atCommit bool) store.Command {
		return store.Revoke{Revocation: store.Revocation{Kind: "subject", Key: key, At: at}, AtCommit: atCommit}
	}
	apply(t, s, of("asked", 1, true))
	apply(t, s, of("not", 1, false))
	apply(t, s, of("later", far, true))
	apply(t, s, of("both", 1, true), of("both", 2, false))
	facts, err := s.Revocations(t.Context(), 0, 9)
	if err != nil || len(facts) != 4 {
		t.Fatal(facts, err)
	}
	for _, f := range facts {
		isNow := f.At >= began && f.At <= time.Now().UnixMicro()
		if right := map[string]bool{"asked": isNow, "not": f.At == 1, "later": f.At == far, "both": isNow}[f.Key]; !right {
			t.Errorf("%s is of %d", f.Key, f.At)
		}
	}
	if ahead := time.Until(s.Now()); ahead > 0 {
		t.Errorf("the clock is %s ahead of the server's", ahead)
	}
}

func TestFactsOfOneCommitAreMergedToWhatHoldsLongest(t *testing.T) {
	for _, untils := range [][2]int64{{5, 0}, {0, 5}, {5, 7}, {7, 5}} {
		var facts []store.Revoke
		for _, until := range untils {
			facts = append(facts, store.Revoke{Revocation: store.Revocation{Kind: "token", Key: "k", At: 1, Until: until}})
		}
		want := max(untils[0], untils[1])
		if untils[0] == 0 || untils[1] == 0 {
			want = 0
		}
		if got := merge(facts); len(got) != 1 || got[0].Revocation.Until != want {
			t.Errorf("%v became %+v", untils, got)
		}
	}
}

func watchedCommits(t *testing.T, c cluster) {
	s := measured.New(c.open(t))
	const writers, rounds = 16, 30
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range rounds {
				change := []store.Command{revoke(fmt.Sprint(i)), store.CreateSession{Session: session(w*rounds + i)}, store.PutKey{Key: store.Key{ID: "k"}}}[i%3]
				if err := s.Apply(t.Context(), change); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := s.Stats()
	if got.Operations.Sum != writers*rounds || got.Commits.Count != got.Operations.Count || got.Commits.Count == 0 || got.Commits.Count >= writers*rounds || got.Commits.Sum <= 0 {
		t.Errorf("%d commits of %v changes took %v s, want fewer commits than changes, and %d of these", got.Commits.Count, got.Operations.Sum, got.Commits.Sum, writers*rounds)
	}
}

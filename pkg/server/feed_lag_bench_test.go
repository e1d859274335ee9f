package server

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// unhinted is a store that tells of nothing: whoever follows it finds out by looking.
type unhinted struct{ store.Store }

// BenchmarkFeedLag revokes tokens at one of three replicas over PostgreSQL, and takes
// the time from the answer to the first refusal at each of the two others, and at a
// verifier that follows the feed of one of these.
func BenchmarkFeedLag(b *testing.B) {
	const rounds = 300
	for _, how := range []string{"notify", "poll"} {
		b.Run(how, func(b *testing.B) {
			open := overPostgres(b)
			w := newLagWorld(b, func() store.Store {
				st := open()
				if how == "poll" {
					st = unhinted{st}
				}
				return st
			})
			for b.Loop() {
				for range rounds {
					time.Sleep(rand.N(100 * time.Millisecond))
					w.round()
				}
			}
			w.report(b)
		})
	}
}

// lagWorld is three replicas, the clients of each, and a verifier.
type lagWorld struct {
	*replicas
	clients  []*http.Client
	verify   func(raw string) error
	replica  []time.Duration // how long each took to refuse
	verifier []time.Duration
}

func newLagWorld(t testing.TB, open func() store.Store) *lagWorld {
	w := &lagWorld{replicas: newReplicasOver(t, 3, open)}
	w.list[0].addUser("marco")
	for i := range w.list {
		to := new(atomic.Int64)
		to.Store(int64(i))
		w.clients = append(w.clients, w.client(to))
	}
	w.network = w.clients[2]
	v, f := w.follow()
	w.running(f)
	w.verify = func(raw string) error { _, err := v.Verify(t.Context(), raw); return err }
	return w
}

// round has a token honoured everywhere, revokes it at the first replica, and asks the
// others without a pause that matters.
func (w *lagWorld) round() {
	w.Helper()
	raw := w.list[0].login("marco").member(w, "token")
	w.list[0].do(errors.Join(w.verify(raw), w.check(1, raw), w.check(2, raw)))
	w.list[0].do(w.post(0, "/user/logout", raw, http.StatusNoContent))
	answered := time.Now()
	var took [3]time.Duration
	var group sync.WaitGroup
	for i, ask := range []func() error{func() error { return w.check(1, raw) }, func() error { return w.check(2, raw) }, func() error { return w.verify(raw) }} {
		group.Go(func() { took[i] = w.refused(answered, ask) })
	}
	group.Wait()
	w.replica, w.verifier = append(w.replica, took[:2]...), append(w.verifier, took[2])
}

func (w *lagWorld) refused(since time.Time, ask func() error) time.Duration {
	for {
		err := ask()
		took := time.Since(since)
		switch {
		case errors.Is(err, token.ErrRevoked):
			return took
		case err != nil || took > 5*time.Second:
			w.Errorf("after %s: %v", took, err)
			return took
		}
		time.Sleep(time.Millisecond / 2)
	}
}

// check asks a replica: nil, ErrRevoked, or what is wrong.
func (w *lagWorld) check(replica int, raw string) error {
	err := w.post(replica, "/user/check", raw, http.StatusOK)
	if errors.Is(err, errUnauthorized) {
		return token.ErrRevoked
	}
	return err
}

var errUnauthorized = errors.New("the answer is 401")

func (w *lagWorld) post(replica int, path, raw string, want int) error {
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, service+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+raw)
	a, err := w.clients[replica].Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, err = io.Copy(io.Discard, a.Body)
	switch {
	case err != nil || a.StatusCode == want:
		return err
	case a.StatusCode == http.StatusUnauthorized:
		return errUnauthorized
	}
	return fmt.Errorf("%s: %s", path, a.Status)
}

func (w *lagWorld) report(b *testing.B) {
	for name, times := range map[string][]time.Duration{"": w.replica, "verifier-": w.verifier} {
		slices.Sort(times)
		for _, percent := range []int{50, 99} {
			at := times[(len(times)*percent+99)/100-1]
			b.ReportMetric(float64(at.Microseconds())/1000, fmt.Sprintf("%sp%d-ms", name, percent))
		}
	}
	b.ReportMetric(0, "ns/op") // it says nothing
}

package verifier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAProofIsGoodOnceAndAnothersOfTheSameNameIsAnother(t *testing.T) {
	a, b, p := newHolder(t), newHolder(t), newProofs(t, nil)
	named := func(h *holder, jti string) ProofRequest {
		return proofRequest(h.proof(t, func(_, c map[string]any) { c["jti"] = jti }))
	}
	for i, c := range []struct {
		r    ProofRequest
		want error
	}{{named(a, "x"), nil}, {named(a, "x"), ErrReplayed}, {named(b, "x"), nil}, {named(a, "y"), nil}} {
		if _, err := p.Verify(t.Context(), c.r); !errors.Is(err, c.want) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestOneOfManyThatSendAProofAtOnceIsLetThrough(t *testing.T) {
	p, r := newProofs(t, nil), proofRequest(newHolder(t).proof(t, nil))
	var good atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := p.Verify(t.Context(), r); err == nil {
				good.Add(1)
			} else if !errors.Is(err, ErrReplayed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 {
		t.Errorf("%d were let through", good.Load())
	}
}

func TestAMemoryOfProofsIsAskedLastAndItsErrorIsNoRefusal(t *testing.T) {
	h := newHolder(t)
	var ids []string
	var ends []time.Time
	broken := errors.New("disk full")
	p := newProofs(t, func(c *ProofConfig) {
		c.Seen = func(_ context.Context, id string, until time.Time) error {
			ids, ends = append(ids, id), append(ends, until)
			if len(ids) == 2 {
				return broken
			}
			return nil
		}
	})
	for i, want := range []error{nil, broken} {
		if _, err := p.Verify(t.Context(), proofRequest(h.proof(t, nil))); !errors.Is(err, want) || errors.Is(err, ErrProof) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := p.Verify(t.Context(), proofRequest(h.proof(t, func(_, c map[string]any) { c["htm"] = "GET" }))); err == nil || len(ids) != 2 {
		t.Errorf("a bad proof was remembered: %v", err)
	}
	if len(ids[0]) != 43 || ids[0] == ids[1] || !ends[0].Equal(time.Unix(testNow.Unix()+60, 0)) {
		t.Errorf("%q until %v", ids, ends)
	}
}

func TestAFullMemoryOfProofsRefusesRatherThanForgets(t *testing.T) {
	now := testNow
	m := newProofMemory(func() time.Time { return now }, 3)
	seen := func(id string, after time.Duration) error { return m.seen(t.Context(), id, now.Add(after)) }
	for i, c := range []struct {
		id   string
		wait time.Duration
		want error
	}{
		{"a", 0, nil},
		{"b", 0, nil},
		{"a", time.Second, ErrReplayed},
		{"c", 0, nil},
		{"d", 0, token.ErrUnavailable},
		{"d", time.Second, token.ErrUnavailable},
		{"c", 0, ErrReplayed},
		{"a", 8 * time.Second, ErrReplayed}, // the very instant at which it ends
		{"d", 2 * time.Second, nil},
		{"a", 0, nil},
	} {
		now = now.Add(c.wait)
		if err := seen(c.id, 10*time.Second); !errors.Is(err, c.want) {
			t.Errorf("%d: %s: %v, want %v", i, c.id, err, c.want)
		}
	}
	now = now.Add(time.Hour)
	if err := seen("e", 0); err != nil || len(m.ids) != 1 || len(m.ends) != 1 {
		t.Errorf("%v, %d ids and %d ends are kept", err, len(m.ids), len(m.ends))
	}
}

package histogram

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAValueIsInTheFirstBucketThatHoldsIt(t *testing.T) {
	h := New(int64(time.Millisecond), int64(100*time.Millisecond))
	for _, v := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, 100 * time.Millisecond, time.Second} {
		h.Observe(int64(v))
	}
	want := Reading{Bounds: []float64{0.001, 0.1}, Counts: []uint64{2, 4}, Count: 5, Sum: 1.102000001}
	got := h.Read(1e-9)
	got.Sum = tidy(got.Sum)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoValueIsLostWhenManyObserve(t *testing.T) {
	h := New(10, 20)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for v := range int64(1000) {
				h.Observe(v % 30)
			}
		})
	}
	wait.Wait()
	if r := h.Read(1); r.Count != 8000 {
		t.Errorf("%d values are counted, want 8000", r.Count)
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	h := New(1, 2, 3)
	if n := testing.AllocsPerRun(100, func() { h.Observe(2) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := New(100_000, 250_000, 500_000, 1_000_000)
	for b.Loop() {
		h.Observe(200_000)
	}
}

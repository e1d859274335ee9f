// Package histogram counts how large values are, in buckets whose bounds are
// fixed. Observing one costs two additions and allocates nothing.
//
// It knows no names and no labels, and no format in which it is shown.
package histogram

import (
	"math"
	"slices"
	"sync/atomic"
)

// Histogram counts values. It is safe for concurrent use.
type Histogram struct {
	bounds []int64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Int64
}

// New makes a Histogram of buckets that hold what is at most their bound; there is
// one more for what is above the last. The bounds ascend.
func New(bounds ...int64) *Histogram {
	return &Histogram{bounds: slices.Clone(bounds), counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one value.
func (h *Histogram) Observe(value int64) {
	n := 0
	for n < len(h.bounds) && value > h.bounds[n] {
		n++
	}
	h.counts[n].Add(1)
	h.sum.Add(value)
}

// Reading is what a Histogram held at a moment. While values come in, Sum may be
// ahead of Count by those under way.
type Reading struct {
	Bounds []float64 // of the buckets, without the last, which has none
	Counts []uint64  // of values at most Bounds[i], those of the smaller ones included
	Count  uint64
	Sum    float64
}

// Read returns what is held, bounds and sum times scale: 1e-9 makes seconds of
// nanoseconds.
func (h *Histogram) Read(scale float64) Reading {
	r := Reading{Bounds: make([]float64, len(h.bounds)), Counts: make([]uint64, len(h.bounds)), Sum: float64(h.sum.Load()) * scale}
	for i, bound := range h.bounds {
		r.Count += h.counts[i].Load()
		r.Bounds[i], r.Counts[i] = tidy(float64(bound)*scale), r.Count
	}
	r.Count += h.counts[len(h.bounds)].Load()
	return r
}

// tidy takes away what a multiplication leaves behind the digits that were meant.
func tidy(f float64) float64 { return math.Round(f*1e9) / 1e9 }

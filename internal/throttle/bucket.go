package throttle

import (
	"errors"
	"slices"
	"time"
)

// rate is a token bucket by the generic cell rate algorithm: one instant a
// bucket, exact under any clock.
type rate struct {
	interval time.Duration // until one failure is forgiven
	capacity time.Duration // interval x failures
}

func newRate(attempts, factor int, window time.Duration) (rate, error) {
	if int64(attempts) > int64(window)/int64(factor) {
		return rate{}, errors.New("throttle: the window is too short for so many failures")
	}
	interval := window / time.Duration(attempts*factor)
	return rate{interval: interval, capacity: interval * time.Duration(attempts*factor)}, nil
}

// bucket counts the failures of somebody. nil is one without any.
type bucket struct {
	clear    time.Duration // when all is forgiven, since the start
	underway int           // tries counted but not judged yet
	waiting  []chan struct{}
}

// maxWaiting bounds those who wait at one bucket; more are refused.
const maxWaiting = 1000

// wait returns 0 when there is room for a failure, else how long there is none.
func (r rate) wait(b *bucket, now time.Duration) time.Duration {
	if b == nil {
		return 0
	}
	// A clock that was set back must not lock anybody for as long.
	b.clear = min(b.clear, now+r.capacity)
	return max(0, b.clear+r.interval-now-r.capacity)
}

// take counts a failure. There must be room.
func (r rate) take(b *bucket, now time.Duration) { b.clear = max(b.clear, now) + r.interval }

// giveBack undoes take, to the instant, for a try that was under way.
func (r rate) giveBack(b *bucket) {
	if b == nil {
		return
	}
	b.clear -= r.interval
	b.underway = max(0, b.underway-1)
	b.call(1)
}

// forgive undoes every take, for a try that was under way.
func (b *bucket) forgive() {
	if b == nil {
		return
	}
	b.clear = 0
	b.underway = max(0, b.underway-1)
	b.call(len(b.waiting))
}

// stays leaves a try counted that is judged now. When no other is under way,
// nothing will make room for those who wait.
func (b *bucket) stays() {
	if b == nil {
		return
	}
	if b.underway = max(0, b.underway-1); b.underway == 0 {
		b.call(len(b.waiting))
	}
}

// owes reports whether a failure is counted that is not forgiven.
func (b *bucket) owes(now time.Duration) bool { return b != nil && b.clear > now }

// queue gives a place among those who wait, nil when waiting is no use.
func (b *bucket) queue() chan struct{} {
	if b == nil || b.underway == 0 || len(b.waiting) >= maxWaiting {
		return nil
	}
	place := make(chan struct{})
	b.waiting = append(b.waiting, place)
	return place
}

// call lets the first n of those who wait look again.
func (b *bucket) call(n int) {
	n = min(n, len(b.waiting))
	for _, place := range b.waiting[:n] {
		close(place)
	}
	b.waiting = slices.Delete(b.waiting, 0, n)
}

// leave gives a place up, and the call with it if there was one.
func (b *bucket) leave(place chan struct{}) {
	if i := slices.Index(b.waiting, place); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		return
	}
	b.call(1)
}

// table is a bounded number of buckets of one rate.
type table struct {
	rate    rate
	max     int
	entries map[uint64]*bucket
}

func (t *table) find(key uint64) *bucket { return t.entries[key] }

// take counts a try under way. There must be room in its bucket.
func (t *table) take(key uint64, now time.Duration) {
	b := t.entries[key]
	if b == nil {
		if len(t.entries) >= t.max {
			t.evict(now)
		}
		b = &bucket{}
		t.entries[key] = b
	}
	t.rate.take(b, now)
	b.underway++
}

// tidy forgets a bucket that says nothing any more.
func (t *table) tidy(key uint64, now time.Duration) {
	if b := t.entries[key]; b != nil && b.underway == 0 && !b.owes(now) {
		t.remove(key, b)
	}
}

// sample is how many buckets, met at random, compete for being forgotten.
const sample = 8

// evict forgets the one of a sample that is forgiven soonest, and all of the
// sample that are forgiven already.
func (t *table) evict(now time.Duration) {
	var least uint64
	var found *bucket
	seen := 0
	for key, b := range t.entries { // starts at random
		if !b.owes(now) {
			t.remove(key, b)
		} else if found == nil || b.clear < found.clear {
			least, found = key, b
		}
		if seen++; seen == sample {
			break
		}
	}
	if len(t.entries) >= t.max && found != nil {
		t.remove(least, found)
	}
}

func (t *table) remove(key uint64, b *bucket) {
	delete(t.entries, key)
	b.call(len(b.waiting))
}

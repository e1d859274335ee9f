package issuer

import (
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const (
	tailFacts   = 2 * feedFacts // that memory holds, at least half
	feedWaiters = 1024          // that may wait at once
)

// tail is the facts that came last, in the order of the store.
type tail struct {
	mu      sync.Mutex
	facts   []store.Revocation
	from    int64 // the Seq behind which all are in facts
	head    cursor
	more    chan struct{} // closed when there are more
	waiting int
	left    time.Time // when the last one that waited went
}

// add takes facts over as they were read.
func (t *tail) add(rows []store.Revocation) {
	if len(rows) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.facts)+len(rows) > tailFacts && len(t.facts) > 0 {
		gone := max(0, len(t.facts)-tailFacts/2)
		if gone > 0 {
			t.from = t.facts[gone-1].Seq
		}
		t.facts = append(make([]store.Revocation, 0, tailFacts), t.facts[gone:]...)
	}
	t.facts = append(t.facts, rows...)
	t.head.seq = rows[len(rows)-1].Seq
	t.tell()
}

// tell ends the waiting for news.
func (t *tail) tell() {
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// reach moves the head to the highest number that any fact has had.
func (t *tail) reach(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head.seq = max(t.head.seq, seq)
}

// begin has the tail begin behind a fact: what is before it the store knows.
func (t *tail) begin(head cursor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.facts, t.from, t.head = nil, head.seq, head
	t.tell()
}

// after returns up to limit facts behind a cursor; false when those are not all
// here.
func (t *tail) after(seq int64, limit int) (facts []store.Revocation, head cursor, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq < t.from {
		return nil, t.head, false
	}
	first := len(t.facts)
	for first > 0 && t.facts[first-1].Seq > seq {
		first--
	}
	// A copy is not needed: what was appended is not changed any more.
	facts = t.facts[first:min(len(t.facts), first+limit)]
	return facts[:len(facts):len(facts)], t.head, true
}

func (t *tail) last() cursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// news is closed when there are more facts than now.
func (t *tail) news() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.more == nil {
		t.more = make(chan struct{})
	}
	return t.more
}

// enter tells whether one more may wait.
func (t *tail) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting >= feedWaiters {
		return false
	}
	t.waiting++
	return true
}

func (t *tail) leave(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting, t.left = t.waiting-1, now
}

// isAwaited tells whether somebody waits for facts, or did and will come again.
func (t *tail) isAwaited(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting > 0 || now.Sub(t.left) < time.Second
}

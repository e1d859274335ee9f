package issuer

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// loadStretch is how many numbers of facts one reader takes on at a time.
const loadStretch = 16 * factsBatch

// loadWithin is how long a page may take to which many others are read at once.
const loadWithin = 30 * time.Second

// begin reads the facts of a store from the first one on: of a process that begins, or
// because the store is another one. Where there are many several read them at once, since
// most of the time goes by in the driver of the store.
func (i *Issuer) begin(ctx context.Context, head store.Head) error {
	if i.epoch != "" {
		i.Log.Warn("the store is not the one of before: it was put back, or a standby has taken over; all revocations are read again")
	}
	i.synced.Store(&view{})
	i.seq = 0
	i.tail.begin(cursor{epoch: head.Epoch})
	n, err := i.readBatch(ctx)
	if err == nil && n == factsBatch {
		err = i.loadRest(ctx)
	}
	if err == nil {
		i.epoch = head.Epoch
	}
	return err
}

// loadRest leaves the last facts to be read once more: they are to be in the tail.
func (i *Issuer) loadRest(ctx context.Context) error {
	l := &loading{issuer: i, next: i.seq, last: i.seq, end: math.MaxInt64}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	for range min(4, max(2, runtime.GOMAXPROCS(0))) {
		group.Go(func() {
			if err := l.run(ctx); err != nil {
				stop(err) // the first of them
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	i.seq = max(i.seq, min(l.end, l.last)-tailFacts/2)
	i.tail.begin(cursor{seq: i.seq, epoch: i.tail.last().epoch})
	return nil
}

// loading is shared by the readers. What has a number up to the lesser of end and last
// is in the mirror when all are done: it is in a stretch that somebody took on and
// has read to its end. Facts come in the order of their numbers, so none turns up
// before what was read.
type loading struct {
	issuer *Issuer
	mu     sync.Mutex
	next   int64 // behind it the next stretch begins
	last   int64 // the highest number that was read
	end    int64 // the least behind which a reader found no more
}

func (l *loading) run(ctx context.Context) error {
	for {
		after, more := l.stretch()
		if !more {
			return nil
		}
		if err := l.read(ctx, after, after+loadStretch); err != nil {
			return err
		}
	}
}

func (l *loading) stretch() (after int64, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after = l.next
	l.next += loadStretch
	return after, l.end == math.MaxInt64
}

// read reads a stretch, and what lies behind it on its last page.
func (l *loading) read(ctx context.Context, after, to int64) error {
	for after < to {
		rows, err := l.issuer.readRows(ctx, after, loadWithin)
		if err != nil {
			return err
		}
		l.issuer.mirror(rows)
		if len(rows) > 0 {
			after = rows[len(rows)-1].Seq
			l.reached(after)
		}
		if len(rows) < factsBatch {
			l.ended(after)
			return nil
		}
	}
	return nil
}

// reached has no stretch begin within what was read, where numbers lie far apart.
func (l *loading) reached(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.next = max(l.last, seq), max(l.next, seq)
}

func (l *loading) ended(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = min(l.end, seq)
}

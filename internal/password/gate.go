package password

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// gate lets a number of callers through at once; the others wait in the order
// in which they came. A buffered channel would do but for the order, which the
// language does not promise, and the bound of the queue.
type gate struct {
	size     int // let through at once
	maxQueue int
	maxWait  time.Duration

	mu      sync.Mutex
	running int
	queue   list.List // of chan struct{}, closed when its turn has come
	refused uint64
}

func newGate(size, maxQueue int, maxWait time.Duration) *gate {
	return &gate{size: size, maxQueue: maxQueue, maxWait: maxWait}
}

// enter returns nil when the caller may go on; leave is then to be called.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("password hashing: %w", err)
	}
	place, err := g.join()
	if err != nil || place == nil {
		return err
	}
	timer := time.NewTimer(g.maxWait)
	defer timer.Stop()
	select {
	case <-place.Value.(chan struct{}):
		return nil
	case <-ctx.Done():
		return g.abandon(place, fmt.Errorf("password hashing: %w", ctx.Err()), false)
	case <-timer.C:
		return g.abandon(place, g.busy(), true)
	}
}

// join takes a free slot, or else a place in the queue.
func (g *gate) join() (place *list.Element, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.running < g.size:
		g.running++
		return nil, nil
	case g.queue.Len() >= g.maxQueue:
		g.refused++
		return nil, g.busy()
	}
	return g.queue.PushBack(make(chan struct{})), nil
}

// abandon gives a place up. Who was called at the same instant goes on where
// only the time was over, and hands the slot back where the context was.
func (g *gate) abandon(place *list.Element, reason error, busy bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		if busy {
			return nil
		}
		g.next()
	default:
		g.queue.Remove(place)
		if busy {
			g.refused++
		}
	}
	return reason
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next()
}

// next hands the caller's slot to the first in the queue.
func (g *gate) next() {
	first := g.queue.Front()
	if first == nil {
		g.running--
		return
	}
	close(g.queue.Remove(first).(chan struct{}))
}

func (g *gate) busy() error { return &BusyError{RetryAfter: max(g.maxWait, time.Second)} }

func (g *gate) stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{Refused: g.refused, Running: g.running, Waiting: g.queue.Len()}
}

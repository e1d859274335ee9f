package issuer

import (
	"sync/atomic"
	"time"
)

// clock gives instants in microseconds, each later than the one before, so that
// what was issued before a revocation and what came after can be told apart. It
// never goes back, whatever is done to the clock of the machine.
type clock struct {
	now  func() time.Time
	last atomic.Int64
}

// tick gives an instant of its own.
func (c *clock) tick() int64 {
	for {
		last := c.last.Load()
		at := max(c.now().UnixMicro(), last+1)
		if c.last.CompareAndSwap(last, at) {
			return at
		}
	}
}

// read tells the time without taking an instant: no tick has been later.
func (c *clock) read() time.Time { return time.UnixMicro(max(c.now().UnixMicro(), c.last.Load())) }

// maxAhead is how far the clock of another process is followed, in microseconds.
const maxAhead = 60_000_000

// follow makes the next tick later than an instant of another process, whose
// clock may be a little ahead. One that is far ahead is wrong, and not followed:
// what it voided is void until the time has come.
func (c *clock) follow(at int64) {
	if at > c.now().UnixMicro()+maxAhead {
		return
	}
	for {
		last := c.last.Load()
		if at <= last || c.last.CompareAndSwap(last, at) {
			return
		}
	}
}

// Package throttle slows the guessing of passwords: per user and source, per
// source over all users, and, gently, over everything. It keeps a bounded table
// in memory and forgets with the process.
//
// It never knows whether a user exists, so its answers cannot tell; it never
// locks a user out for other sources; it counts failures only, so right
// passwords are never slowed by their number.
//
//	if retryAfter, ok := t.Wait(ctx, user, source); !ok {
//		return tooMany(retryAfter)
//	}
//	switch ok, err := check(user, password); {
//	case err != nil:
//		t.Release(user, source) // not judged
//	case ok:
//		t.Success(user, source)
//	default:
//		t.Failure(user, source)
//	}
package throttle

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Config says how much guessing is let pass. Its zero value gives the defaults.
//
// The strict preset is Attempts 5, Window 15 minutes.
type Config struct {
	// Attempts is how many failures one user may have from one source; default
	// 10. They are forgiven evenly, all of them in a Window.
	Attempts int
	// Window is how long it takes to be forgiven; default 5 minutes.
	Window time.Duration
	// SourceFactor: a source may have SourceFactor x Attempts failures over all
	// users; default 10. Danger: many people can share a source (NAT).
	SourceFactor int
	// GlobalFactor: with more than GlobalFactor x Attempts failures of all
	// sources together, only sources without a failure are let try; default 1000.
	GlobalFactor int
	// MaxEntries is how many pairs of user and source, and how many sources,
	// are remembered, about 150 bytes each; default 65536. When it is reached
	// the least guilty of a few is forgotten.
	MaxEntries int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Throttle counts. It is safe for concurrent use.
type Throttle struct {
	now   func() time.Time
	start time.Time
	seed  maphash.Seed

	mu      sync.Mutex
	pairs   table
	sources table
	global  bucket
	brake   rate
	refused uint64
}

// New makes a Throttle. It refuses negative values and a Window too short for
// that many failures.
func New(c Config) (*Throttle, error) {
	if min(c.Attempts, c.SourceFactor, c.GlobalFactor, c.MaxEntries) < 0 || c.Window < 0 {
		return nil, errors.New("throttle: a negative limit")
	}
	c = c.withDefaults()
	pairs, err := newRate(c.Attempts, 1, c.Window)
	sources, sourcesErr := newRate(c.Attempts, c.SourceFactor, c.Window)
	brake, brakeErr := newRate(c.Attempts, c.GlobalFactor, c.Window)
	if err := errors.Join(err, sourcesErr, brakeErr); err != nil {
		return nil, err
	}
	return &Throttle{
		now: c.Now, start: c.Now(), seed: maphash.MakeSeed(),
		pairs:   table{rate: pairs, max: c.MaxEntries, entries: map[uint64]*bucket{}},
		sources: table{rate: sources, max: c.MaxEntries, entries: map[uint64]*bucket{}},
		brake:   brake,
	}, nil
}

func (c Config) withDefaults() Config {
	c.Attempts = cmp.Or(c.Attempts, 10)
	c.Window = cmp.Or(c.Window, 5*time.Minute)
	c.SourceFactor = cmp.Or(c.SourceFactor, 10)
	c.GlobalFactor = cmp.Or(c.GlobalFactor, 1000)
	c.MaxEntries = cmp.Or(c.MaxEntries, 65536)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Source names the source of an address: an IPv4 address (mapped ones too) by
// itself, an IPv6 address by its /64, of which one subscriber has all.
func Source(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if !address.Is6() {
		return address.String()
	}
	prefix, _ := address.Prefix(64) // 64 bits are there
	return prefix.String()
}

// Allow asks, before a password is looked at, whether a user may be tried from
// a source. With true the try is counted as a failure from then on, so that
// parallel tries cannot outrun the count; the caller says how it went with one
// of Success, Failure or Release. With false retryAfter says when to ask again.
func (t *Throttle) Allow(user, source string) (retryAfter time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	retryAfter, _ = t.ask(t.keys(user, source))
	return t.answer(retryAfter)
}

// Wait is Allow for a caller with time: where only tries under way are in the
// way, whose passwords may prove right, it waits until they are judged or ctx
// ends. Many right logins at once pass that way, some after the others.
func (t *Throttle) Wait(ctx context.Context, user, source string) (retryAfter time.Duration, ok bool) {
	pair, from := t.keys(user, source)
	var called *bucket
	for {
		t.mu.Lock()
		retryAfter, full := t.ask(pair, from)
		if called != nil && retryAfter > 0 && full != called {
			called.call(1) // its room is not taken up here: let the next one look
		}
		place := full.queue()
		if place == nil {
			defer t.mu.Unlock()
			return t.answer(retryAfter)
		}
		t.mu.Unlock()
		select {
		case <-place:
			called = full
		case <-ctx.Done():
			t.mu.Lock()
			defer t.mu.Unlock()
			full.leave(place)
			return t.answer(retryAfter)
		}
	}
}

// answer counts a refusal.
func (t *Throttle) answer(retryAfter time.Duration) (time.Duration, bool) {
	if retryAfter > 0 {
		t.refused++
	}
	return retryAfter, retryAfter == 0
}

// ask takes room for a try and returns 0, or how long there is none and the
// bucket that has none.
func (t *Throttle) ask(pair, source uint64) (retryAfter time.Duration, full *bucket) {
	now := t.elapsed()
	p, s := t.pairs.find(pair), t.sources.find(source)
	if wait := t.pairs.rate.wait(p, now); wait > 0 {
		return wait, p
	}
	if wait := t.sources.rate.wait(s, now); wait > 0 {
		return wait, s
	}
	if wait := t.brake.wait(&t.global, now); wait > 0 && s.owes(now) {
		return wait, s
	}
	t.pairs.take(pair, now)
	t.sources.take(source, now)
	return 0, nil
}

// Success says that the password was right: the try does not count, and the
// user's earlier failures from that source are forgotten. The source's stay,
// lest somebody bought guesses with a password of his own.
func (t *Throttle) Success(user, source string) {
	t.settle(user, source, func(p, s *bucket) {
		p.forgive()
		t.sources.rate.giveBack(s)
	})
}

// Failure says that the password was wrong: the try stays counted.
func (t *Throttle) Failure(user, source string) {
	t.settle(user, source, func(p, s *bucket) {
		p.stays()
		s.stays()
		now := t.elapsed()
		if t.brake.wait(&t.global, now) == 0 {
			t.brake.take(&t.global, now)
		}
	})
}

// Release says that the password was not judged, because the server was busy,
// say, or the client went away: the try does not count.
func (t *Throttle) Release(user, source string) {
	t.settle(user, source, func(p, s *bucket) {
		t.pairs.rate.giveBack(p)
		t.sources.rate.giveBack(s)
	})
}

// settle ends a try that was under way.
func (t *Throttle) settle(user, source string, outcome func(p, s *bucket)) {
	pair, from := t.keys(user, source)
	t.mu.Lock()
	defer t.mu.Unlock()
	outcome(t.pairs.find(pair), t.sources.find(from))
	now := t.elapsed()
	t.pairs.tidy(pair, now)
	t.sources.tidy(from, now)
}

// keys are hashes under a seed of this process: of one length however long a
// name is, and nobody outside can make two of them collide.
func (t *Throttle) keys(user, source string) (pair, from uint64) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	h.WriteString(source)
	from = h.Sum64()
	h.WriteByte(0) // in no address, so no other pair gives the same bytes
	h.WriteString(user)
	return h.Sum64(), from
}

// elapsed counts on the monotonic clock, where there is one: setting the wall
// clock forgives nobody.
func (t *Throttle) elapsed() time.Duration { return t.now().Sub(t.start) }

// Stats are the counts of a Throttle.
type Stats struct {
	Pairs   int    // remembered now
	Sources int    // remembered now
	Refused uint64 // since New
}

// Stats returns the counts.
func (t *Throttle) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{Pairs: len(t.pairs.entries), Sources: len(t.sources.entries), Refused: t.refused}
}

package soak

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// recall asks a server that was started anew about logins that are over.
func (l *load) recall(ctx context.Context, p peer, rng *rand.Rand) {
	l.each(l.over(rng, 300), func(one *login) {
		if ctx.Err() == nil {
			l.askOver(ctx, p, one)
		}
	})
}

// settle asks every server about everything, when all is quiet: what was ended is over,
// the rest is there, and goes on.
func (l *load) settle(ctx context.Context) {
	time.Sleep(l.stale)
	l.each(l.closed, func(one *login) {
		if !one.over() {
			l.askAlive(ctx, one)
			return
		}
		for _, p := range l.peers {
			l.askOver(ctx, p, one)
		}
		l.askDead(ctx, one)
	})
}

func (l *load) each(logins []*login, ask func(*login)) {
	work := make(chan *login)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for one := range work {
				ask(one)
			}
		})
	}
	for _, one := range logins {
		work <- one
	}
	close(work)
	group.Wait()
}

func (l *load) askOver(ctx context.Context, p peer, one *login) {
	_, access := one.tokens(one.newest())
	a := l.insist(ctx, func() answer { return l.check(ctx, p, access) })
	switch a.verdict {
	case good:
		c := client{load: l}
		c.vouched(p, one, a)
	case void:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked.ended++
	default:
		if ctx.Err() == nil { // else the run is over
			l.violate(one, "no answer", "check at %s: %s", p.name, a.text)
		}
	}
}

// askDead wants the refresh token of a login that is over to be void.
func (l *load) askDead(ctx context.Context, one *login) {
	p := l.some(one)
	refresh, _ := one.tokens(one.newest())
	if a := l.insist(ctx, func() answer { return l.refresh(ctx, p, refresh) }); a.verdict != void {
		l.violate(one, "end lost", "a refresh at %s of what is over: %s", p.name, a.text)
	}
}

// some is one of the servers, not always the same.
func (l *load) some(one *login) peer { return l.peers[int(one.asked/time.Microsecond)%len(l.peers)] }

// askAlive wants a login to go on that nobody has ended, unless a deed of its is open.
func (l *load) askAlive(ctx context.Context, one *login) {
	p := l.some(one)
	refresh, _ := one.tokens(one.newest())
	if one.doubted() || one.reason(l.now()) != "" {
		return
	}
	a := l.insist(ctx, func() answer { return l.refresh(ctx, p, refresh) })
	if a.verdict != good {
		l.violate(one, "logged out", "in the end a refresh at %s: %s", p.name, a.text)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked.alive++
}

// insist asks until there is an answer.
func (l *load) insist(ctx context.Context, ask func() answer) (a answer) {
	for range 60 {
		a = ask()
		if a.verdict == good || a.verdict == void || a.verdict == absurd || ctx.Err() != nil {
			return a
		}
		time.Sleep(250 * time.Millisecond)
	}
	return a
}

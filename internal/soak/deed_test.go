package soak

import (
	"context"
	"slices"
	"sync"
	"time"
)

func (a *account) enter(l *login) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logins[l] = true
}

// leave forgets a login that is over.
func (a *account) leave(l *login) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.over() {
		delete(a.logins, l)
	}
}

// renew is what a client does that means to stay logged in: where there is no answer,
// or a bad one, it tries again with the same token.
func (c *client) renew(ctx context.Context, l *login) {
	number := l.newest()
	for try := 1; ctx.Err() == nil && !l.doubtful(); try++ {
		switch c.refreshAt(ctx, c.peer(), l, number).verdict {
		case lost, never, busy:
			c.rest(400)
			continue
		case good:
			if try > 1 {
				c.count(c.ends, "none, though a refresh was not answered")
			}
		}
		return
	}
}

// race lets several use the newest refresh token at once, each at a server of its own,
// and one of them may end the login.
func (c *client) race(ctx context.Context, l *login, revoke bool) {
	number, start := l.newest(), make(chan struct{})
	var group sync.WaitGroup
	for i := range 2 + c.rng.IntN(3) {
		p := c.peers[i%len(c.peers)]
		group.Go(func() {
			<-start
			if revoke && i == 1 {
				c.end(ctx, l, "revoke")
				return
			}
			c.refreshAt(ctx, p, l, number)
		})
	}
	close(start)
	group.Wait()
}

// hurry is a client that does not wait for the answer.
func (c *client) hurry(ctx context.Context, l *login) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.rng.IntN(3000))*time.Microsecond)
	defer cancel()
	c.refreshAt(ctx, c.peer(), l, l.newest())
}

// steal uses a token that is so old that it must be somebody else's.
func (c *client) steal(ctx context.Context, l *login) {
	if newest := l.newest(); newest >= 2 {
		c.refreshAt(ctx, c.peer(), l, newest-2)
		c.count(c.ends, "reuse")
	}
}

// end ends a login, or all of its user's, and sees how long the other servers take to
// know.
func (c *client) end(ctx context.Context, l *login, what string) {
	p, ask := c.some(l), c.wire.revoke
	_, access := l.tokens(l.newest())
	d := &deed{What: what, Peer: p.name, Verdict: "lost", Called: c.now(), Returned: forever}
	if what == "revoke-all" {
		ask = c.wire.revokeAll
		l.account.condemn(d)
	} else {
		l.condemn()
	}
	a := ask(ctx, p, access)
	c.answered(what, a)
	switch a.verdict {
	case good:
		c.count(c.ends, what)
		c.ended(l, p, d, a)
		c.watch(ctx, l, p, a.returned)
		return
	case void: // it was over before
		c.refused(p, l, a, what)
	case absurd:
		c.violate(l, "absurd", "%s at %s: %s", what, p.name, a.text)
	}
	switch {
	case what == "revoke" && a.verdict == lost:
		l.note(*d)
	case a.verdict != lost:
		l.account.pardon(d)
	}
}

func (l *login) condemn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.condemned = true
}

func (a *account) condemn(d *deed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, d)
}

// pardon is for what was asked for and surely not done.
func (a *account) pardon(d *deed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(other *deed) bool { return other == d })
}

// ended takes over an end that was answered: of the login, or of all of the user's that
// were there when it was asked for.
func (c *client) ended(l *login, p peer, d *deed, a answer) {
	if d.What == "revoke" {
		d.Returned, d.Verdict = a.returned, "good"
		l.note(*d)
		l.learn(p.name, a.returned)
		return
	}
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	d.Returned, d.Verdict = a.returned, "good"
	for other := range l.account.logins {
		if other.began < d.Called {
			other.learn(p.name, a.returned)
		}
	}
}

// watch asks the other servers until they refuse, no longer than they may take.
func (c *client) watch(ctx context.Context, l *login, but peer, ended time.Duration) {
	var group sync.WaitGroup
	for _, p := range c.others(but) {
		group.Go(func() {
			for ctx.Err() == nil && c.now() < ended+2*c.stale {
				a := c.check(ctx, p, l, l.newest())
				switch a.verdict {
				case void:
					c.lag(a.returned - ended)
					return
				case good:
					time.Sleep(time.Millisecond)
				default: // it says nothing, which is no stale yes
					return
				}
			}
		})
	}
	group.Wait()
}

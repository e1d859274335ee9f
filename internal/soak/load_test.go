package soak

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const password = "correct horse battery staple"

// load is many clients of several servers.
type load struct {
	*wire
	*book
	peers    []peer
	accounts []*account
	stale    time.Duration // the promise
	logins   *rate.Limiter // a password costs what many requests do
	seed     uint64
}

func newLoad(b *book, peers []peer, users []string, stale time.Duration, seed uint64) *load {
	l := &load{wire: newWire(), book: b, peers: peers, stale: stale, logins: rate.NewLimiter(6, 6), seed: seed}
	for _, name := range users {
		l.accounts = append(l.accounts, &account{name: name, logins: map[*login]bool{}})
	}
	return l
}

// run lets the clients work until ctx ends, and waits until they have stopped.
func (l *load) run(ctx context.Context, clients int) {
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			c := &client{load: l, rng: rand.New(rand.NewPCG(l.seed, uint64(i)))}
			for ctx.Err() == nil {
				c.live(ctx)
			}
		})
	}
	group.Wait()
	l.http.CloseIdleConnections()
}

// client does one thing after the other, with one login after the other.
type client struct {
	*load
	rng *rand.Rand
}

func (c *client) peer() peer { return c.peers[c.rng.IntN(len(c.peers))] }

// others are all servers but one.
func (c *client) others(but peer) (all []peer) {
	for _, p := range c.peers {
		if p != but {
			all = append(all, p)
		}
	}
	return all
}

// live is the life of a login.
func (c *client) live(ctx context.Context) {
	who := c.accounts[c.rng.IntN(len(c.accounts))]
	l := c.begin(ctx, who)
	if l == nil {
		return
	}
	for range 60 + c.rng.IntN(240) {
		if ctx.Err() != nil || l.over() || l.doubtful() {
			break
		}
		c.something(ctx, l)
	}
	c.close(l, c.stale)
	who.leave(l)
}

func (c *client) begin(ctx context.Context, who *account) *login {
	if c.logins.Wait(ctx) != nil {
		return nil
	}
	from := c.peer()
	a := c.wire.login(context.WithoutCancel(ctx), from, who.name)
	c.answered("login", a)
	switch {
	case a.verdict == good && numberOf(a.refresh) == 0 && identityOf(a.access) != "":
		l := newLogin(who, from, a)
		who.enter(l)
		return l
	case a.verdict == good || a.verdict == absurd || a.verdict == void:
		c.violate(nil, "absurd", "login at %s: %s", from.name, a.text)
	default:
		c.rest(50)
	}
	return nil
}

// rest is up to so many milliseconds long.
func (c *client) rest(most int) { time.Sleep(time.Duration(c.rng.IntN(most*1000)) * time.Microsecond) }

// something is what clients do: they check and refresh; now and then several do so at
// once, an answer is lost, a token comes twice, and somebody ends a login or all.
func (c *client) something(ctx context.Context, l *login) {
	switch dice := c.rng.IntN(1000); {
	case dice < 640:
		c.check(ctx, c.peer(), l, c.rng.Int64N(l.newest()+1))
	case dice < 840:
		c.renew(ctx, l)
	case dice < 900:
		c.race(ctx, l, false)
	case dice < 904:
		c.race(ctx, l, true)
	case dice < 964:
		c.refreshAt(ctx, c.peer(), l, l.last()) // the answer was lost
	case dice < 969:
		c.hurry(ctx, l)
	case dice < 971:
		c.steal(ctx, l)
	case dice < 978:
		c.end(ctx, l, "revoke")
	case dice < 982:
		c.end(ctx, l, "revoke-all")
	default:
		c.rest(40)
	}
	c.rest(4)
}

// check asks whether an access token is honoured. Whoever says that it is, or is not,
// is held against what was known when the question was asked.
func (c *client) check(ctx context.Context, p peer, l *login, number int64) answer {
	_, access := l.tokens(number)
	a := c.wire.check(ctx, p, access)
	c.answered("check", a)
	switch a.verdict {
	case good:
		l.note(deed{What: "check", Peer: p.name, Called: a.called, Returned: a.returned, Verdict: "good"})
		c.vouched(p, l, a)
	case void:
		l.note(deed{What: "check", Peer: p.name, Called: a.called, Returned: a.returned, Verdict: "void"})
		c.refused(p, l, a, "check")
	case absurd:
		c.violate(l, "absurd", "check at %s: %s", p.name, a.text)
	}
	return a
}

// vouched judges a yes.
func (c *client) vouched(p peer, l *login, a answer) {
	l.mu.Lock()
	end := l.end
	wrong := end.stale(p.name, a.called, c.stale)
	l.mu.Unlock()
	if wrong {
		c.violate(l, "stale yes", "%s vouches %s after the end was known", p.name, a.called-end.since)
	}
}

// refused judges a no: without a reason somebody was logged out; with one, the end is
// known, there at once and everywhere soon.
func (c *client) refused(p peer, l *login, a answer, what string) {
	if l.reason(a.returned) == "" {
		c.violate(l, "logged out", "%s at %s is refused, and nobody had asked for that", what, p.name)
	}
	if what == "refresh" { // which is the store's word, and may be ahead of the view
		l.learn("", a.returned)
		return
	}
	l.learn(p.name, a.returned)
}

// refreshAt uses a refresh token at a server.
func (c *client) refreshAt(ctx context.Context, p peer, l *login, number int64) answer {
	refresh, _ := l.tokens(number)
	stolen := number < l.last()
	a := c.wire.refresh(ctx, p, refresh)
	c.answered("refresh", a)
	d := deed{What: "refresh", Peer: p.name, Number: number, Called: a.called, Returned: a.returned, Stolen: stolen}
	switch a.verdict {
	case good:
		d.Verdict, d.Given, d.Identity = "good", numberOf(a.refresh), identityOf(a.access)
		l.note(d)
		c.succeeded(p, l, number, a)
	case void:
		d.Verdict = "void"
		l.note(d)
		c.refused(p, l, a, "refresh")
	case lost:
		d.Verdict = "lost"
		l.note(d)
	case absurd:
		c.violate(l, "absurd", "refresh at %s: %s", p.name, a.text)
	}
	return a
}

// succeeded takes over the successor, the same one that others were given.
func (c *client) succeeded(p peer, l *login, number int64, a answer) {
	l.mu.Lock()
	known, wrong := "", numberOf(a.refresh) != number+1
	if int64(len(l.refresh)) == number+1 && !wrong {
		l.refresh, l.access = append(l.refresh, a.refresh), append(l.access, a.access)
	} else if !wrong {
		known = l.access[number+1]
	}
	ended := l.end.since != 0 && a.called > l.end.since
	l.mu.Unlock()
	switch {
	case wrong || known != "" && identityOf(known) != identityOf(a.access):
		c.violate(l, "two successors", "refresh token %d was given another successor at %s", number, p.name)
	case ended:
		c.violate(l, "refreshed after the end", "refresh token %d at %s", number, p.name)
	}
}

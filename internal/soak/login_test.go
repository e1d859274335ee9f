package soak

import (
	"slices"
	"sync"
	"time"
)

// account is a user, and all that was asked to end at once of what is the user's.
type account struct {
	name   string
	mu     sync.Mutex
	all    []*deed // revoke-all, written down before it is asked for
	logins map[*login]bool
}

// late is how long a request may still be carried out whose client has given up.
const late = time.Minute

// concerning are those that may have ended a login that was asked for at an instant.
func (a *account) concerning(asked time.Duration) (all []deed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.all {
		if d.Returned > asked || d.Verdict == "lost" && d.Called > asked-late {
			all = append(all, *d)
		}
	}
	return all
}

// end is what one knows of the end of a login: since when it is over for sure, and
// since when each server has known it.
type end struct {
	since time.Duration // 0: it may not be over
	known map[string]time.Duration
}

// learn takes over that a server knew at an instant that it is over; no server: that it
// was over, but that is not known to have been taken into anybody's view yet.
func (e *end) learn(server string, at time.Duration) {
	if e.since == 0 || at < e.since {
		e.since = at
	}
	if server == "" {
		return
	}
	if e.known == nil {
		e.known = map[string]time.Duration{}
	}
	if before, there := e.known[server]; !there || at < before {
		e.known[server] = at
	}
}

// stale tells whether a yes of a server, asked at an instant, is older than promised: a
// server that has known better may never say it, any other one no later than that.
func (e *end) stale(server string, asked, bound time.Duration) bool {
	known, there := e.known[server]
	return there && asked > known || e.since != 0 && asked > e.since+bound
}

// login is one login and its history.
type login struct {
	account *account
	asked   time.Duration // when it was called for
	began   time.Duration // when it was answered

	mu      sync.Mutex
	deeds   []deed
	refresh []string // the refresh tokens by number
	access  []string // the access token that came with each
	end     end
	asks    int // how many deeds nobody answered
	// condemned is set before its revocation is asked for.
	condemned bool
}

func newLogin(a *account, from peer, got answer) *login {
	return &login{
		account: a, asked: got.called, began: got.returned,
		refresh: []string{got.refresh}, access: []string{got.access},
		deeds: []deed{{What: "login", Peer: from.name, Called: got.called, Returned: got.returned, Verdict: "good", Identity: identityOf(got.access)}},
	}
}

// newest is the number of the newest refresh token.
func (l *login) newest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.refresh)) - 1
}

// last is the number of the refresh token that a client has used last, as far as it
// knows: one that was not answered may have been.
func (l *login) last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := int64(len(l.refresh)) - 1
	for _, d := range l.deeds {
		if d.What == "refresh" && d.Number == newest && d.Verdict == "lost" {
			return newest
		}
	}
	return max(0, newest-1)
}

func (l *login) tokens(number int64) (refresh, access string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refresh[number], l.access[number]
}

func (l *login) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.since != 0
}

// doubtful tells that too much of it was not answered to go on: the search for an order
// would take too long.
func (l *login) doubtful() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asks >= 6
}

func (l *login) note(d deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deeds = append(l.deeds, d)
	if d.Verdict == "lost" && d.What != "check" {
		l.asks++
	}
}

func (l *login) learn(server string, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end.learn(server, at)
}

// history is all that may have changed the login, and what was read of it.
func (l *login) history() []deed {
	all := l.account.concerning(l.asked)
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(slices.Clone(l.deeds), all...)
}

// reason tells why a login may have been refused at an instant: somebody had asked for
// its end, or an old refresh token had been used; else it is empty.
func (l *login) reason(at time.Duration) string {
	newest := l.newest()
	for _, d := range l.history() {
		switch {
		case d.Called > at:
		case d.What == "revoke" || d.What == "revoke-all":
			return d.What
		case d.What == "refresh" && (d.Stolen || d.Verdict == "lost" && d.Number < newest-1):
			return "reuse"
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.condemned {
		return "revoke"
	}
	return ""
}

// doubted tells whether anything of it was not answered.
func (l *login) doubted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asks > 0
}

// forget keeps of the history only what a later question needs.
func (l *login) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := len(l.refresh) - 1
	for i := range newest {
		l.refresh[i], l.access[i] = "", ""
	}
	l.deeds = slices.Clone(l.deeds[max(0, len(l.deeds)-4):])
}

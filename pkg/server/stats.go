package server

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/histogram"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// Stats are counts since New, and how the server is doing at this moment. They name
// no user, no token and no path, so there is a bounded number of them.
type Stats struct {
	// Doors are those that are open, "feed" for the feed of revocations, whose requests
	// wait for something to happen, and "none" for requests that are no door's.
	Doors []DoorStats
	// Core is what the token core counts: hashing of passwords, what was slowed,
	// revocations in memory and the age of that view, what was purged.
	Core issuer.Stats
	// AuditErrors counts events that Config.Audit refused.
	AuditErrors uint64
}

// DoorStats are the counts of one door.
type DoorStats struct {
	Name string
	// Requests are the times in seconds that requests took, by the class of their
	// status: 0 for 2xx, 1 for 3xx, 2 for 4xx, 3 for 5xx.
	Requests [Classes]Distribution
	Logins   map[string]uint64 // passwords checked, by outcome; see AuditEvent
	// Tokens counts what happened to tokens: issued, refreshed, reused, revoked (one),
	// login_revoked (a login with all its tokens), all_revoked (all of somebody).
	Tokens map[string]uint64
}

// Distribution says how many values were how large.
type Distribution = histogram.Reading

// Classes is how many classes of status there are.
const Classes = 4

// counts are what a Server counts itself. What a hot request adds to is found by two
// indexes.
type counts struct {
	requests  [doorCount][Classes]*histogram.Histogram
	logins    [doorCount][outcomeCount]atomic.Uint64
	tokens    [doorCount][tokenCount]atomic.Uint64
	unwritten atomic.Uint64
}

func newCounts() *counts {
	const us, ms = int64(time.Microsecond), int64(time.Millisecond)
	c := &counts{}
	for door := range c.requests {
		for class := range c.requests[door] {
			c.requests[door][class] = histogram.New(
				100*us, 250*us, 500*us, ms, 2500*us, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms, 1000*ms, 5000*ms,
			)
		}
	}
	return c
}

// answered counts a request.
func (c *counts) answered(door, status int, took time.Duration) {
	class := min(max(status/100-2, 0), Classes-1)
	c.requests[door][class].Observe(took.Nanoseconds())
}

// happened counts an event, at the door by which it came.
func (c *counts) happened(e issuer.Event) {
	names, words, outcomes := doorNames(), tokenWords(), outcomeWords()
	door := max(slices.Index(names[:], e.Door), doorNone)
	if i := slices.Index(outcomes[:], e.Outcome); i >= 0 && e.Name == issuer.EventLogin {
		c.logins[door][i].Add(1)
	}
	if e.Outcome != issuer.OutcomeSuccess && e.Name != issuer.EventReuse {
		return
	}
	if i := slices.IndexFunc(words[:], func(w tokenWord) bool { return w.event == e.Name }); i >= 0 {
		c.tokens[door][i].Add(1)
	}
}

const (
	outcomeCount = 4
	tokenCount   = 6
)

func outcomeWords() [outcomeCount]string {
	return [...]string{issuer.OutcomeSuccess, issuer.OutcomeRefused, issuer.OutcomeThrottled, issuer.OutcomeUnavailable}
}

// tokenWord is what an event is counted as.
type tokenWord struct{ event, word string }

func tokenWords() [tokenCount]tokenWord {
	return [...]tokenWord{
		{issuer.EventIssue, "issued"},
		{issuer.EventRefresh, "refreshed"},
		{issuer.EventReuse, "reused"},
		{issuer.EventRevoke, "revoked"},
		{issuer.EventLogout, "login_revoked"},
		{issuer.EventVoid, "all_revoked"},
	}
}

// of are the counts of one door.
func (c *counts) of(door int, name string) DoorStats {
	d := DoorStats{Name: name, Logins: make(map[string]uint64), Tokens: make(map[string]uint64)}
	for class := range d.Requests {
		d.Requests[class] = c.requests[door][class].Read(1e-9)
	}
	for i, outcome := range outcomeWords() {
		d.Logins[outcome] = c.logins[door][i].Load()
	}
	for i, word := range tokenWords() {
		d.Tokens[word.word] = c.tokens[door][i].Load()
	}
	return d
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	all := Stats{Core: s.issuer.Stats(), AuditErrors: s.counts.unwritten.Load()}
	for door, name := range doorNames() {
		if door == doorNone || door == doorFeed && slices.Contains(s.config.Dialects, doorNames()[doorOAuth2]) || slices.Contains(s.config.Dialects, name) {
			all.Doors = append(all.Doors, s.counts.of(door, name))
		}
	}
	return all
}

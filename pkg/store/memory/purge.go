package memory

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func (c *change) purge(v store.Purge) {
	removed := c.purgeFacts(v) + c.purgeSessions(v) + c.purgeTickets(v) + c.purgeOnce(v) + c.purgeAccessTokens(v)
	tell(v.Removed, int64(removed))
}

// endedBefore finds the keys of what ended before v.Before, those that ended
// first first, at most v.Limit. An end of 0 is none.
func endedBefore[K comparable, V any](v store.Purge, m map[K]V, end func(V) int64, tie func(a, b K) int) []K {
	var all []K
	for key, record := range m {
		if at := end(record); at != 0 && at < v.Before {
			all = append(all, key)
		}
	}
	return page(all, v.Limit, func(a, b K) int {
		return cmp.Or(cmp.Compare(end(m[a]), end(m[b])), tie(a, b))
	})
}

func (c *change) purgeFacts(v store.Purge) int {
	until := func(r store.Revocation) int64 { return r.Until }
	all := endedBefore(v, c.facts, until, func(a, b factKey) int { return cmp.Compare(c.facts[a].Seq, c.facts[b].Seq) })
	for _, key := range all {
		drop(c, c.facts, key)
	}
	c.compact()
	return len(all)
}

func (c *change) purgeSessions(v store.Purge) int {
	all := endedBefore(v, c.sessions, ended, byID)
	for _, id := range all {
		drop(c, c.accessor, c.sessions[id].Accessor)
		drop(c, c.sessions, id)
	}
	return len(all)
}

func (c *change) purgeTickets(v store.Purge) int {
	all := endedBefore(v, c.tickets, func(t store.Ticket) int64 { return t.KeepUntil }, byID)
	for _, id := range all {
		drop(c, c.userCodes, c.tickets[id].UserCode)
		drop(c, c.tickets, id)
	}
	return len(all)
}

func (c *change) purgeOnce(v store.Purge) int {
	all := endedBefore(v, c.once, func(until int64) int64 { return until }, strings.Compare)
	for _, value := range all {
		drop(c, c.once, value)
	}
	return len(all)
}

func (c *change) purgeAccessTokens(v store.Purge) int {
	all := endedBefore(v, c.accessTokens, func(t store.AccessToken) int64 { return t.KeepUntil }, func(a, b numberKey) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.number, b.number))
	})
	for _, key := range all {
		c.dropAccessToken(c.accessTokens[key])
	}
	return len(all)
}

func byID(a, b store.ID) int { return bytes.Compare(a[:], b[:]) }

// ended is the end of a session as far as it is known, 0 when it is not.
func ended(s store.Session) int64 {
	if s.RevokedAt == 0 || s.ExpiresAt == 0 {
		return s.RevokedAt + s.ExpiresAt
	}
	return min(s.RevokedAt, s.ExpiresAt)
}

// compact drops the void part of the log when it is the larger one. The log it
// leaves is another one, so that takeBack finds the old one as it was.
func (c *change) compact() {
	if len(c.log) < 2*len(c.facts)+64 {
		return
	}
	before := c.log
	c.undo = append(c.undo, func() { c.log = before })
	c.log = make([]store.Revocation, 0, len(c.facts))
	for _, r := range before {
		if c.facts[factKey{r.Kind, r.Key}].Seq == r.Seq {
			c.log = append(c.log, r)
		}
	}
}

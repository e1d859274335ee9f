package issuer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// ScopeRevocations lets an application read the feed of revocations.
const ScopeRevocations = "revocations"

// ErrCursor says that the feed has never been at that cursor: it is another
// store's, or of one that was put back to an earlier state.
var ErrCursor = errors.New("the cursor is not of this store")

// cursor is a place in the order of facts: the Seq of the last fact before it, and the
// epoch of the store that it is of. In a snapshot it is where the facts go on behind it,
// and the part that is told next; else part is 0. Its text is nobody's to read.
type cursor struct {
	seq   int64
	epoch string
	part  int64
}

func (c cursor) String() string {
	if c.seq == 0 {
		return ""
	}
	text := strconv.FormatInt(c.seq, 36) + "." + c.epoch
	if c.part > 0 {
		text += "." + strconv.FormatInt(c.part, 36)
	}
	return text
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	seq, rest, _ := strings.Cut(text, ".")
	epoch, part, inside := strings.Cut(rest, ".")
	c.seq, err = strconv.ParseInt(seq, 36, 64)
	if c.epoch = epoch; inside && err == nil {
		c.part, err = strconv.ParseInt(part, 36, 64)
	}
	if err != nil || c.String() != text || c.seq <= 0 || c.part < 0 || c.part >= verifier.Parts {
		return cursor{}, ErrCursor
	}
	return c, nil
}

// page is what comes behind a cursor, as a tenant may see it.
type page struct {
	facts    []store.Revocation
	snapshot *verifier.Part // of the mirror, but for its marks; nil: the page is of no snapshot
	next     cursor         // behind them
	head     cursor         // behind the last that this process knows
	seen     time.Time      // as of when it knows it, by Machine
}

// FeedQuery asks for one page of the feed.
type FeedQuery struct {
	// After is the cursor; empty: the beginning. The answer repeats it, and Nonce, so
	// that it answers nothing else.
	After, Nonce string
	// Snapshot says that who asks can read pages of a snapshot.
	Snapshot bool
	Came     time.Time     // when the request came in, by Issuer.Machine
	Wait     time.Duration // how long to wait for facts; 0: not at all
}

// FeedPage is an answer: signed, and the cursor behind it.
type FeedPage struct {
	Signed string // compact JWS (RFC 7515 section 7.1)
	Next   string
}

const (
	feedFacts = factsBatch
	feedBytes = 512 << 10 // of the facts in a page, as text
)

// Feed answers with the facts behind a cursor that concern the door's tenant. The
// errors are ErrCursor, and token.ErrUnavailable where the view is too old to be
// told as it is.
func (d *Door) Feed(ctx context.Context, q FeedQuery) (FeedPage, error) {
	after, err := parseCursor(q.After)
	if err != nil {
		return FeedPage{}, err
	}
	p, err := d.pageOf(ctx, q, after)
	if err != nil {
		return FeedPage{}, err
	}
	keys, err := d.keysNow()
	if err != nil {
		return FeedPage{}, err
	}
	text := d.writePage(q, &p)
	if p.snapshot != nil && len(text) > snapshotText { // a part has grown beyond what is told in a page
		return FeedPage{}, ErrCursor
	}
	signed, err := keys.ring.SignDocument(signing.Header{Type: verifier.FeedType, KeyID: true}, text)
	if err != nil {
		return FeedPage{}, fmt.Errorf("sign: %w", err)
	}
	return FeedPage{Signed: signed, Next: p.next.String()}, nil
}

// pageOf is a page of a snapshot where there may be one, else of the facts in their
// order.
func (d *Door) pageOf(ctx context.Context, q FeedQuery, after cursor) (page, error) {
	switch {
	case after.part > 0 && !q.Snapshot:
		return page{}, ErrCursor
	case after.part > 0 || after.seq == 0 && q.Snapshot:
		p, err := d.issuer.snapshot(ctx, d.Tenant, after)
		if !errors.Is(err, errNoSnapshot) {
			return p, err
		}
	}
	return d.issuer.page(ctx, d.Tenant, after, q.Wait)
}

// writePage writes a page, or the part of it that has room, and moves its next
// cursor there. One of a snapshot has room for all.
func (d *Door) writePage(q FeedQuery, p *page) []byte {
	facts := make([]byte, 0, 64+72*len(p.facts))
	for n, f := range p.facts {
		if len(facts) > feedBytes && p.snapshot == nil {
			p.next.seq = p.facts[n-1].Seq
			break
		}
		if n > 0 {
			facts = append(facts, ',')
		}
		facts = appendFact(facts, f)
	}
	b := make([]byte, 0, 512+len(facts)+p.snapshotLength())
	b = appendString(append(b, `{"iss":`...), d.Issuer)
	b = appendString(append(b, `,"tenant":`...), d.Tenant)
	b = appendSeconds(append(b, `,"iat":`...), d.issuer.clock.read().UnixMicro())
	b = appendString(append(b, `,"after":`...), q.After)
	if q.Nonce != "" {
		b = appendString(append(b, `,"nonce":`...), q.Nonce)
	}
	// Of two readings of one clock: whoever asked knows by it how old the view is,
	// whatever the clock over there says.
	b = strconv.AppendInt(append(b, `,"seen":`...), p.seen.Sub(q.Came).Microseconds(), 10)
	b = appendString(append(b, `,"next":`...), p.next.String())
	b = strconv.AppendInt(append(b, `,"head":`...), max(p.head.seq, p.next.seq), 10)
	b = strconv.AppendBool(append(b, `,"more":`...), p.snapshot != nil || p.next.seq < p.head.seq)
	b = p.appendSnapshot(b)
	b = append(append(b, `,"facts":[`...), facts...)
	return append(b, "]}"...)
}

func appendFact(b []byte, f store.Revocation) []byte {
	b = append(append(append(b, `["`...), f.Kind...), `","`...)
	b = append(base64.RawURLEncoding.AppendEncode(b, []byte(f.Key)), `",`...)
	b = strconv.AppendInt(b, f.At, 10)
	return append(strconv.AppendInt(append(b, ','), f.Until, 10), ']')
}

// page returns what comes behind a cursor, and waits for it if it must. What
// is another tenant's moves the cursor alone, and ends no waiting.
func (i *Issuer) page(ctx context.Context, tenant string, after cursor, wait time.Duration) (p page, err error) {
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for {
		news := i.tail.news()
		if p, err = i.behind(ctx, after); err != nil {
			return p, err
		}
		p.facts = visible(p.facts, tenant)
		if after = p.next; len(p.facts) > 0 || wait == 0 || i.IsDrained() {
			return p, nil
		}
		if p.next.seq < p.head.seq { // the next part at once
			continue
		}
		select {
		case <-news:
		case <-i.drained:
			wait = 0
		case <-patience.C:
			wait = 0
		case <-ctx.Done():
			return p, fmt.Errorf("%w: %w", token.ErrUnavailable, ctx.Err())
		}
	}
}

// visible leaves out what is no revocation, and what names a subject of another
// tenant. The keys of tokens and sessions say nothing to who has not got them.
func visible(rows []store.Revocation, tenant string) []store.Revocation {
	list := make([]store.Revocation, 0, len(rows))
	for _, r := range rows {
		whose := r.Key
		switch r.Kind {
		case store.RevokeToken, store.RevokeSession, store.RevokeAll:
			whose = tenant
		case store.RevokeSubject, store.RevokeClient:
			whose, _, _ = strings.Cut(r.Key, "\x00")
		case store.RevokeTenant:
		default:
			continue
		}
		if whose == tenant {
			list = append(list, r)
		}
	}
	return list
}

// behind returns the facts behind a cursor, of all tenants: from memory those that
// came last, others from the store.
func (i *Issuer) behind(ctx context.Context, after cursor) (page, error) {
	if err := i.reach(ctx, after); err != nil {
		return page{}, err
	}
	// The instant before the facts: those that are seen may only be newer.
	seen := i.synced.Load()
	p := page{seen: seen.at}
	var known bool
	p.facts, p.head, known = i.tail.after(after.seq, feedFacts)
	if err := after.follows(p.head, seen); err != nil {
		return p, err
	}
	if !known {
		within, cancel := context.WithTimeout(ctx, factsWithin)
		defer cancel()
		var err error
		if p.facts, err = i.Store.Revocations(within, after.seq, feedFacts); err != nil {
			return p, unavailable(err)
		}
	}
	p.next = p.head // there are no more behind the facts, up to there
	switch n := len(p.facts); {
	case n == feedFacts:
		p.next.seq = p.facts[n-1].Seq
	case n > 0:
		p.next.seq = max(p.next.seq, p.facts[n-1].Seq)
	}
	return p, nil
}

// isWithin tells whether a cursor is of that history, and not behind its end.
func (c cursor) isWithin(head cursor) bool {
	return c.seq == 0 || c.epoch == head.epoch && c.seq <= head.seq
}

// follows tells whether what comes behind a cursor can be told up to a head. One of
// another epoch than the view is of facts that are being read.
func (c cursor) follows(head cursor, seen *view) error {
	if head.epoch != seen.epoch {
		return token.Refuse(token.ErrUnavailable, "the revocations are being read again")
	}
	if !c.isWithin(head) {
		return ErrCursor
	}
	return nil
}

// reach makes sure that the mirror is fresh and, unless the cursor is of another
// store, holds all before it: another process may have gone ahead of this one.
func (i *Issuer) reach(ctx context.Context, c cursor) error {
	err := i.Fresh(ctx)
	if err == nil && !c.isWithin(i.tail.last()) {
		err = i.sync(ctx)
	}
	return err
}

// EnterFeed counts one more who waits at the feed, until leave; false: there are
// too many.
func (i *Issuer) EnterFeed() (leave func(), ok bool) {
	if !i.tail.enter() {
		return nil, false
	}
	return func() { i.tail.leave(i.Now()) }, true
}

// Drain ends the waiting of all requests to the feed, now and from now on, so that
// a server that stops is not held up by them.
func (i *Issuer) Drain() { i.drain.Do(func() { close(i.drained) }) }

// IsDrained tells whether Drain was called.
func (i *Issuer) IsDrained() bool {
	select {
	case <-i.drained:
		return true
	default:
		return false
	}
}

// wake has the store looked at now, since somebody waits for what is in it.
func (i *Issuer) wake() {
	select {
	case i.awake <- struct{}{}:
	default:
	}
}

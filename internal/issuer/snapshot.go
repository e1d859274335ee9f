package issuer

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

const (
	// snapshotBytes are in a page, but where one part alone has more. Who follows reads
	// it beside another.
	snapshotBytes = 512 << 10
	// snapshotPart is the most that a part may have where a snapshot begins, so that its
	// page, encoded twice, is within verifier.MaxFeedAnswer, though the part grows
	// meanwhile.
	snapshotPart = verifier.MaxFeedAnswer / 2
	snapshotText = verifier.MaxFeedAnswer/4*3 - 64<<10 // of a page, before it is signed
)

// errNoSnapshot says that facts are to be told in their order.
var errNoSnapshot = errors.New("there is no snapshot")

// snapshot returns a page that holds what some parts of the mirror do. It is for who has
// nothing: the mirror has in few large pieces what the store has in millions of rows.
//
// Nothing is missed by it, though facts are added all the time and each page may
// be of another replica. The place where the facts go on behind the snapshot is
// taken before the first part is read, and stays the same on all pages. A fact
// up to there is in the mirror of whoever tells a page: sync adds facts to the
// mirror first and moves the tail's head then, in the order of the store, which has no
// gaps that are filled later; and reach has the head at that place, or there is no page.
// A fact is in the same part at every replica, and stays there until it is over, so it is
// in the page of that part. A fact behind the place may be in a page or not: it comes in
// the order of facts, after the snapshot. Twice is as good as once.
func (i *Issuer) snapshot(ctx context.Context, tenant string, after cursor) (page, error) {
	if err := i.reach(ctx, after); err != nil {
		return page{}, err
	}
	seen := i.synced.Load()
	p := page{seen: seen.at, head: i.tail.last(), next: after}
	if err := after.follows(p.head, seen); err != nil {
		return p, err
	}
	if after.seq == 0 {
		p.next = p.head
		if p.head.seq == 0 || !i.fitsSnapshot() {
			return p, errNoSnapshot
		}
	}
	p.snapshot = i.readParts(&p.next)
	p.facts = visible(marks(p.snapshot.Marks), tenant)
	return p, nil
}

// fitsSnapshot tells whether each part can be told in a page.
func (i *Issuer) fitsSnapshot() bool {
	for n := range verifier.Parts {
		if i.revocations.PartBytes(n) > snapshotPart {
			return false
		}
	}
	return true
}

// readParts reads parts from that of the cursor on, one at the least, and moves the
// cursor behind them: after the last to the facts that follow.
func (i *Issuer) readParts(next *cursor) *verifier.Part {
	part := new(verifier.Part)
	for size := i.revocations.PartBytes(int(next.part)); ; size += i.revocations.PartBytes(int(next.part)) {
		if size > snapshotBytes && len(part.Tokens)+len(part.Sessions)+len(part.Marks) > 0 {
			return part
		}
		i.revocations.ReadPart(int(next.part), part)
		if next.part++; next.part == verifier.Parts {
			next.part = 0
			return part
		}
	}
}

func marks(facts []verifier.Fact) []store.Revocation {
	list := make([]store.Revocation, len(facts))
	for n, f := range facts {
		list[n] = store.Revocation{Kind: string(f.Kind), Key: f.Key, At: f.At}
	}
	return list
}

// appendSnapshot writes the members that only a page of a snapshot has.
func (p *page) appendSnapshot(b []byte) []byte {
	if p.snapshot == nil {
		return b
	}
	b = base64.RawURLEncoding.AppendEncode(append(b, `,"tokens":"`...), p.snapshot.Tokens)
	b = base64.RawURLEncoding.AppendEncode(append(b, `","sessions":"`...), p.snapshot.Sessions)
	return append(b, '"')
}

// snapshotLength is about what appendSnapshot needs.
func (p *page) snapshotLength() int {
	if p.snapshot == nil {
		return 0
	}
	return base64.RawURLEncoding.EncodedLen(len(p.snapshot.Tokens)+len(p.snapshot.Sessions)) + 32
}

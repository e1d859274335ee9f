package issuer

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Purge is what Run does every ten seconds.
func (i *Issuer) Purge(ctx context.Context) { i.purge(ctx) }

// Follow is what Run does ten times a second.
func (i *Issuer) Follow(ctx context.Context) error { return i.sync(ctx) }

// Look is what Run does every Recheck.
func (i *Issuer) Look(ctx context.Context, gone map[string]bool) { i.recheck(ctx, gone) }

// FillPasses remembers so many opaque tokens of one user.
func FillPasses(i *Issuer, count int, now time.Time) {
	s := store.Session{Subject: "marco", Opaque: &store.Opaque{UUID: "u"}, ExpiresAt: 1 << 60}
	for n := range count {
		binary.LittleEndian.PutUint64(s.ID[:], uint64(n)*0x9e3779b97f4a7c15)
		i.passes.put(s, now)
	}
}

// CountPasses tells how many opaque tokens are remembered.
func CountPasses(i *Issuer) (count int) {
	for n := range i.passes.shards {
		count += len(i.passes.shards[n].young.passes) + len(i.passes.shards[n].old.passes)
	}
	return count
}

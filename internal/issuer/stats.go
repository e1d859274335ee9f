package issuer

import (
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Stats are counts of an Issuer since New, and how it is doing.
type Stats struct {
	Hashing     password.Stats
	Throttle    throttle.Stats
	Revocations map[verifier.FactKind]int // in memory
	ViewAge     time.Duration             // of the mirror of revocations
	Purged      int64                     // records that were over and were removed
	PurgeErrors int64
}

// Stats returns the counts.
func (i *Issuer) Stats() Stats {
	return Stats{
		Hashing: i.Hasher.Stats(), Throttle: i.Throttle.Stats(), Revocations: i.revocations.Count(),
		ViewAge: i.Machine().Sub(i.synced.Load().at), Purged: i.purged.done.Load(), PurgeErrors: i.purged.failed.Load(),
	}
}

// counts are of what was done, and of how often that failed.
type counts struct{ done, failed atomic.Int64 }

func (c *counts) count(n int64, err error) {
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.done.Add(n)
}

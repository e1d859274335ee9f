package verifier

import (
	"context"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxProofs bounds a proofMemory: 4,000 a second in the usual window, and some 40
// MB.
const maxProofs = 1 << 18

// proofMemory remembers proofs until they can no longer be used. When it is full
// it refuses further ones: what was forgotten could be used twice.
type proofMemory struct {
	now   func() time.Time
	most  int
	mu    sync.Mutex
	ids   map[string]struct{}
	ends  map[int64][]string // the second in which they end
	swept int64              // the second in which that was last looked at
}

func newProofMemory(now func() time.Time, most int) *proofMemory {
	return &proofMemory{now: now, most: most, ids: map[string]struct{}{}, ends: map[int64][]string{}}
}

// seen has the contract of ProofConfig.Seen.
func (m *proofMemory) seen(_ context.Context, id string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now().Unix(); now != m.swept {
		m.sweep(now)
	}
	if _, known := m.ids[id]; known {
		return ErrReplayed
	}
	if len(m.ids) >= m.most {
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "too many proofs of possession at once", RetryAfter: time.Second}
	}
	m.ids[id] = struct{}{}
	m.ends[until.Unix()] = append(m.ends[until.Unix()], id)
	return nil
}

// sweep forgets what ended before that second. There are no more seconds to look
// at than a proof is good for.
func (m *proofMemory) sweep(now int64) {
	m.swept = now
	for end, ids := range m.ends {
		if end >= now {
			continue
		}
		for _, id := range ids {
			delete(m.ids, id)
		}
		delete(m.ends, end)
	}
}

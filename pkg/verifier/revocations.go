package verifier

import (
	"sync"
	"time"
)

// Fact is one revocation: what it names is void. Facts are never taken back.
type Fact struct {
	Kind  FactKind
	Key   string // what it names; see the kinds
	At    int64  // microseconds since 1970: tokens issued at or before are void
	Until int64  // microseconds since 1970: when the last token it concerns is over; 0: keep it
}

// FactKind is what a Fact names.
type FactKind string

// The kinds of Fact.
const (
	RevokedToken   FactKind = "token"   // Key: 16 bytes, token.Identity
	RevokedSession FactKind = "session" // Key: 16 bytes, token.ID.Session
	RevokedSubject FactKind = "subject" // Key: as in Query
	RevokedTenant  FactKind = "tenant"  // Key: the tenant
	RevokedAll     FactKind = "all"     // Key: empty
)

// Revocations is a set of facts in memory, safe for concurrent use. Its zero
// value is empty and ready.
type Revocations struct {
	mu       sync.RWMutex
	tokens   map[[16]byte]int64 // identity -> until
	sessions map[[16]byte]int64 // session -> until
	subjects map[string]int64   // subject key -> at
	tenants  map[string]int64   // tenant -> at
	all      int64              // at
}

// Add takes facts in; one that is known already changes nothing.
func (r *Revocations) Add(facts ...Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range facts {
		switch f.Kind {
		case RevokedToken:
			addUntil(&r.tokens, f)
		case RevokedSession:
			addUntil(&r.sessions, f)
		case RevokedSubject:
			addAt(&r.subjects, f)
		case RevokedTenant:
			addAt(&r.tenants, f)
		case RevokedAll:
			r.all = max(r.all, f.At)
		}
	}
}

func addUntil(m *map[[16]byte]int64, f Fact) {
	if len(f.Key) != 16 {
		return
	}
	if *m == nil {
		*m = make(map[[16]byte]int64)
	}
	id := [16]byte([]byte(f.Key))
	if old, ok := (*m)[id]; ok && (old == 0 || f.Until != 0 && old > f.Until) {
		return
	}
	(*m)[id] = f.Until
}

func addAt(m *map[string]int64, f Fact) {
	if *m == nil {
		*m = make(map[string]int64)
	}
	(*m)[f.Key] = max((*m)[f.Key], f.At)
}

// Query names a token for Revoked.
type Query struct {
	Identity [16]byte // token.Identity
	Session  [16]byte // of its ID; zero: unknown
	Tenant   string
	Subject  string // the key of RevokedSubject facts
	IssuedAt int64  // microseconds since 1970
}

// Revoked reports whether a fact concerns that token.
func (r *Revocations) Revoked(q Query) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, gone := r.tokens[q.Identity]; gone {
		return true
	}
	if _, gone := r.sessions[q.Session]; gone && q.Session != [16]byte{} {
		return true
	}
	until := max(r.subjects[q.Subject], r.tenants[q.Tenant], r.all)
	return until > 0 && q.IssuedAt <= until
}

// Prune forgets facts about tokens that are over and returns how many.
func (r *Revocations) Prune(now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, m := range []map[[16]byte]int64{r.tokens, r.sessions} {
		for id, until := range m {
			if until != 0 && until < now.UnixMicro() {
				delete(m, id)
				n++
			}
		}
	}
	return n
}

// Len returns the number of facts held.
func (r *Revocations) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.tokens) + len(r.sessions) + len(r.subjects) + len(r.tenants)
}

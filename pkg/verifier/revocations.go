package verifier

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
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
	RevokedSubject FactKind = "subject" // Key: SubjectKey
	RevokedClient  FactKind = "client"  // Key: SubjectKey of the tenant and the client_id
	RevokedTenant  FactKind = "tenant"  // Key: the tenant
	RevokedAll     FactKind = "all"     // Key: empty
)

// SubjectKey names a user of a tenant, or an application of one, in a Fact and in
// a Query.
func SubjectKey(tenant, subject string) string { return tenant + "\x00" + subject }

const shardCount = 256

// Revocations is a set of facts in memory, safe for concurrent use. Its zero
// value is empty and ready. A revoked token or session costs it some 40 bytes.
type Revocations struct {
	shards  [shardCount]shard
	tenants atomic.Pointer[map[string]int64] // tenant -> at; replaced as a whole
	all     atomic.Int64                     // at
	count   [kinds]atomic.Int64
}

// shard holds the ids, subjects and clients that hash to it. Times of ids are whole
// seconds, rounded up, which takes half the room.
type shard struct {
	mu    sync.RWMutex
	ids   [2]map[[16]byte]uint32 // of tokens, of sessions -> until; 0: keep
	marks [2]map[string]int64    // of subjects, of clients: key -> at
}

// Indexes of Revocations.count, the first two of shard.ids too.
const (
	tokenIDs = iota
	sessionIDs
	subjectKeys
	clientKeys
	kinds
)

// Add takes facts in; one that is known already changes nothing.
func (r *Revocations) Add(facts ...Fact) {
	for _, f := range facts {
		switch f.Kind {
		case RevokedToken:
			r.addID(tokenIDs, f)
		case RevokedSession:
			r.addID(sessionIDs, f)
		case RevokedSubject:
			r.addMark(subjectKeys, f.Key, f.At)
		case RevokedClient:
			r.addMark(clientKeys, f.Key, f.At)
		case RevokedTenant:
			r.addTenant(f.Key, f.At)
		case RevokedAll:
			raise(&r.all, f.At)
		}
	}
}

func (r *Revocations) addID(kind int, f Fact) {
	if len(f.Key) != 16 {
		return
	}
	id := [16]byte([]byte(f.Key))
	if id == [16]byte{} { // names nothing
		return
	}
	s := &r.shards[id[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	r.count[kind].Add(s.addID(kind, id, wholeSeconds(f.Until)))
}

// addID returns how many ids were added. The shard is locked.
func (s *shard) addID(kind int, id [16]byte, until uint32) int64 {
	m := s.ids[kind]
	old, known := m[id]
	if known && (old == 0 || until != 0 && old >= until) {
		return 0
	}
	if m == nil {
		m = make(map[[16]byte]uint32)
		s.ids[kind] = m
	}
	m[id] = until
	if known {
		return 0
	}
	return 1
}

// wholeSeconds rounds up; what lies beyond the year 2106 is kept.
func wholeSeconds(microseconds int64) uint32 {
	if microseconds == 0 || microseconds > (math.MaxUint32-1)*1_000_000 {
		return 0
	}
	return uint32(max(1, (microseconds+999_999)/1_000_000))
}

// addMark adds one of subjectKeys or clientKeys.
func (r *Revocations) addMark(kind int, key string, at int64) {
	s := &r.shards[shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.marks[kind-subjectKeys]
	if m == nil {
		m = make(map[string]int64)
		s.marks[kind-subjectKeys] = m
	}
	old, known := m[key]
	if m[key] = max(old, at); !known {
		r.count[kind].Add(1)
	}
}

// shardOf is FNV-1a folded to a byte.
func shardOf(key string) byte {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return byte(h ^ h>>8 ^ h>>16 ^ h>>24)
}

func (r *Revocations) addTenant(tenant string, at int64) {
	for {
		old := r.tenants.Load()
		next := map[string]int64{}
		if old != nil {
			next = maps.Clone(*old)
		}
		next[tenant] = max(next[tenant], at)
		if r.tenants.CompareAndSwap(old, &next) {
			return
		}
	}
}

func raise(v *atomic.Int64, to int64) {
	for {
		old := v.Load()
		if old >= to || v.CompareAndSwap(old, to) {
			return
		}
	}
}

// Query names a token for Revoked.
type Query struct {
	Identity [16]byte // token.Identity; zero: unknown
	Session  [16]byte // of its ID; zero: unknown
	Tenant   string
	Subject  string // SubjectKey
	Client   string // SubjectKey of its client_id; empty: none
	IssuedAt int64  // microseconds since 1970; 0: unknown, and then any watermark voids it
}

// Revoked reports whether a fact concerns that token.
func (r *Revocations) Revoked(q Query) bool {
	if r.hasID(tokenIDs, q.Identity) || r.hasID(sessionIDs, q.Session) {
		return true
	}
	until := max(r.all.Load(), r.markAt(subjectKeys, q.Subject))
	if q.Client != "" {
		until = max(until, r.markAt(clientKeys, q.Client))
	}
	if tenants := r.tenants.Load(); tenants != nil {
		until = max(until, (*tenants)[q.Tenant])
	}
	return until > 0 && q.IssuedAt <= until
}

func (r *Revocations) hasID(kind int, id [16]byte) bool {
	if r.count[kind].Load() == 0 || id == [16]byte{} {
		return false
	}
	s := &r.shards[id[0]]
	s.mu.RLock()
	_, gone := s.ids[kind][id]
	s.mu.RUnlock()
	return gone
}

func (r *Revocations) markAt(kind int, key string) int64 {
	if r.count[kind].Load() == 0 {
		return 0
	}
	s := &r.shards[shardOf(key)]
	s.mu.RLock()
	at := s.marks[kind-subjectKeys][key]
	s.mu.RUnlock()
	return at
}

// Prune forgets facts about tokens that are over and returns how many. It holds
// up look-ups for no longer than one of 256 parts takes.
func (r *Revocations) Prune(now time.Time) int {
	total := 0
	for i := range r.shards {
		for kind := range r.shards[i].ids {
			n := r.shards[i].prune(kind, now.Unix())
			r.count[kind].Add(-int64(n))
			total += n
		}
	}
	return total
}

func (s *shard) prune(kind int, now int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.ids[kind])
	maps.DeleteFunc(s.ids[kind], func(_ [16]byte, until uint32) bool { return until != 0 && int64(until) < now })
	return before - len(s.ids[kind])
}

// Count returns the number of facts held by their kinds, those that are none too.
func (r *Revocations) Count() map[FactKind]int {
	count := map[FactKind]int{RevokedTenant: 0, RevokedAll: 0}
	for i, kind := range []FactKind{tokenIDs: RevokedToken, sessionIDs: RevokedSession, subjectKeys: RevokedSubject, clientKeys: RevokedClient} {
		count[kind] = int(r.count[i].Load())
	}
	if tenants := r.tenants.Load(); tenants != nil {
		count[RevokedTenant] = len(*tenants)
	}
	if r.all.Load() != 0 {
		count[RevokedAll] = 1
	}
	return count
}

// Len returns the number of facts held.
func (r *Revocations) Len() int {
	n := 0
	for i := range r.count {
		n += int(r.count[i].Load())
	}
	if tenants := r.tenants.Load(); tenants != nil {
		n += len(*tenants)
	}
	if r.all.Load() != 0 {
		n++
	}
	return n
}

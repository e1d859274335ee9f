package issuer

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/internal/acl"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Pass is what a check knows of an opaque token that is honoured at this moment.
type Pass struct {
	ID store.ID // of its session
	*holder
	createdAt, expiresAt int64
}

// holder is what tokens of one user that allow the same share.
type holder struct {
	subject, key, uuid string // key: store.SubjectKey
	acl                *acl.List
}

// Subject is the name of the user whose token it is.
func (h *holder) Subject() string { return h.subject }

// UUID is what the user is called by clients that know UUIDs.
func (h *holder) UUID() string { return h.uuid }

// Allows tells whether the token may be used for what needs an access.
func (h *holder) Allows(access string) bool { return h.acl.Allows(access) }

// Covers tells whether its bearer may give an access to others.
func (h *holder) Covers(access string) bool { return h.acl.Covers(access) }

// rules is Live.Rules: what can be done at other doors needs what it would need at
// the token's own.
func (h *holder) rules() error {
	for _, access := range []string{"sessions.read", "sessions.all.delete", "tokens.read", "tokens.all.delete"} {
		if !h.Allows("auth.users." + h.uuid + "." + access) {
			return token.Refuse(token.ErrDenied, "the token does not allow %q", "auth.users.me."+access)
		}
	}
	return nil
}

// Check tells whether an opaque token of the door's is honoured at this moment:
// ErrUnknown, ErrExpired, ErrRevoked. It writes nothing, and asks the store for a
// token once in a while.
func (d *Door) Check(ctx context.Context, raw string) (*Pass, error) {
	id, ok := d.opaqueID(raw)
	if !ok {
		return nil, errUnknownToken()
	}
	if err := d.issuer.Fresh(ctx); err != nil {
		return nil, err
	}
	now := d.issuer.clock.read()
	p, ok := d.issuer.passes.get(id, now)
	if !ok {
		s, err := d.issuer.Store.Session(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && (s.Opaque == nil || s.RevokedAt != 0):
			return nil, errUnknownToken()
		case err != nil:
			return nil, unavailable(err)
		}
		d.issuer.clock.follow(s.CreatedAt) // what voids it from now on is later
		p = d.issuer.passes.put(s, now)
	}
	switch q := (verifier.Query{Session: id, Tenant: d.Tenant, Subject: p.key, IssuedAt: p.createdAt}); {
	case d.issuer.revocations.Revoked(q):
		return nil, token.ErrRevoked
	case now.UnixMicro() >= p.expiresAt:
		return nil, token.ErrExpired
	}
	d.issuer.Recorder.Caller(ctx, d.Tenant, p.subject)
	return &p, nil
}

// passes remembers tokens that were found, in bounded memory. What it remembers was
// true when it was read, and can only become void: by time, or by a fact.
type passes struct {
	shards  [passShards]passShard
	holders [passShards]holderShard
}

const (
	passShards = 64
	// passMost is how many tokens a generation of a shard holds.
	passMost = 1 << 20 / passShards
	// passFor is how long a generation is filled, in seconds. A token is read again
	// after twice that at the latest: no fact needs to be kept for longer.
	passFor = 1800
)

// passShard has two generations. The older goes when the younger is full, or old.
type passShard struct {
	mu         sync.RWMutex
	young, old generation
}

type generation struct {
	began  time.Time
	passes map[store.ID]held
}

// holderShard finds holders by a hash of what they say, so that those of a user's
// tokens are one. It has two generations too, and lets none go that is in use.
type holderShard struct {
	mu         sync.Mutex
	young, old map[[16]byte]*holder
}

// held is a Pass without its ID.
type held struct {
	*holder
	createdAt, expiresAt int64
}

func (p *passes) get(id store.ID, now time.Time) (Pass, bool) {
	s := &p.shards[id[0]%passShards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, g := range []*generation{&s.young, &s.old} {
		if k, ok := g.passes[id]; ok && now.Sub(g.began) < 2*passFor*time.Second && !now.Before(g.began) {
			return Pass{id, k.holder, k.createdAt, k.expiresAt}, true
		}
	}
	return Pass{}, false
}

func (p *passes) put(s store.Session, now time.Time) Pass {
	k := held{p.holder(s), s.CreatedAt, s.ExpiresAt}
	shard := &p.shards[s.ID[0]%passShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	g := &shard.young
	if g.passes == nil || len(g.passes) >= passMost || now.Sub(g.began) >= passFor*time.Second || now.Before(g.began) {
		shard.old, shard.young = shard.young, generation{now, make(map[store.ID]held)}
	}
	g.passes[s.ID] = k
	return Pass{s.ID, k.holder, k.createdAt, k.expiresAt}
}

// holder is shared by tokens for which it says the same.
func (p *passes) holder(s store.Session) *holder {
	session := ""
	if slices.ContainsFunc(s.Opaque.ACL, func(a string) bool { return strings.Contains(a, "my_session") }) {
		session = s.Accessor
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{s.Tenant, s.Subject, s.Opaque.UUID, session}, s.Opaque.ACL...), "\x00")))
	shard := &p.holders[sum[0]%passShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	key := [16]byte(sum[:])
	h := shard.young[key]
	if h != nil {
		return h
	}
	if h = shard.old[key]; h == nil {
		h = &holder{s.Subject, store.SubjectKey(s.Tenant, s.Subject), s.Opaque.UUID, acl.Compile(s.Opaque.ACL, s.Opaque.UUID, session)}
	}
	if shard.young == nil || len(shard.young) >= passMost {
		shard.old, shard.young = shard.young, make(map[[16]byte]*holder)
	}
	shard.young[key] = h
	return h
}

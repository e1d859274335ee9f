package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func sessionChecks() []check {
	return []check{
		{"a session is what was created", createdSession},
		{"neither an ID nor an accessor is taken twice", takenSession},
		{"a rotation moves the counter on and nothing else", rotated},
		{"a rotation from another counter is a conflict", otherCounter},
		{"a session ends at its end, not before", ended},
		{"a session lies unused for less than its idle time", idle},
		{"a revoked session is not rotated", revokedRotation},
		{"of 64 rotations of one counter exactly one wins", racers},
		{"revoking a subject's sessions reaches all of them and no other", revokedSubject},
		{"revoking an application's sessions reaches all of them and no other", revokedClient},
		{"a session of no application is revoked with none", func(t *testing.T, s store.Store) {
			session := aSession(1)
			session.Client = ""
			apply(t, s, store.CreateSession{Session: session}, store.RevokeSessions{Tenant: "t", At: 50})
			same(t, session, must(s.Session(t.Context(), session.ID))(t))
		}},
		{"the first revocation of a session stands", firstRevocation},
		{"pages of sessions miss none and double none", sessionPages},
	}
}

func createdSession(t *testing.T, s store.Store) {
	full := store.Session{
		ID: store.ID{0, 1, 0xff, 15: 0}, Accessor: "x", Tenant: "T", Subject: "o'neil", Client: "c", Door: "tapis",
		Scope: "s", Device: "it's \"mine\"", Labels: []string{"x"}, Counter: 7, Grant: "authorization_code", Audience: "x", Bound: "b",
		AuthAt: 8, CreatedAt: 1, RotatedAt: 2, LastUsedAt: 3,
		IdleTTL: 31_536_000_000, AccessTTL: 31_536_000_000, ExpiresAt: 5, RevokedAt: 6,
	}
	extreme := store.Session{
		ID: store.ID{1}, Accessor: "y", Counter: math.MaxInt64, AuthAt: math.MinInt64, CreatedAt: math.MaxInt64, RotatedAt: math.MinInt64,
		LastUsedAt: math.MaxInt64, IdleTTL: math.MaxInt64, AccessTTL: math.MaxInt64, ExpiresAt: math.MaxInt64,
	}
	for _, session := range []store.Session{full, extreme, aSession(2)} {
		apply(t, s, store.CreateSession{Session: session})
		same(t, session, must(s.Session(t.Context(), session.ID))(t))
		same(t, session, must(s.SessionByAccessor(t.Context(), session.Accessor))(t))
		same(t, []store.Session{session}, must(s.ListSessions(t.Context(), session.Tenant, session.Subject, "", 9))(t))
	}
	// The greatest counter has no successor.
	refused(t, s, store.ErrConflict, store.RotateSession{ID: extreme.ID, From: math.MaxInt64, At: 1})
	if _, err := s.Session(t.Context(), store.ID{9}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session that is not there: %v", err)
	}
	if _, err := s.SessionByAccessor(t.Context(), "X"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an accessor that is not there: %v", err)
	}
}

func takenSession(t *testing.T, s store.Store) {
	apply(t, s, store.CreateSession{Session: aSession(1)})
	sameID, sameAccessor := aSession(2), aSession(2)
	sameID.ID, sameAccessor.Accessor = aSession(1).ID, aSession(1).Accessor
	refused(t, s, store.ErrExists, store.CreateSession{Session: sameID})
	refused(t, s, store.ErrExists, store.CreateSession{Session: sameAccessor})
	apply(t, s, store.CreateSession{Session: aSession(2)})
	same(t, aSession(1), must(s.SessionByAccessor(t.Context(), aSession(1).Accessor))(t))
}

func rotated(t *testing.T, s store.Store) {
	want := aSession(1)
	apply(t, s, store.CreateSession{Session: want}, store.CreateSession{Session: aSession(2)})
	for _, at := range []int64{10, 10, 9} { // a clock may stand still or step back
		apply(t, s, store.RotateSession{ID: want.ID, From: want.Counter, At: at})
		want.Counter, want.RotatedAt, want.LastUsedAt = want.Counter+1, at, at
		same(t, want, must(s.Session(t.Context(), want.ID))(t))
	}
	same(t, aSession(2), must(s.Session(t.Context(), aSession(2).ID))(t))
	refused(t, s, store.ErrNotFound, store.RotateSession{ID: store.ID{9}})
}

func otherCounter(t *testing.T, s store.Store) {
	session := aSession(1)
	session.Counter = 5
	apply(t, s, store.CreateSession{Session: session})
	for _, from := range []int64{0, 4, 6, -5, math.MaxInt64} {
		refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, From: from, At: 2})
	}
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
	apply(t, s, store.RotateSession{ID: session.ID, From: 5, At: 2})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, From: 5, At: 2})
}

func ended(t *testing.T, s store.Store) {
	session := aSession(1)
	session.ExpiresAt = 1_000
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, At: 1_000})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, At: math.MaxInt64})
	apply(t, s, store.RotateSession{ID: session.ID, At: 999})
}

func idle(t *testing.T, s store.Store) {
	session := aSession(1)
	session.LastUsedAt, session.IdleTTL = 500, 2
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, At: 2_000_500})
	apply(t, s, store.RotateSession{ID: session.ID, At: 2_000_499})
	apply(t, s, store.RotateSession{ID: session.ID, From: 1, At: 4_000_498}) // counts from the last use
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, From: 2, At: 9_000_000})

	// Idle times beyond what a count of microseconds can hold.
	for i, ttl := range []int64{31_536_000_000, math.MaxInt64} {
		long := aSession(byte(2 + i))
		long.IdleTTL = ttl
		apply(t, s, store.CreateSession{Session: long})
		apply(t, s, store.RotateSession{ID: long.ID, At: 31_535_999_999_000_000})
	}
}

func revokedRotation(t *testing.T, s store.Store) {
	session := aSession(1)
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict,
		store.RevokeSessions{ID: session.ID, At: 5}, store.RotateSession{ID: session.ID, At: 4})
	apply(t, s, store.RotateSession{ID: session.ID, At: 4}, store.RevokeSessions{ID: session.ID, At: 5})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, From: 1, At: 4})
}

func racers(t *testing.T, s store.Store) {
	session := aSession(1)
	apply(t, s, store.CreateSession{Session: session})
	for round := range int64(20) {
		same(t, 1, winners(t, store.ErrConflict, func(i int) error {
			return s.Apply(context.Background(), store.RotateSession{ID: session.ID, From: round, At: 100 + int64(i)})
		}))
	}
	same(t, int64(20), must(s.Session(t.Context(), session.ID))(t).Counter)
}

func revokedSubject(t *testing.T, s store.Store) {
	others := []store.Session{aSession(11), aSession(12), aSession(13)}
	others[0].Subject, others[1].Tenant, others[2].Subject = "bob", "T", "Alice"
	for _, other := range others {
		apply(t, s, store.CreateSession{Session: other})
	}
	var own []store.Session
	for i := range byte(5) {
		own = append(own, aSession(i+1))
		apply(t, s, store.CreateSession{Session: own[i]})
		own[i].RevokedAt = 50
	}
	apply(t, s, store.RevokeSessions{Tenant: "t", Subject: "alice", At: 50})
	same(t, own, must(s.ListSessions(t.Context(), "t", "alice", "", 99))(t))
	for _, other := range others {
		same(t, other, must(s.Session(t.Context(), other.ID))(t))
	}
	apply(t, s, store.RevokeSessions{Tenant: "t", Subject: "nobody", At: 50})
	apply(t, s, store.RevokeSessions{ID: store.ID{99}, Tenant: "t", Subject: "bob", At: 50})
	same(t, others[0], must(s.Session(t.Context(), others[0].ID))(t))
}

func revokedClient(t *testing.T, s store.Store) {
	others := []store.Session{aSession(11), aSession(12), aSession(13), aSession(14), aSession(15)}
	others[0].Client, others[1].Client, others[2].Client = "other", "Client", ""
	others[3].Tenant, others[4].Tenant = "T", "tt"
	for _, other := range others {
		apply(t, s, store.CreateSession{Session: other})
	}
	var own []store.Session
	for i, subject := range []string{"alice", "bob", "client", ""} {
		own = append(own, aSession(byte(i+1)))
		own[i].Subject = subject
		apply(t, s, store.CreateSession{Session: own[i]})
		own[i].RevokedAt = 50
	}
	earlier := aSession(9)
	earlier.RevokedAt = 40
	apply(t, s, store.CreateSession{Session: earlier}, store.RevokeSessions{Tenant: "t", Client: "client", At: 50})
	for _, want := range append(append(own, others...), earlier) {
		same(t, want, must(s.Session(t.Context(), want.ID))(t))
	}
	apply(t, s, store.RevokeSessions{Tenant: "t", Client: "nobody", At: 50})
	// The narrower of two names holds.
	apply(t, s, store.RevokeSessions{Tenant: "t", Subject: "nobody", Client: "other", At: 50})
	apply(t, s, store.RevokeSessions{ID: store.ID{99}, Tenant: "t", Client: "other", At: 50})
	same(t, others[0], must(s.Session(t.Context(), others[0].ID))(t))
}

func firstRevocation(t *testing.T, s store.Store) {
	first, second := aSession(1), aSession(2)
	apply(t, s, store.CreateSession{Session: first}, store.CreateSession{Session: second})
	apply(t, s, store.RevokeSessions{ID: first.ID, At: 5})
	apply(t, s, store.RevokeSessions{ID: first.ID, At: 9})
	apply(t, s, store.RevokeSessions{Tenant: "t", Subject: "alice", At: 7})
	first.RevokedAt, second.RevokedAt = 5, 7
	same(t, first, must(s.Session(t.Context(), first.ID))(t))
	same(t, second, must(s.Session(t.Context(), second.ID))(t))
}

func sessionPages(t *testing.T, s store.Store) {
	var want []store.Session
	for i := range byte(9) {
		session := aSession(i + 1)
		session.RevokedAt = int64(i % 2)
		want = append(want, session)
		apply(t, s, store.CreateSession{Session: session})
	}
	for limit := 1; limit <= 10; limit++ {
		var seen []store.Session
		for after := ""; ; after = seen[len(seen)-1].Accessor {
			page := must(s.ListSessions(t.Context(), "t", "alice", after, limit))(t)
			if len(page) > limit {
				t.Fatalf("a page of %d for limit %d", len(page), limit)
			}
			seen = append(seen, page...)
			if len(page) == 0 {
				break
			}
		}
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) { same(t, want, seen) })
	}
	same(t, 0, len(must(s.ListSessions(t.Context(), "t", "alice", "", -1))(t)))
}

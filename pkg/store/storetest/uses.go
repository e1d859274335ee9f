package storetest

import (
	"context"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func useChecks() []check {
	return []check{
		{"a use moves the last use on and nothing else", usedSession},
		{"a use before the last one leaves that as it is", earlierUse},
		{"a use of another counter is a conflict", otherUse},
		{"a use of no session finds none", func(t *testing.T, s store.Store) {
			refused(t, s, store.ErrNotFound, store.UseSession{ID: store.ID{9}, At: 2})
		}},
		{"a session is used until its end, not from it on", endedUse},
		{"a session is used within its idle time, which counts from the last use", idleUse},
		{"a revoked session is not used", revokedUse},
		{"uses at once all stand, and the latest holds", usesAtOnce},
		{"labels are kept in order, and none reads as nil", keptLabels},
		{"what a caller does with labels stays with the caller", labelSlices},
	}
}

func usedSession(t *testing.T, s store.Store) {
	want := aSession(1)
	want.Counter, want.RotatedAt = 5, 2
	apply(t, s, store.CreateSession{Session: want}, store.CreateSession{Session: aSession(2)})
	for _, at := range []int64{10, 10, 11, math.MaxInt64} {
		apply(t, s, store.UseSession{ID: want.ID, Counter: 5, At: at})
		want.LastUsedAt = at
		same(t, want, must(s.Session(t.Context(), want.ID))(t))
	}
	same(t, aSession(2), must(s.Session(t.Context(), aSession(2).ID))(t))
	// Unlike a rotation, a use needs no counter to come after.
	last := aSession(3)
	last.Counter = math.MaxInt64
	apply(t, s, store.CreateSession{Session: last}, store.UseSession{ID: last.ID, Counter: math.MaxInt64, At: 7})
	last.LastUsedAt = 7
	same(t, last, must(s.Session(t.Context(), last.ID))(t))
}

func earlierUse(t *testing.T, s store.Store) {
	session := aSession(1)
	session.LastUsedAt, session.IdleTTL = 500, 1
	apply(t, s, store.CreateSession{Session: session})
	for _, at := range []int64{499, 0, 500} {
		apply(t, s, store.UseSession{ID: session.ID, At: at})
		same(t, session, must(s.Session(t.Context(), session.ID))(t))
	}
}

func otherUse(t *testing.T, s store.Store) {
	session := aSession(1)
	session.Counter = 5
	apply(t, s, store.CreateSession{Session: session})
	for _, counter := range []int64{0, 4, 6, -5, math.MaxInt64} {
		refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, Counter: counter, At: 2})
	}
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
	apply(t, s, store.RotateSession{ID: session.ID, From: 5, At: 2})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, Counter: 5, At: 3})
	apply(t, s, store.UseSession{ID: session.ID, Counter: 6, At: 3})
}

func endedUse(t *testing.T, s store.Store) {
	session := aSession(1)
	session.ExpiresAt = 1_000
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, At: 1_000})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, At: math.MaxInt64})
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
	apply(t, s, store.UseSession{ID: session.ID, At: 999})
}

func idleUse(t *testing.T, s store.Store) {
	session := aSession(1)
	session.LastUsedAt, session.IdleTTL = 500, 2
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, At: 2_000_500})
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
	apply(t, s, store.UseSession{ID: session.ID, At: 2_000_499})
	apply(t, s, store.UseSession{ID: session.ID, At: 4_000_498})
	refused(t, s, store.ErrConflict, store.RotateSession{ID: session.ID, At: 6_000_498})
	apply(t, s, store.RotateSession{ID: session.ID, At: 6_000_497})
	apply(t, s, store.UseSession{ID: session.ID, Counter: 1, At: 8_000_496})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, Counter: 1, At: math.MaxInt64})

	// Idle times beyond what a count of microseconds can hold.
	for i, ttl := range []int64{31_536_000_000, math.MaxInt64} {
		long := aSession(byte(2 + i))
		long.IdleTTL = ttl
		apply(t, s, store.CreateSession{Session: long}, store.UseSession{ID: long.ID, At: 31_535_999_999_000_000})
	}
}

func revokedUse(t *testing.T, s store.Store) {
	session := aSession(1)
	apply(t, s, store.CreateSession{Session: session})
	refused(t, s, store.ErrConflict,
		store.RevokeSessions{ID: session.ID, At: 5}, store.UseSession{ID: session.ID, At: 4})
	apply(t, s, store.UseSession{ID: session.ID, At: 4}, store.RevokeSessions{ID: session.ID, At: 5})
	refused(t, s, store.ErrConflict, store.UseSession{ID: session.ID, At: 4})
	session.LastUsedAt, session.RevokedAt = 4, 5
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
}

func usesAtOnce(t *testing.T, s store.Store) {
	session := aSession(1)
	apply(t, s, store.CreateSession{Session: session})
	stood := winners(t, store.ErrConflict, func(i int) error {
		return s.Apply(context.Background(), store.UseSession{ID: session.ID, At: 100 + int64(i*37%64)})
	})
	same(t, 64, stood)
	session.LastUsedAt = 163
	same(t, session, must(s.Session(t.Context(), session.ID))(t))
}

func keptLabels(t *testing.T, s store.Store) {
	for i, labels := range [][]string{{"b", "a", "b"}, exactTexts(), {""}, {"[]", `"`, "a,b"}, {}, nil} {
		session := aSession(byte(i + 1))
		session.Labels = labels
		apply(t, s, store.CreateSession{Session: session})
		if len(labels) == 0 {
			session.Labels = nil
		}
		same(t, session, must(s.Session(t.Context(), session.ID))(t))
		same(t, session, must(s.SessionByAccessor(t.Context(), session.Accessor))(t))
		listed := must(s.ListSessions(t.Context(), "t", "alice", "", 99))(t)
		same(t, session, listed[i])
	}
}

func labelSlices(t *testing.T, s store.Store) {
	given := aSession(1)
	apply(t, s, store.CreateSession{Session: given})
	given.Labels[0] = "intruder"
	for range 2 {
		got := must(s.Session(t.Context(), given.ID))(t)
		same(t, aSession(1), got)
		found := must(s.SessionByAccessor(t.Context(), given.Accessor))(t)
		same(t, aSession(1), found)
		listed := must(s.ListSessions(t.Context(), "t", "alice", "", 9))(t)
		same(t, []store.Session{aSession(1)}, listed)
		got.Labels[0], found.Labels[0], listed[0].Labels[0] = "intruder", "intruder", "intruder"
	}
}

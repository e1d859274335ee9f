package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func opaqueChecks() []check {
	return []check{
		{"what a session has as an opaque one is kept, and an ordinary one has none", keptOpaque},
		{"what a caller does with an opaque session stays with the caller", opaqueSlices},
		{"only opaque sessions are listed that are neither revoked nor over, by accessor", goodOpaque},
		{"uses, revocations and purges reach opaque sessions as any other", changedOpaque},
		{"pages of opaque sessions miss none and double none", opaquePages},
		{"a subject has at most so many opaque sessions that are good", mostOpaque},
		{"room for opaque sessions is counted in one subject of one tenant, byte for byte", roomBeside},
		{"of 64 opaque sessions made at once as many stand as there is room for", func(t *testing.T, s store.Store) {
			same(t, 5, winners(t, store.ErrConflict, func(i int) error {
				return s.Apply(context.Background(), store.CreateSession{Session: anOpaque(byte(i)), Most: 5})
			}))
			same(t, int64(5), must(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{}))(t))
		}},
	}
}

func anOpaque(n byte) store.Session {
	session := aSession(n)
	session.Opaque = &store.Opaque{
		UUID: "7c9e6679-7425-40de-944b-e07fc1f90ae7", ACL: []string{"confd.#", "!confd.users.*", "confd.#"}, Source: "2001:db8::1", Mobile: true,
	}
	return session
}

func keptOpaque(t *testing.T, s store.Store) {
	for i, opaque := range []*store.Opaque{
		nil, anOpaque(0).Opaque,
		{},
		{UUID: "u"},
		{Source: "it's \"here\" <&>\x00"},
		{Mobile: true},
		{ACL: exactTexts()},
		{ACL: []string{""}},
		{ACL: []string{}},
	} {
		session := aSession(byte(i + 1))
		session.Opaque = opaque
		apply(t, s, store.CreateSession{Session: session})
		if opaque != nil && len(opaque.ACL) == 0 {
			session.Opaque = &store.Opaque{UUID: opaque.UUID, Source: opaque.Source, Mobile: opaque.Mobile}
		}
		same(t, session, must(s.Session(t.Context(), session.ID))(t))
		same(t, session, must(s.SessionByAccessor(t.Context(), session.Accessor))(t))
		same(t, session, must(s.ListSessions(t.Context(), "t", "alice", "", 99))(t)[i])
		if i > 0 {
			same(t, session, must(s.ListOpaque(t.Context(), "t", store.OpaqueQuery{Limit: 99}))(t)[i-1])
		}
	}
}

func opaqueSlices(t *testing.T, s store.Store) {
	given := anOpaque(1)
	apply(t, s, store.CreateSession{Session: given})
	given.Opaque.ACL[0], given.Opaque.UUID = "intruder", "intruder"
	for range 2 {
		for _, got := range []store.Session{
			must(s.Session(t.Context(), given.ID))(t),
			must(s.SessionByAccessor(t.Context(), given.Accessor))(t),
			must(s.ListSessions(t.Context(), "t", "alice", "", 9))(t)[0],
			must(s.ListOpaque(t.Context(), "t", store.OpaqueQuery{Limit: 9}))(t)[0],
		} {
			same(t, anOpaque(1), got)
			got.Opaque.ACL[0], got.Opaque.Source = "intruder", "intruder"
		}
	}
}

// goodOpaque makes sessions whose accessors are not in the order of their making.
func goodOpaque(t *testing.T, s store.Store) {
	var want []store.Session
	for i, kind := range []struct {
		tenant, subject  string
		expires, revoked int64
		ordinary, good   bool
	}{
		{"t", "alice", 0, 0, false, true},
		{"t", "alice", 1001, 0, false, true},
		{"t", "alice", 1000, 0, false, false},
		{"t", "alice", 1, 0, false, false},
		{"t", "alice", 0, 5000, false, false}, // a revocation holds whenever it was made
		{"t", "alice", 5000, 1, false, false},
		{"t", "alice", 0, 0, true, false},
		{"t", "alice", 5000, 0, true, false},
		{"t", "bob", math.MaxInt64, 0, false, true},
		{"t", "", 0, 0, false, true},
		{"T", "alice", 0, 0, false, false},
		{"t", "alice", 0, 0, false, true},
	} {
		session := anOpaque(byte(99 - i))
		session.Tenant, session.Subject, session.ExpiresAt, session.RevokedAt = kind.tenant, kind.subject, kind.expires, kind.revoked
		if kind.ordinary {
			session.Opaque = nil
		}
		apply(t, s, store.CreateSession{Session: session})
		if kind.good {
			want = slices.Insert(want, 0, session)
		}
	}
	opaqueHold(t, s, "t", store.OpaqueQuery{At: 1000}, want)
	for _, subject := range []string{"alice", "bob", "Alice", "o'neil"} {
		own := slices.DeleteFunc(slices.Clone(want), func(one store.Session) bool { return one.Subject != subject })
		opaqueHold(t, s, "t", store.OpaqueQuery{At: 1000, Subject: subject}, own)
	}
	same(t, int64(3), must(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{At: math.MaxInt64}))(t))
	same(t, int64(7), must(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{At: 0}))(t))
	same(t, int64(1), must(s.CountOpaque(t.Context(), "T", store.OpaqueQuery{At: 1000}))(t))
	opaqueHold(t, s, "", store.OpaqueQuery{}, nil)
}

// opaqueHold compares list, pages and count with what they should give.
func opaqueHold(t *testing.T, s store.Store, tenant string, q store.OpaqueQuery, want []store.Session) {
	t.Helper()
	same(t, int64(len(want)), must(s.CountOpaque(t.Context(), tenant, q))(t))
	for _, w := range windows(len(want)) {
		q.Offset, q.Limit = w.offset, w.limit
		got := must(s.ListOpaque(t.Context(), tenant, q))(t)
		same(t, append([]store.Session{}, want[w.from:w.to]...), append([]store.Session{}, got...))
		same(t, int64(len(want)), must(s.CountOpaque(t.Context(), tenant, q))(t))
		if t.Failed() {
			t.Fatalf("query %+v of tenant %s", q, tenant)
		}
	}
}

// A pageWindow is a page by offset, and where it begins and ends.
type pageWindow struct{ offset, limit, from, to int }

// windows are the pages there are of so many records, and some that are none.
func windows(records int) (all []pageWindow) {
	for _, offset := range []int{math.MinInt, -1, 0, 1, 2, records - 1, records, records + 1, math.MaxInt} {
		for _, limit := range []int{math.MinInt, -1, 0, 1, 2, records, math.MaxInt} {
			from := min(max(offset, 0), records)
			all = append(all, pageWindow{offset, limit, from, from + min(max(limit, 0), records-from)})
		}
	}
	return all
}

func changedOpaque(t *testing.T, s store.Store) {
	var own []store.Session
	for i := range byte(6) {
		own = append(own, anOpaque(i+1))
		own[i].Client = fmt.Sprint("client", i)
		apply(t, s, store.CreateSession{Session: own[i]})
	}
	apply(t, s, store.UseSession{ID: own[0].ID, At: 7}, store.RevokeSessions{ID: own[1].ID, At: 8},
		store.RevokeSessions{Tenant: "t", Client: "client2", At: 9})
	own[0].LastUsedAt = 7
	opaqueHold(t, s, "t", store.OpaqueQuery{At: 9}, []store.Session{own[0], own[3], own[4], own[5]})
	removed := int64(-1)
	apply(t, s, store.Purge{Before: 9, Limit: 9, Removed: &removed})
	same(t, int64(1), removed)
	refused(t, s, store.ErrNotFound, store.RevokeSessions{ID: own[0].ID, At: 8}, store.DeleteKey{ID: "none"})
	opaqueHold(t, s, "t", store.OpaqueQuery{Subject: "alice"}, []store.Session{own[0], own[3], own[4], own[5]})
	apply(t, s, store.RevokeSessions{Tenant: "t", Subject: "alice", At: 11})
	opaqueHold(t, s, "t", store.OpaqueQuery{}, nil)
	opaqueHold(t, s, "t", store.OpaqueQuery{Subject: "alice"}, nil)
}

func opaquePages(t *testing.T, s store.Store) {
	var want []store.Session
	for i := range 60 {
		session := anOpaque(byte(i))
		session.Accessor, session.Subject = fmt.Sprintf("accessor%02d", i*37%60), []string{"alice", "bob", "alice"}[i%3]
		ordinary := aSession(byte(100 + i))
		ordinary.Accessor = session.Accessor + "x"
		apply(t, s, store.CreateSession{Session: session}, store.CreateSession{Session: ordinary})
		want = append(want, session)
	}
	slices.SortFunc(want, func(a, b store.Session) int { return strings.Compare(a.Accessor, b.Accessor) })
	opaqueHold(t, s, "t", store.OpaqueQuery{At: 1}, want)
	for _, subject := range []string{"", "alice", "bob"} {
		own := slices.DeleteFunc(slices.Clone(want), func(one store.Session) bool { return subject != "" && one.Subject != subject })
		for limit := 1; limit <= 61; limit += 4 {
			var seen []store.Session
			for {
				page := must(s.ListOpaque(t.Context(), "t", store.OpaqueQuery{Subject: subject, Offset: len(seen), Limit: limit}))(t)
				if len(page) == 0 {
					break
				}
				seen = append(seen, page...)
			}
			same(t, own, seen)
		}
	}
}

func mostOpaque(t *testing.T, s store.Store) {
	create := func(n byte, at int64, most int) store.CreateSession {
		session := anOpaque(n)
		session.CreatedAt = at
		return store.CreateSession{Session: session, Most: most}
	}
	ending := create(1, 1, 2)
	ending.Session.ExpiresAt = 1000
	apply(t, s, ending)
	apply(t, s, create(2, 1, 2))
	refused(t, s, store.ErrConflict, create(3, 999, 2))
	refused(t, s, store.ErrConflict, create(2, 999, 2)) // be it taken or not
	refused(t, s, store.ErrConflict, create(3, 999, 1))
	refused(t, s, store.ErrExists, create(2, 999, 3))
	same(t, int64(2), must(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{At: 999}))(t))
	// What is over or revoked leaves room.
	apply(t, s, create(3, 1000, 2))
	refused(t, s, store.ErrConflict, create(4, 1000, 2))
	refused(t, s, store.ErrConflict, store.RevokeSessions{ID: anOpaque(3).ID, At: 1000}, create(4, 1000, 2), create(5, 1000, 2))
	apply(t, s, store.RevokeSessions{ID: anOpaque(3).ID, At: 1000}, create(4, 1000, 2))
	// Without a most there is always room.
	for i, most := range []int{0, -1, math.MinInt, math.MaxInt} {
		apply(t, s, create(byte(10+i), 1000, most))
	}
	same(t, int64(6), must(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{At: 1000}))(t))
}

func roomBeside(t *testing.T, s store.Store) {
	for i, other := range []store.Session{
		{Tenant: "T", Subject: "alice", Opaque: &store.Opaque{}},
		{Tenant: "t", Subject: "Alice", Opaque: &store.Opaque{}},
		{Tenant: "t", Subject: "", Opaque: &store.Opaque{}},
		{Tenant: "t", Subject: "alice"},
		{Tenant: "t", Subject: "alice"},
		{Tenant: "t", Subject: "alice", RevokedAt: 1, Opaque: &store.Opaque{}},
	} {
		other.ID, other.Accessor = store.ID{byte(i)}, fmt.Sprint(i)
		apply(t, s, store.CreateSession{Session: other})
	}
	apply(t, s, store.CreateSession{Session: anOpaque(20), Most: 1})
	refused(t, s, store.ErrConflict, store.CreateSession{Session: anOpaque(21), Most: 1})
	nobody := anOpaque(22)
	nobody.Subject = ""
	refused(t, s, store.ErrConflict, store.CreateSession{Session: nobody, Most: 1})
	apply(t, s, store.CreateSession{Session: nobody, Most: 2})
}

// opaqueChanges change what everything left of opaque sessions, refresh tokens and
// policies, and leave what the last command of allOrNothing meets.
func opaqueChanges() []store.Command {
	return []store.Command{
		store.RevokeSessions{ID: anOpaque(7).ID, At: 4},
		store.CreateSession{Session: anOpaque(8), Most: 1},
		store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Mobile: true},
		store.CreateRefreshToken{RefreshToken: aRefreshToken(1, "alice", "desk")},
		store.DeleteRefreshTokens{Tenant: "t", At: 9},
		store.CreateRefreshToken{RefreshToken: aRefreshToken(2, "alice", "phone")},
		store.UpdatePolicy{Policy: store.Policy{Tenant: "t", UUID: "u", Name: "other", UpdatedAt: 9}, Read: 2},
		store.CreatePolicy{Policy: aPolicy("v", "policy")},
	}
}

package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func keyChecks() []check {
	return []check{
		{"keys come exactly, the newest first", listedKeys},
		{"a key put again is replaced", func(t *testing.T, s store.Store) {
			apply(t, s, store.PutKey{Key: aKey("kid", 1)})
			again := store.Key{ID: "kid", Tenant: "other", Door: "tapis", Algorithm: "RS256", State: store.KeyRetiring, CreatedAt: 5, Sealed: []byte("x")}
			apply(t, s, store.PutKey{Key: again})
			same(t, []store.Key{again}, must(s.Keys(t.Context()))(t))
		}},
		{"a deleted key is gone", func(t *testing.T, s store.Store) {
			apply(t, s, store.PutKey{Key: aKey("kid", 1)}, store.PutKey{Key: aKey("KID", 2)})
			apply(t, s, store.DeleteKey{ID: "kid"})
			refused(t, s, store.ErrNotFound, store.DeleteKey{ID: "kid"})
			same(t, []store.Key{aKey("KID", 2)}, must(s.Keys(t.Context()))(t))
		}},
	}
}

func listedKeys(t *testing.T, s store.Store) {
	same(t, 0, len(must(s.Keys(t.Context()))(t)))
	want := []store.Key{aKey("c", math.MaxInt64), aKey("a", 5), aKey("b", 5), {ID: "bare", CreatedAt: 4}, aKey("d", -3)}
	want[0].NotAfter, want[1].NotBefore, want[2].NotBefore = math.MaxInt64, math.MaxInt64, math.MinInt64
	want[1].LongestTTL, want[2].LongestTTL, want[1].Sealed = math.MaxInt64, 0, make([]byte, 5000)
	for _, i := range []int{2, 0, 4, 1, 3} {
		apply(t, s, store.PutKey{Key: want[i]})
	}
	same(t, want, must(s.Keys(t.Context()))(t))
}

func purgeChecks() []check {
	return []check{
		{"a purge removes facts that are over, and no other", purgedFacts},
		{"a purge removes sessions that ended, and no other", purgedSessions},
		{"a purge removes tickets that need not be kept, and no other", purgedTickets},
		{"a purge leaves tenants, users, applications, organisations, service accounts, policies, refresh tokens, properties and keys alone", func(t *testing.T, s store.Store) {
			token := anAccessToken("alice", "")
			token.ExpiresAt = 1
			apply(t, s, store.CreateTenant{Tenant: aTenant("t")}, store.CreateServiceAccount{ServiceAccount: aService("files")},
				store.CreateUser{User: aUser("alice")}, store.CreateApplication{Application: anApplication("app")},
				store.CreateOrganisation{Organisation: anOrganisation("o")}, store.PutMembership{Membership: aMembership()},
				store.CreateAccessToken{AccessToken: token}, put(aProperty("setting")), store.PutKey{Key: aKey("kid", 1)},
				store.CreatePolicy{Policy: aPolicy("u", "p")}, store.CreateRefreshToken{RefreshToken: aRefreshToken(1, "alice", "phone")})
			before := dump(t, s)
			apply(t, s, store.Purge{Before: math.MaxInt64, Limit: 100})
			same(t, before, dump(t, s))
		}},
		{"a purge removes at most its limit of each, the first ended first", purgedLimit},
		{"what was purged can come again", func(t *testing.T, s store.Store) {
			session, ticket, token, empty := aSession(1), aTicket(1), anAccessToken("alice", ""), dump(t, s)
			session.ExpiresAt, ticket.KeepUntil, token.KeepUntil = 5, 5, 5
			for range 2 {
				apply(t, s, store.CreateSession{Session: session}, store.CreateTicket{Ticket: ticket}, once("value", 5), revoke("k", 1, 5),
					store.CreateAccessToken{AccessToken: token})
				apply(t, s, store.Purge{Before: 6, Limit: 10})
				same(t, empty, dump(t, s))
			}
		}},
	}
}

func purgedFacts(t *testing.T, s store.Store) {
	apply(t, s, revoke("over", 1, 9), revoke("now", 1, 10), revoke("later", 1, 11), revoke("kept", 1, 0))
	apply(t, s, store.Purge{Before: 10, Limit: 100})
	want := []string{"now", "later", "kept"}
	var got []string
	for _, fact := range facts(t, s, 0) {
		got = append(got, fact.Key)
	}
	same(t, want, got)
	apply(t, s, revoke("next", 1, 0))
	last := facts(t, s, 0)
	same(t, "next", last[len(last)-1].Key)
}

func purgedSessions(t *testing.T, s store.Store) {
	ends := []struct{ expires, revoked int64 }{
		{9, 0}, {0, 9}, {20, 9}, {9, 20}, // over
		{0, 0}, {10, 0}, {0, 10}, {20, 30}, // not yet
	}
	for i, end := range ends {
		session := aSession(byte(i + 1))
		session.ExpiresAt, session.RevokedAt = end.expires, end.revoked
		apply(t, s, store.CreateSession{Session: session})
	}
	apply(t, s, store.Purge{Before: 10, Limit: 100})
	var left []string
	for _, session := range must(s.ListSessions(t.Context(), "t", "alice", "", 99))(t) {
		left = append(left, session.Accessor)
	}
	same(t, []string{"accessor5", "accessor6", "accessor7", "accessor8"}, left)
}

func purgedTickets(t *testing.T, s store.Store) {
	for i, end := range []struct{ expires, keep int64 }{
		{5, 9}, {500, 9}, // over, be it ended or not
		{5, 10}, {5, 11}, {5, 0}, // to be kept
	} {
		ticket := aTicket(byte(i + 1))
		ticket.ExpiresAt, ticket.KeepUntil = end.expires, end.keep
		apply(t, s, store.CreateTicket{Ticket: ticket})
	}
	var removed int64
	apply(t, s, store.Purge{Before: 10, Limit: 100, Removed: &removed})
	same(t, int64(2), removed)
	for n := byte(1); n <= 5; n++ {
		_, byID := s.Ticket(t.Context(), aTicket(n).ID)
		_, byCode := s.TicketByUserCode(t.Context(), aTicket(n).UserCode)
		for _, err := range []error{byID, byCode} {
			if gone := errors.Is(err, store.ErrNotFound); gone != (n <= 2) || !gone && err != nil {
				t.Errorf("ticket %d: %v", n, err)
			}
		}
	}
}

func purgedLimit(t *testing.T, s store.Store) {
	for i := range byte(6) {
		session, ticket, end := aSession(i+1), aTicket(i+1), int64(10-i)
		session.ExpiresAt, ticket.KeepUntil = end, end
		apply(t, s, store.CreateSession{Session: session}, store.CreateTicket{Ticket: ticket},
			once(fmt.Sprint(i), end), revoke(fmt.Sprint(i), 1, end))
	}
	for _, limit := range []int{0, -1} {
		var removed int64
		apply(t, s, store.Purge{Before: 100, Limit: limit, Removed: &removed})
		same(t, int64(0), removed)
		same(t, 6, len(facts(t, s, 0)))
	}
	var removed int64
	apply(t, s, store.Purge{Before: 100, Limit: 4, Removed: &removed})
	same(t, int64(16), removed)
	left := dump(t, s)
	same(t, 2, len(left.Sessions))
	same(t, 2, len(left.Facts))
	for i := range 2 {
		same(t, fmt.Sprint(i), left.Facts[i].Key)
		same(t, int64(10-i), left.Sessions[i].ExpiresAt)
	}
	for i := range byte(6) {
		_, err := s.Ticket(t.Context(), aTicket(i+1).ID)
		same(t, i < 2, err == nil)
		same(t, i < 2, remembered(t, s, fmt.Sprint(i)))
	}
}

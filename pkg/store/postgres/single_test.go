package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func oneSuccessor(t *testing.T, r replicas) {
	for i := range 3 {
		apply(t, r[0], store.CreateSession{Session: session(i)})
	}
	for round := range int64(50) {
		won, refusals := r.race(t, 48, func(i int) []store.Command {
			return one(store.RotateSession{ID: session(i / 16).ID, From: round, At: round + 1})
		})
		if len(won) != 3 || refusals[store.ErrConflict] != 45 {
			t.Fatalf("of three refresh tokens %d successors, refusals %v", len(won), refusals)
		}
	}
}

func usedOnce(t *testing.T, r replicas) {
	for round := range byte(20) {
		apply(t, r[0], store.CreateTicket{Ticket: store.Ticket{ID: store.ID{round}, State: store.TicketApproved}})
		won, refusals := r.race(t, 12, func(i int) []store.Command {
			if i < 6 {
				return one(store.UseTicket{ID: store.ID{round}})
			}
			return one(store.Once{Value: string([]byte{round, 0xff, 0})})
		})
		if len(won) != 2 || refusals[store.ErrConflict] != 5 || refusals[store.ErrExists] != 5 {
			t.Fatalf("%v won, refusals %v", won, refusals)
		}
	}
}

func strongestFact(t *testing.T, r replicas) {
	r.race(t, 60, func(i int) []store.Command {
		return one(store.Revoke{Revocation: store.Revocation{Kind: store.RevokeSubject, Key: "k", At: int64(i + 1), Until: int64(1000 - i)}})
	})
	facts, err := r[0].Revocations(t.Context(), 0, 99)
	if err != nil || len(facts) != 1 || facts[0].At != 60 || facts[0].Until != 1000 {
		t.Errorf("facts %v, error %v", facts, err)
	}
}

func purgeTogether(t *testing.T, r replicas) {
	const rows = 100
	for i := range rows {
		over := session(i)
		over.ExpiresAt = 5
		apply(t, r[i%3], store.CreateSession{Session: over}, store.Once{Value: fmt.Sprint(i), Until: 5},
			store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: fmt.Sprint(i), Until: 5}},
			store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: "t", Subject: "alice", KeepUntil: 5}})
	}
	var removed atomic.Int64
	for rounds := 0; removed.Load() < 4*rows; rounds++ {
		var gone [12]int64
		r.race(t, 12, func(i int) []store.Command {
			if i%2 == 1 {
				return one(store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: fmt.Sprint("stays", i), At: 1}})
			}
			return one(store.Purge{Before: 9, Limit: 7, Removed: &gone[i]})
		})
		for _, n := range gone {
			removed.Add(n)
		}
		if rounds > 100 {
			t.Fatalf("%d of %d are removed", removed.Load(), 4*rows)
		}
	}
}

func countedTokens(t *testing.T, r replicas) {
	r.race(t, 90, func(i int) []store.Command {
		token := store.AccessToken{Tenant: "t", Subject: fmt.Sprint("user", i%2), Client: []string{"", "app"}[i%3%2], CreatedAt: int64(i)}
		if i%10 == 9 {
			return one(store.DeleteAccessTokens{Tenant: "t", Subject: "user1", At: 40})
		}
		return one(store.CreateAccessToken{AccessToken: token})
	})
	for _, f := range []store.AccessTokenFilter{{}, {Personal: true}, {Subjects: []string{"user0"}}, {Subjects: []string{"user1"}, Application: true}, {Clients: []string{"app"}}} {
		counted, err := r[0].CountAccessTokens(t.Context(), "t", f)
		listed, err2 := r[1].ListAccessTokens(t.Context(), "t", f, 0, 999)
		if counted != int64(len(listed)) || counted == 0 || err != nil || err2 != nil {
			t.Errorf("%+v: %d counted, %d there, errors %v, %v", f, counted, len(listed), err, err2)
		}
	}
}

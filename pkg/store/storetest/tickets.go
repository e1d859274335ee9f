package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func ticketChecks() []check {
	return []check{
		{"a ticket is what was created", createdTicket},
		{"neither an ID nor a user code is taken twice", takenTicket},
		{"tickets without a user code stand beside each other, and none is found by it", withoutUserCode},
		{"a decision sets its four fields and nothing else", decidedTicket},
		{"a ticket is decided once", decidedOnce},
		{"an approved ticket is used once, and no other at all", usedOnce},
		{"a ticket is neither decided nor used from its end on", endedTicket},
		{"of 64 uses of one ticket exactly one wins", ticketRacers},
		{"a use that stands with a refused command is none", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateTicket{Ticket: aTicket(1)}, approve(aTicket(1).ID, 5), store.CreateSession{Session: aSession(1)})
			refused(t, s, store.ErrExists, use(aTicket(1).ID, 6), store.CreateSession{Session: aSession(1)})
			apply(t, s, use(aTicket(1).ID, 6), store.CreateSession{Session: aSession(2)})
		}},
	}
}

func createdTicket(t *testing.T, s store.Store) {
	full := store.Ticket{
		ID: store.ID{0, 1, 0xff, 15: 0}, Kind: store.TicketCode, Tenant: "T", Client: "o'neil", UserCode: "WDJB-MJHT", Scope: "a b",
		Audience: "x y", RedirectURI: "https://a.example/?<&>", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Nonce: "n\n\"",
		Bound: "thumbprint", State: store.TicketApproved, Subject: "alice", AuthAt: 1, Session: store.ID{0xff, 15: 1},
		CreatedAt: 2, ExpiresAt: 3, KeepUntil: 4,
	}
	extreme := store.Ticket{
		ID: store.ID{1}, UserCode: "y", AuthAt: math.MinInt64, CreatedAt: math.MaxInt64, ExpiresAt: math.MaxInt64, KeepUntil: math.MaxInt64,
	}
	for _, want := range []store.Ticket{full, extreme, {ID: store.ID{2}, UserCode: "bare"}, aTicket(3)} {
		apply(t, s, store.CreateTicket{Ticket: want})
		same(t, want, must(s.Ticket(t.Context(), want.ID))(t))
		same(t, want, must(s.TicketByUserCode(t.Context(), want.UserCode))(t))
	}
	if _, err := s.Ticket(t.Context(), store.ID{9}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a ticket that is not there: %v", err)
	}
	if _, err := s.TicketByUserCode(t.Context(), "wdjb-mjht"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a user code in another case: %v", err)
	}
}

func takenTicket(t *testing.T, s store.Store) {
	apply(t, s, store.CreateTicket{Ticket: aTicket(1)})
	sameID, sameCode := aTicket(2), aTicket(2)
	sameID.ID, sameCode.UserCode = aTicket(1).ID, aTicket(1).UserCode
	refused(t, s, store.ErrExists, store.CreateTicket{Ticket: sameID})
	refused(t, s, store.ErrExists, store.CreateTicket{Ticket: sameCode})
	apply(t, s, store.CreateTicket{Ticket: aTicket(2)})
	same(t, aTicket(1), must(s.TicketByUserCode(t.Context(), aTicket(1).UserCode))(t))
	same(t, aTicket(2), must(s.TicketByUserCode(t.Context(), aTicket(2).UserCode))(t))
}

func withoutUserCode(t *testing.T, s store.Store) {
	for n := range byte(3) {
		code := aTicket(n + 1)
		code.UserCode = ""
		apply(t, s, store.CreateTicket{Ticket: code})
		same(t, code, must(s.Ticket(t.Context(), code.ID))(t))
	}
	if _, err := s.TicketByUserCode(t.Context(), ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the ticket of an empty user code: %v", err)
	}
}

func decidedTicket(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, approve(aTicket(1).ID, 5))
	want := aTicket(1)
	apply(t, s, store.CreateTicket{Ticket: want}, store.CreateTicket{Ticket: aTicket(2)})
	apply(t, s, store.DecideTicket{ID: want.ID, State: store.TicketApproved, Subject: "bob", Scope: "less", AuthAt: 4, KeepUntil: 77, At: 5})
	want.State, want.Subject, want.Scope, want.AuthAt, want.KeepUntil = store.TicketApproved, "bob", "less", 4, 77
	same(t, want, must(s.Ticket(t.Context(), want.ID))(t))
	same(t, want, must(s.TicketByUserCode(t.Context(), want.UserCode))(t))
	same(t, aTicket(2), must(s.Ticket(t.Context(), aTicket(2).ID))(t))
	apply(t, s, use(want.ID, 6))
	want.State = store.TicketUsed
	same(t, want, must(s.Ticket(t.Context(), want.ID))(t))
	same(t, want, must(s.TicketByUserCode(t.Context(), want.UserCode))(t))
}

func decidedOnce(t *testing.T, s store.Store) {
	for i, state := range []string{store.TicketApproved, store.TicketDenied, store.TicketUsed} {
		ticket := aTicket(byte(i + 1))
		apply(t, s, store.CreateTicket{Ticket: ticket}, store.DecideTicket{ID: ticket.ID, State: state, Subject: "bob", At: 5})
		before := must(s.Ticket(t.Context(), ticket.ID))(t)
		same(t, state, before.State)
		refused(t, s, store.ErrConflict, approve(ticket.ID, 5))
		refused(t, s, store.ErrConflict, store.DecideTicket{ID: ticket.ID, State: store.TicketDenied, At: 5})
		same(t, before, must(s.Ticket(t.Context(), ticket.ID))(t))
	}
}

func usedOnce(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, use(aTicket(1).ID, 5))
	for i, state := range []string{store.TicketPending, store.TicketDenied, store.TicketUsed, ""} {
		ticket := aTicket(byte(i + 1))
		ticket.State = state
		apply(t, s, store.CreateTicket{Ticket: ticket})
		refused(t, s, store.ErrConflict, use(ticket.ID, 5))
		same(t, ticket, must(s.Ticket(t.Context(), ticket.ID))(t))
	}
	ready := aTicket(9)
	ready.State = store.TicketApproved
	apply(t, s, store.CreateTicket{Ticket: ready}, use(ready.ID, 5))
	refused(t, s, store.ErrConflict, use(ready.ID, 5))
	ready.State = store.TicketUsed
	same(t, ready, must(s.Ticket(t.Context(), ready.ID))(t))
}

func endedTicket(t *testing.T, s store.Store) {
	ticket := aTicket(1)
	apply(t, s, store.CreateTicket{Ticket: ticket})
	for _, at := range []int64{ticket.ExpiresAt, ticket.ExpiresAt + 1, math.MaxInt64} {
		refused(t, s, store.ErrConflict, approve(ticket.ID, at))
	}
	apply(t, s, approve(ticket.ID, ticket.ExpiresAt-1))
	for _, at := range []int64{ticket.ExpiresAt, ticket.ExpiresAt + 1, math.MaxInt64} {
		refused(t, s, store.ErrConflict, use(ticket.ID, at))
	}
	apply(t, s, use(ticket.ID, ticket.ExpiresAt-1))
	endless := aTicket(2)
	endless.ExpiresAt = 0
	apply(t, s, store.CreateTicket{Ticket: endless}, approve(endless.ID, math.MaxInt64), use(endless.ID, math.MaxInt64))
}

func ticketRacers(t *testing.T, s store.Store) {
	for round := range byte(10) {
		ticket := aTicket(round)
		apply(t, s, store.CreateTicket{Ticket: ticket}, approve(ticket.ID, 5))
		same(t, 1, winners(t, store.ErrConflict, func(int) error {
			return s.Apply(context.Background(), use(ticket.ID, 6))
		}))
	}
}

// winners lets 64 callers race and counts those that were not refused.
func winners(t *testing.T, refusal error, race func(i int) error) (count int) {
	t.Helper()
	answers := make(chan error)
	for i := range 64 {
		go func() { answers <- race(i) }()
	}
	for range 64 {
		if err := <-answers; err == nil {
			count++
		} else if !errors.Is(err, refusal) {
			t.Error(err)
		}
	}
	return count
}

func onceChecks() []check {
	return []check{
		{"a value is remembered once, whatever its end", func(t *testing.T, s store.Store) {
			apply(t, s, once("v", 5))
			for _, until := range []int64{5, 0, 1, math.MaxInt64} {
				refused(t, s, store.ErrExists, once("v", until))
			}
			refused(t, s, store.ErrExists, once("twice", 5), once("twice", 5))
			apply(t, s, once("twice", 5))
		}},
		{"values are raw bytes, compared byte for byte", onceExactly},
		{"a value that stands with a refused command is forgotten", func(t *testing.T, s store.Store) {
			refused(t, s, store.ErrNotFound, once("v", 5), store.DeleteKey{ID: "none"})
			apply(t, s, once("v", 5))
		}},
		{"a value is remembered until a purge finds it over", purgedOnce},
		{"of 64 callers with one value exactly one wins", func(t *testing.T, s store.Store) {
			for round := range 10 {
				same(t, 1, winners(t, store.ErrExists, func(i int) error {
					return s.Apply(context.Background(), once(fmt.Sprint("round ", round), int64(i)))
				}))
			}
		}},
	}
}

func onceExactly(t *testing.T, s store.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	all := append(exactTexts(), "", "\x00", "\x00\x00", "\xff", "\xfe", string(every), string(every[1:]))
	for _, value := range all {
		apply(t, s, once(value, 5))
	}
	for _, value := range all {
		refused(t, s, store.ErrExists, once(value, 5))
	}
}

func purgedOnce(t *testing.T, s store.Store) {
	for _, end := range []struct {
		value string
		until int64
	}{{"over", 9}, {"now", 10}, {"later", 11}, {"kept", 0}} {
		apply(t, s, once(end.value, end.until))
	}
	var removed int64
	apply(t, s, store.Purge{Before: 10, Limit: 100, Removed: &removed})
	same(t, int64(1), removed)
	for _, kept := range []string{"now", "later", "kept"} {
		refused(t, s, store.ErrExists, once(kept, 50))
	}
	apply(t, s, once("over", 50))
}

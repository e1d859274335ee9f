package issuer_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// allowed is a code that bob has allowed the application app.
func (w *keptWorld) allowed() (token.Secret, store.Ticket) {
	w.Helper()
	code, err := w.awx.NewCode(w.Context(), store.Ticket{Client: "app", Scope: "read", Subject: "bob", AuthAt: w.awx.Tick()})
	w.do(err)
	t, err := w.awx.Code(w.Context(), "app", code)
	w.do(err)
	return code, t
}

func (w *keptWorld) redeem(t store.Ticket) (issuer.Kept, error) {
	return w.awx.KeepFor(w.Context(), w.awx.Tick(), t, true)
}

func TestACodeIsTradedForARowOnce(t *testing.T) {
	w := newKept(t)
	before := w.keep("bob", "app", "read")
	w.clock.move(time.Hour)
	code, ticket := w.allowed()
	other, personal := w.keep("bob", "other", "read"), w.keep("bob", "", "read")
	k, err := w.redeem(ticket)
	w.do(err)
	if k.Subject != "bob" || k.Client != "app" || k.Scope != "read" || k.Refresh.IsZero() {
		t.Errorf("it is %+v", k.AccessToken)
	}
	k, err = w.awx.KeepAgain(t.Context(), k.Refresh, "app", "")
	w.do(err)
	w.wantLive(k.Access, nil, "refreshed")
	used, err := w.awx.Code(t.Context(), "app", code)
	w.do(err)
	for name, again := range map[string]store.Ticket{"read before": ticket, "read after": used} {
		if _, err := w.redeem(again); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("a second use, %s: %v", name, err)
		}
	}
	w.wantLive(k.Access, token.ErrUnknown, "what the code gave, after its second use")
	w.wantLive(other.Access, nil, "another application's")
	w.wantLive(personal.Access, nil, "a personal one")
	w.wantLive(before.Access, nil, "a login from before the code")
}

func TestOfParallelUsesOfACodeOneWinsAndItEnds(t *testing.T) {
	w := newKept(t)
	_, ticket := w.allowed()
	var wait sync.WaitGroup
	answers := make([]error, 16)
	for n := range answers {
		wait.Go(func() { _, answers[n] = w.redeem(ticket) })
	}
	wait.Wait()
	var won int
	for _, err := range answers {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, token.ErrRevoked):
			t.Errorf("a use that lost: %v", err)
		}
	}
	n, err := w.hook.CountAccessTokens(t.Context(), store.DefaultTenant, store.AccessTokenFilter{})
	if won != 1 || n != 0 || err != nil {
		t.Errorf("%d won, %d rows are left: %v", won, n, err)
	}
}

func TestWhatWasAllowedBeforeTheUserWasVoidedGivesNoRow(t *testing.T) {
	w := newKept(t)
	_, ticket := w.allowed()
	w.do(w.awx.RevokeAllOf(t.Context(), "bob"))
	if _, err := w.redeem(ticket); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("a code: %v", err)
	}
	if _, err := w.awx.KeepAllowed(t.Context(), w.awx.Tick(), ticket); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("at once: %v", err)
	}
}

func TestACodeOfRowsIsNoneOfAnotherDoor(t *testing.T) {
	w := newKept(t)
	code, _ := w.allowed()
	if _, err := w.door.Code(t.Context(), "app", code); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("another door takes it: %v", err)
	}
	if _, err := w.awx.Code(t.Context(), "other", code); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("another application's: %v", err)
	}
}

func TestTheLifetimeOfACodeOfRowsIsAProperty(t *testing.T) {
	w := newKept(t)
	for _, want := range []int64{600, 5, 86400} {
		if want != 600 {
			p := store.Property{Tenant: store.DefaultTenant, Name: "AUTHORIZATION_CODE_EXPIRE_SECONDS", Value: fmt.Sprint(want)}
			w.do(w.hook.Apply(t.Context(), store.PutProperty{Property: p}))
		}
		if _, ticket := w.allowed(); ticket.ExpiresAt-ticket.CreatedAt != want*1_000_000 {
			t.Errorf("%d: it lives for %d µs", want, ticket.ExpiresAt-ticket.CreatedAt)
		}
	}
}

func TestAFamilyEndsThoughItIsRefreshedMeanwhile(t *testing.T) {
	w := newKept(t)
	first := w.keep("bob", "app", "read")
	second, err := w.awx.KeepAgain(t.Context(), first.Refresh, "app", "")
	w.do(err)
	w.do(w.awx.EndFamily(t.Context(), first.AccessToken))
	w.wantLive(second.Access, token.ErrUnknown, "its successor")
	w.do(w.awx.EndFamily(t.Context(), first.AccessToken))
}

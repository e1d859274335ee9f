package issuer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// held is a store that keeps back what was read of the facts, while it is closed.
type held struct {
	store.Store
	readings atomic.Int64
	gate     atomic.Pointer[chan struct{}]
	fails    int64 // this one does
}

func (h *held) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	rows, err := h.Store.Revocations(ctx, after, limit)
	reading := h.readings.Add(1)
	if gate := h.gate.Load(); gate != nil {
		<-*gate
	}
	if reading == h.fails {
		return nil, store.ErrUnavailable
	}
	return rows, err
}

func TestThoseWhoWaitForAReadingShareOneThatBeganAfterTheyAsked(t *testing.T) {
	for _, c := range []struct{ fails, readings, told int64 }{
		{0, 2, 20}, // the one under way, and one for all who waited
		{1, 2, 20},
		{2, 2, 0}, // nor does anybody try again behind one that failed
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &held{Store: memory.New()}
			w := newWorldOver(t, &hooked{Store: s}, signing.NewMaster(), newClock(), withSecret)
			w.addUser("marco")
			raw := w.login("marco").AccessToken.Reveal()
			gate := make(chan struct{})
			s.gate.Store(&gate)
			s.readings.Store(0)
			s.fails = c.fails
			go func() { _ = w.issuer.Follow(t.Context()) }()
			synctest.Wait()
			// Another process writes what the reading under way has missed.
			w.do(s.Apply(t.Context(), store.Revoke{Revocation: store.Revocation{
				Kind: store.RevokeSubject, Key: store.SubjectKey(store.DefaultTenant, "marco"), At: time.Now().AddDate(100, 0, 0).UnixMicro(),
			}}))
			var told atomic.Int64
			for range 20 {
				go func() {
					err := w.issuer.Follow(t.Context())
					_, void := w.door.Inspect(t.Context(), raw)
					if err == nil && errors.Is(void, token.ErrRevoked) {
						told.Add(1)
					}
				}()
			}
			synctest.Wait()
			close(gate)
			synctest.Wait()
			if told.Load() != c.told || s.readings.Load() != c.readings {
				t.Errorf("%+v: after %d readings %d of 20 know what was written before they asked", c, s.readings.Load(), told.Load())
			}
		})
	}
}

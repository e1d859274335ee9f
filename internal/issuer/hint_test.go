package issuer_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
)

// hinting is a store that gives the hints of a test.
type hinting struct {
	*hooked
	hints chan struct{}
}

func (h hinting) Watch(context.Context) <-chan struct{} { return h.hints }

// In the bubble no time passes while anything is to be done: what is noticed without
// a wait was noticed by the hint, not by the next look.
func TestAHintIsFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hinting{hooked: &hooked{Store: memory.New()}, hints: make(chan struct{}, 1)}
		defer func() { _ = s.Close() }()
		hinted := func(c *issuer.Config, _ *issuer.DoorConfig) { c.Store = s }
		w := newWorldOver(t, s.hooked, signing.NewMaster(), newClock(), hinted)
		w.addUser("marco")
		set := w.login("marco")
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); w.issuer.Run(ctx) }()
		defer func() { stop(); <-over }()
		synctest.Wait()
		everything := store.Revocation{Kind: store.RevokeAll, At: w.clock.Now().UnixMicro() + 1_000_000}
		if err := s.Store.Apply(t.Context(), store.Revoke{Revocation: everything}); err != nil { // another process
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantGood(set, "before the hint")
		s.hints <- struct{}{}
		synctest.Wait()
		if w.inspect(set) == nil {
			t.Error("honoured after the hint")
		}
	})
}

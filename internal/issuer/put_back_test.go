package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// putBack is a store that was put back to an earlier state while others had read on, or
// a standby that has taken over without the last facts: their numbers are given again.
type putBack struct {
	store.Store
	epoch      string // since then
	from, gone int64  // the last number before, and how many were lost; 0: none yet
}

func (p *putBack) Head(ctx context.Context) (store.Head, error) {
	head, err := p.Store.Head(ctx)
	if p.gone > 0 {
		head.Seq -= p.gone
		if p.epoch != "" {
			head.Epoch = p.epoch
		}
	}
	return head, err
}

func (p *putBack) Revocations(ctx context.Context, after int64, limit int) (list []store.Revocation, err error) {
	rows, err := p.Store.Revocations(ctx, 0, 1<<20)
	for _, r := range rows {
		if p.gone > 0 && r.Seq > p.from-p.gone {
			if r.Seq <= p.from {
				continue
			}
			r.Seq -= p.gone
		}
		if r.Seq > after && len(list) < limit {
			list = append(list, r)
		}
	}
	return list, err
}

func TestAStoreThatWasPutBackIsReadFromItsBeginning(t *testing.T) {
	for _, c := range []struct {
		name, epoch string
		more        int // revocations before anybody looks
	}{
		{"numbers that are lower than those read", "", 1},
		{"another epoch, with lower numbers", "another", 1},
		{"another epoch, with higher numbers already", "another", 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addUser("marco")
			s := &putBack{Store: w.hook.Store, epoch: c.epoch}
			other := newWorldOver(t, &hooked{Store: s}, w.master, w.clock)
			before := w.login("marco")
			w.do(w.door.Revoke(t.Context(), before.AccessToken.Reveal()))
			for range 4 {
				w.do(w.door.Revoke(t.Context(), w.login("marco").AccessToken.Reveal()))
			}
			w.do(other.issuer.Follow(t.Context()))
			old, err := other.door.Feed(t.Context(), issuer.FeedQuery{})
			w.do(err)
			head, err := s.Head(t.Context())
			w.do(err)
			s.from, s.gone = head.Seq, 4
			after := make([]token.Set, c.more)
			for n := range after {
				after[n] = w.login("marco")
				w.do(w.door.Revoke(t.Context(), after[n].AccessToken.Reveal()))
			}
			w.do(other.issuer.Follow(t.Context()))
			for n, set := range append(after, before) {
				if err := other.inspect(set); !errors.Is(err, token.ErrRevoked) {
					t.Errorf("token %d of %d: %v", n, len(after), err)
				}
			}
			if _, err := other.door.Feed(t.Context(), issuer.FeedQuery{After: old.Next}); !errors.Is(err, issuer.ErrCursor) {
				t.Errorf("a cursor of before: %v", err)
			}
		})
	}
}

// hanging is a store that does not answer, as one behind a network that drops packets.
type hanging struct {
	store.Store
	on atomic.Bool
}

func (h *hanging) Head(ctx context.Context) (store.Head, error) {
	if h.on.Load() {
		<-ctx.Done()
		return store.Head{}, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	return h.Store.Head(ctx)
}

func TestChecksDoNotQueueForAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &hanging{Store: memory.New()}
		w := newWorldOver(t, &hooked{Store: s}, signing.NewMaster(), newClock(), withSecret)
		w.addUser("marco")
		set := w.login("marco")
		s.on.Store(true)
		w.clock.move(2 * time.Second)
		began := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := w.inspect(set); !errors.Is(err, token.ErrUnavailable) {
					t.Errorf("a check beside a store that hangs: %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("50 checks took %s", took)
		}
	})
}

// replaced is a store that answers reads as ever, though another has taken its place.
type replaced struct {
	store.Store
	by atomic.Bool
}

func (r *replaced) Head(ctx context.Context) (store.Head, error) {
	if r.by.Load() {
		return store.Head{}, store.ErrUnavailable
	}
	return r.Store.Head(ctx)
}

func TestNothingIsIssuedFromAStoreThatIsNoLongerTheOne(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	s := &replaced{Store: w.hook.Store}
	other := newWorldOver(t, &hooked{Store: s}, w.master, w.clock)
	other.login("marco")
	s.by.Store(true)
	w.clock.move(2 * time.Second)
	if err := other.tryLogin(token.Request{}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a login of somebody who may be disabled by now: %v", err)
	}
	s.by.Store(false)
	w.do(other.tryLogin(token.Request{}))
}

func TestAVoidingThatIsDurableIsRecordedThoughTheStoreCannotBeReadAgain(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	s, told := &replaced{Store: w.hook.Store}, &notes{}
	other := newWorldOver(t, &hooked{Store: s}, w.master, w.clock, func(c *issuer.Config, _ *issuer.DoorConfig) { c.Recorder = told })
	s.by.Store(true)
	err := other.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco")
	if !errors.Is(err, token.ErrUnavailable) || len(told.events) != 1 {
		t.Errorf("error %v, recorded %+v", err, told.events)
	}
}

func TestAClockThatIsSetAheadRemovesNothingThatIsStillNeeded(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.login("marco")
	w.do(w.door.Revoke(t.Context(), set.AccessToken.Reveal()))
	var ahead time.Duration
	fast := w.twin(func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Now = func() time.Time { return w.clock.Now().Add(ahead) }
		c.Machine = w.clock.Now
	})
	ahead = 2 * time.Hour
	fast.issuer.Purge(t.Context())
	if err := w.twin().inspect(set); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("at a process that starts with the clock set right: %v", err)
	}
}

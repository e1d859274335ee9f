package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAtMostMaxConcurrentHashesRunAtOnce(t *testing.T) {
	const size, callers = 3, 60
	h := newHasher(t, Config{MaxConcurrent: size, Params: Params{Memory: 1024, Time: 1, Threads: 1}})
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			err := h.run(t.Context(), h.dummy, func() {
				n := running.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				h.dummy.matches("x", derive)
				running.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > size || n == 0 {
		t.Errorf("%d ran at once, want at most %d", n, size)
	}
	if s := h.Stats(); s.Running != 0 || s.Waiting != 0 || s.Hashes != callers {
		t.Errorf("afterwards %+v", s)
	}
}

func TestThoseWhoWaitAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 100, time.Minute)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := make(chan int, 20)
		for i := range 20 {
			go func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
				}
				served <- i
				g.leave()
			}()
			synctest.Wait() // it stands in the queue now
		}
		g.leave()
		for want := range 20 {
			if got := <-served; got != want {
				t.Fatalf("number %d was served as number %d", got, want)
			}
		}
	})
}

func TestWhoseTurnDoesNotComeInTimeIsToldWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Config{MaxConcurrent: 1, MaxWait: 5 * time.Second})
		if err := h.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, _, err := h.Verify(t.Context(), ofArgon2Tool, "x")
		var busy *BusyError
		if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) || busy.RetryAfter != 5*time.Second {
			t.Fatalf("got %v", err)
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("waited %v", waited)
		}
		if s := h.Stats(); s.Refused != 1 || s.Waiting != 0 || s.Hashes != 0 {
			t.Errorf("afterwards %+v", s)
		}
		h.gate.leave()
		if err := h.Equalise(t.Context(), "x"); err != nil {
			t.Errorf("with the slot free again: %v", err)
		}
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 2, 100*time.Millisecond)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			go g.enter(t.Context())
		}
		synctest.Wait()
		start := time.Now()
		err := g.enter(t.Context())
		var busy *BusyError
		if !errors.As(err, &busy) || busy.RetryAfter != time.Second {
			t.Errorf("got %v", err)
		}
		if time.Since(start) != 0 {
			t.Error("it waited")
		}
		time.Sleep(time.Second)
		if s := g.stats(); s.Waiting != 0 || s.Refused != 3 {
			t.Errorf("afterwards %+v", s)
		}
	})
}

func TestWhoGivesUpLeavesTheQueueAndTakesNoSlotAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10, time.Minute)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() { gaveUp <- g.enter(ctx) }()
		synctest.Wait()
		behind := make(chan error)
		go func() { behind <- g.enter(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		g.leave()
		if err := <-behind; err != nil {
			t.Error(err)
		}
		if err := g.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that is over was let in: %v", err)
		}
		g.leave()
		if s := g.stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("afterwards %+v", s)
		}
	})
}

func TestACallAtTheInstantOfGivingUpLosesNoSlot(t *testing.T) {
	for _, busy := range []bool{false, true} {
		g := newGate(1, 10, time.Minute)
		if _, err := g.join(); err != nil {
			t.Fatal(err)
		}
		place, err := g.join()
		if err != nil {
			t.Fatal(err)
		}
		g.leave() // calls the one in the queue
		err = g.abandon(place, ErrBusy, busy)
		if (err == nil) != busy {
			t.Errorf("busy %v: %v", busy, err)
		}
		if running := g.stats().Running; (running == 1) != busy {
			t.Errorf("busy %v: %d running", busy, running)
		}
	}
}

func TestNoSlotIsLostHoweverManyGiveUp(t *testing.T) {
	g := newGate(2, 1000, time.Minute)
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*100*time.Microsecond)
			defer cancel()
			if g.enter(ctx) == nil {
				time.Sleep(50 * time.Microsecond)
				g.leave()
			}
		})
	}
	wg.Wait()
	if s := g.stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("afterwards %+v", s)
	}
}

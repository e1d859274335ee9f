package throttle

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyRightLoginsAtOnceAllPassInTime(t *testing.T) {
	for name, user := range map[string]func(int) string{
		"one user":   func(int) string { return "alice" },
		"many users": strconv.Itoa,
	} {
		synctest.Test(t, func(t *testing.T) {
			th, _ := newThrottle(t, Config{Now: time.Now})
			slots := make(chan struct{}, 2)
			var passed atomic.Int64
			var wg sync.WaitGroup
			for i := range 900 {
				wg.Go(func() {
					if _, ok := th.Wait(t.Context(), user(i), home); !ok {
						return
					}
					slots <- struct{}{}
					time.Sleep(27 * time.Millisecond)
					<-slots
					passed.Add(1)
					th.Success(user(i), home)
				})
			}
			wg.Wait()
			if n := passed.Load(); n != 900 {
				t.Errorf("%s: %d of 900 right logins passed", name, n)
			}
			if s := th.Stats(); s != (Stats{}) {
				t.Errorf("%s: afterwards %+v", name, s)
			}
		})
	}
}

func TestThoseWhoWaitAreRefusedWhenTheTriesInTheWayProveWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, _ := newThrottle(t, Config{Now: time.Now})
		for range 10 {
			th.Allow("alice", home)
		}
		answered := make(chan bool)
		for range 5 {
			go func() {
				_, ok := th.Wait(t.Context(), "alice", home)
				answered <- ok
			}()
		}
		synctest.Wait()
		for range 9 {
			th.Failure("alice", home)
		}
		synctest.Wait()
		select {
		case <-answered:
			t.Fatal("answered while one was still under way")
		default:
		}
		th.Failure("alice", home)
		for range 5 {
			if <-answered {
				t.Error("a try passed")
			}
		}
		if n := th.Stats().Refused; n != 5 {
			t.Errorf("%d refusals counted", n)
		}
	})
}

func TestOneTryThatIsGivenBackLetsOneThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, _ := newThrottle(t, Config{Now: time.Now})
		for range 10 {
			th.Allow("alice", home)
		}
		var passed atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, ok := th.Wait(ctx, "alice", home); ok {
					passed.Add(1)
				}
			})
		}
		synctest.Wait()
		th.Release("alice", home)
		synctest.Wait()
		if n := passed.Load(); n != 1 {
			t.Errorf("%d passed, want 1", n)
		}
		cancel()
		wg.Wait()
		if n := passed.Load(); n != 1 {
			t.Errorf("%d passed in the end, want 1", n)
		}
	})
}

func TestTheCallOfOneWhoGaveUpReachesTheNext(t *testing.T) {
	b := &bucket{underway: 1}
	first, second := b.queue(), b.queue()
	b.call(1)
	<-first
	b.leave(first) // called at the instant of giving up
	select {
	case <-second:
	default:
		t.Error("the call is lost")
	}
}

func TestARoomThatIsOfNoUseIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, _ := newThrottle(t, Config{Attempts: 2, SourceFactor: 2, Now: time.Now})
		for i := range 4 { // the source is full of tries under way
			th.Allow("user"+strconv.Itoa(i), home)
		}
		first, second := make(chan bool), make(chan bool)
		go func() {
			_, ok := th.Wait(t.Context(), "alice", home)
			first <- ok
		}()
		synctest.Wait()
		go func() {
			_, ok := th.Wait(t.Context(), "bob", home)
			second <- ok
		}()
		synctest.Wait()
		// By the time it is called, the first has a pair that is full itself.
		th.mu.Lock()
		pair, _ := th.keys("alice", home)
		th.pairs.take(pair, th.elapsed())
		th.pairs.take(pair, th.elapsed())
		th.pairs.find(pair).underway = 0
		th.mu.Unlock()
		th.Release("user0", home)
		if <-first {
			t.Error("the first passed over a full pair")
		}
		if !<-second {
			t.Error("the second was not let through")
		}
	})
}

func TestWhoWaitsAtAForgottenBucketLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, _ := newThrottle(t, Config{MaxEntries: 1, Now: time.Now})
		for range 10 {
			th.Allow("alice", home)
		}
		answered := make(chan bool)
		go func() {
			_, ok := th.Wait(t.Context(), "alice", home)
			answered <- ok
		}()
		synctest.Wait()
		th.Allow("bob", home) // takes the only entry
		if !<-answered {
			t.Error("refused though nothing is remembered")
		}
	})
}

func TestTheNumberOfThoseWhoWaitIsBounded(t *testing.T) {
	b := &bucket{underway: 1}
	for range maxWaiting {
		if b.queue() == nil {
			t.Fatal("refused too early")
		}
	}
	if b.queue() != nil {
		t.Error("one more was let wait")
	}
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// disk is a commit function that waits for the test between its groups.
type disk struct {
	begun   chan int   // the size of the group that is being committed
	outcome chan error // what becomes of it
	names   []string   // of the users committed, in order
}

func newDisk() *disk { return &disk{begun: make(chan int), outcome: make(chan error)} }

func (d *disk) commit(group [][]store.Command, answers []error) error {
	d.begun <- len(group)
	for i, commands := range group {
		name := commands[0].(store.DeleteUser).Name
		if name == "taken" {
			answers[i] = fmt.Errorf("user: %w", store.ErrExists)
			continue
		}
		d.names = append(d.names, name)
	}
	return <-d.outcome
}

func named(name string) store.Command { return store.DeleteUser{Name: name} }

// later applies in the background.
func later(ctx context.Context, g *store.Group, name string) chan error {
	answer := make(chan error, 1)
	go func() { answer <- g.Apply(ctx, named(name)) }()
	return answer
}

func TestALoneCallerIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // would report a wait for a timer as time passed
		d := newDisk()
		g := store.NewGroup(d.commit)
		defer g.Close()
		answer := later(t.Context(), g, "a")
		if size := <-d.begun; size != 1 {
			t.Errorf("a group of %d", size)
		}
		synctest.Wait()
		select {
		case err := <-answer:
			t.Errorf("answered %v before the commit", err)
		default:
		}
		d.outcome <- nil
		if err := <-answer; err != nil {
			t.Error(err)
		}
	})
}

func TestCallersGatherWhileAGroupIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		defer g.Close()
		first := later(t.Context(), g, "first")
		<-d.begun
		answers := make([]chan error, 300)
		for i := range answers {
			answers[i] = later(t.Context(), g, "more")
		}
		synctest.Wait()
		d.outcome <- nil
		for _, want := range []int{256, 44} {
			if size := <-d.begun; size != want {
				t.Errorf("a group of %d, want %d", size, want)
			}
			d.outcome <- nil
		}
		for _, answer := range append(answers, first) {
			if err := <-answer; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestARefusalConcernsItsOperationAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		defer g.Close()
		blocker := later(t.Context(), g, "blocker")
		<-d.begun
		good, bad := later(t.Context(), g, "good"), later(t.Context(), g, "taken")
		synctest.Wait()
		d.outcome <- nil
		<-d.begun
		d.outcome <- nil
		if err := errors.Join(<-blocker, <-good); err != nil {
			t.Error(err)
		}
		if err := <-bad; !errors.Is(err, store.ErrExists) {
			t.Error(err)
		}
	})
}

func TestAQueuedOperationIsWithdrawnWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		defer g.Close()
		first := later(t.Context(), g, "first")
		<-d.begun
		ctx, cancel := context.WithCancel(t.Context())
		withdrawn, kept := later(ctx, g, "withdrawn"), later(t.Context(), g, "kept")
		synctest.Wait()
		cancel()
		if err := <-withdrawn; !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("withdrawn: %v", err)
		}
		d.outcome <- nil
		<-d.begun
		d.outcome <- nil
		if err := errors.Join(<-first, <-kept); err != nil {
			t.Error(err)
		}
		if len(d.names) != 2 || d.names[1] != "kept" {
			t.Errorf("committed %v", d.names)
		}
	})
}

func TestAContextThatEndsUnderWayLeavesTheOutcomeUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		defer g.Close()
		ctx, cancel := context.WithCancel(t.Context())
		answer := later(ctx, g, "a")
		<-d.begun
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("under way: %v", err)
		}
		d.outcome <- nil
		if err := g.Apply(ctx, named("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of the context: %v", err)
		}
	})
}

func TestAfterACommitThatWentWrongNothingIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		first := later(t.Context(), g, "first")
		<-d.begun
		queued := later(t.Context(), g, "queued")
		synctest.Wait()
		broken := errors.New("disk on fire")
		d.outcome <- broken
		for _, answer := range []chan error{first, queued, later(t.Context(), g, "next")} {
			if err := <-answer; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, broken) {
				t.Errorf("answer %v", err)
			}
		}
		g.Close()
		if len(d.names) != 1 {
			t.Errorf("carried out %v", d.names)
		}
	})
}

func TestCloseCarriesOutWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		g := store.NewGroup(d.commit)
		first := later(t.Context(), g, "first")
		<-d.begun
		queued := later(t.Context(), g, "queued")
		synctest.Wait()
		over := make(chan struct{})
		go func() { g.Close(); g.Close(); close(over) }()
		synctest.Wait()
		if err := g.Apply(t.Context(), named("late")); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
		d.outcome <- nil
		<-d.begun
		d.outcome <- nil
		<-over
		if err := errors.Join(<-first, <-queued); err != nil {
			t.Error(err)
		}
	})
}

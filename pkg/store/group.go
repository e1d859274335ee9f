package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// maxGroup is how many operations one commit carries at most.
const maxGroup = 256

// CommitFunc carries out a group of operations in order, in one transaction,
// and returns when it is durable. group[i] is the commands of one Apply, all or
// none; answers[i] is what its caller is told, nil to begin with. An operation
// that is refused leaves the others alone. When nothing was changed, for any
// reason, every answer says so.
//
// An error means that nobody knows what is on disk (the commit itself went
// wrong): all are told, and the function is never called again.
type CommitFunc func(group [][]Command, answers []error) error

// Group is a group commit: it gathers the operations of concurrent callers and
// commits them together. While one group is committed the next one gathers, so
// a lone caller waits for nobody and a flood shares its disk flushes.
//
// After a commit that went wrong it refuses everything: a flush that failed
// once may succeed the next time without having written anything, so only
// opening the store anew tells what is there.
type Group struct {
	commit CommitFunc
	wake   chan struct{} // holds one token while there may be work; closed by Close
	done   chan struct{} // closed when the goroutine is over

	mu      sync.Mutex
	queue   []*operation
	closed  bool
	refusal error // why nothing is accepted any more
	watch   CommitWatch
}

// CommitWatch is told of each commit of a Group: of how many operations, and how
// long it took. It is called before they are answered, and must be quick.
type CommitWatch func(operations int, took time.Duration)

// Watch lets commits be watched from now on, by one at a time.
func (g *Group) Watch(watch CommitWatch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watch = watch
}

// operation is one Apply on its way. It can be withdrawn while it is queued.
type operation struct {
	commands []Command
	answer   chan error // room for the one answer
}

// NewGroup starts a group commit that ends with Close.
func NewGroup(commit CommitFunc) *Group {
	g := &Group{commit: commit, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go g.run()
	return g
}

// Apply is Writer.Apply. When ctx ends before the operation's turn has come, it
// is withdrawn: the error is ctx's alone, and nothing was changed. When ctx ends
// later, the error wraps ErrUnavailable too, and the commands, whose slices are
// still being read, must not be altered.
func (g *Group) Apply(ctx context.Context, commands ...Command) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("nothing changed: %w", err)
	}
	op := &operation{commands: commands, answer: make(chan error, 1)}
	if err := g.enqueue(op); err != nil {
		return err
	}
	select {
	case err := <-op.answer:
		return err
	case <-ctx.Done():
		return g.abandon(ctx, op)
	}
}

// Close lets what is queued be carried out, ends the goroutine, and refuses
// what comes later. It may be called more than once.
func (g *Group) Close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.wake)
	}
	g.mu.Unlock()
	<-g.done
}

func (g *Group) enqueue(op *operation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return fmt.Errorf("%w: closed", ErrUnavailable)
	case g.refusal != nil:
		return g.refusal
	}
	g.queue = append(g.queue, op)
	select {
	case g.wake <- struct{}{}:
	default:
	}
	return nil
}

func (g *Group) abandon(ctx context.Context, op *operation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, op); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return fmt.Errorf("nothing changed: %w", ctx.Err())
	}
	select {
	case err := <-op.answer:
		return err
	default:
		return fmt.Errorf("%w: outcome unknown: %w", ErrUnavailable, ctx.Err())
	}
}

func (g *Group) run() {
	defer close(g.done)
	for range g.wake {
		for g.round() {
		}
	}
	for g.round() {
	}
}

// round commits one group and reports whether there was one.
func (g *Group) round() bool {
	// Those just answered are runnable but have not run yet: let them queue up
	// again first, else the quickest of them is committed almost alone.
	runtime.Gosched()
	batch := g.take()
	if len(batch) == 0 {
		return false
	}
	answers := g.carryOut(batch)
	for i, op := range batch {
		op.answer <- answers[i]
	}
	return true
}

func (g *Group) take() []*operation {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.queue), maxGroup)
	batch := slices.Clone(g.queue[:n])
	g.queue = slices.Delete(g.queue, 0, n)
	return batch
}

func (g *Group) carryOut(batch []*operation) []error {
	commands := make([][]Command, len(batch))
	for i, op := range batch {
		commands[i] = op.commands
	}
	answers := make([]error, len(batch))
	watch, refusal := g.state()
	if refusal == nil {
		began := time.Now()
		if err := g.commit(commands, answers); err != nil {
			refusal = g.refuse(err)
		}
		if watch != nil {
			watch(len(batch), time.Since(began))
		}
	}
	if refusal != nil {
		for i := range answers {
			answers[i] = refusal
		}
	}
	return answers
}

func (g *Group) state() (watch CommitWatch, refusal error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.watch, g.refusal
}

func (g *Group) refuse(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusal = fmt.Errorf("%w: a commit went wrong, to be opened anew: %w", ErrUnavailable, err)
	return g.refusal
}

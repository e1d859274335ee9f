package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

const (
	followEvery = 100 * time.Millisecond
	purgeEvery  = 10 * time.Second
	purgeBatch  = 500 // rows; more at once would hold the writer too long
	factsBatch  = 4096
	factsWithin = 2 * time.Second // a store that takes longer is not there
)

// Run follows what other processes write to the store and removes what is over,
// until ctx ends. It looks every followEvery, and at once where the store gives a hint.
func (i *Issuer) Run(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() { i.recheckEvery(ctx) })
	wait.Go(func() { i.purgeEvery(ctx) })
	defer wait.Wait()
	follow := time.NewTicker(followEvery)
	defer follow.Stop()
	var hints <-chan struct{}
	if hinter, ok := i.Store.(store.Hinter); ok {
		hints = hinter.Watch(ctx)
	}
	var trouble time.Time // since when the store cannot be followed; zero: it can
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.awake:
		case <-hints:
		case <-follow.C:
		}
		trouble = i.follow(ctx, trouble)
	}
}

// follow reads what is new, and says when that begins to fail and when it works again.
func (i *Issuer) follow(ctx context.Context, trouble time.Time) time.Time {
	err := i.sync(ctx)
	switch {
	case err != nil && trouble.IsZero() && ctx.Err() == nil:
		i.Log.Error("the store cannot be followed", "error", err)
		return i.Machine()
	case err == nil && !trouble.IsZero():
		i.Log.Info("the store is followed again", "after", i.Machine().Sub(trouble).Round(time.Millisecond).String())
		return time.Time{}
	}
	return trouble
}

// sync reads the facts that came after the last one read. Of those who wait for their
// turn one reads for all: a reading that began after they asked saw what they would,
// and fails as theirs would.
func (i *Issuer) sync(ctx context.Context) error {
	asked := i.readings.Load()
	if err := i.lock(ctx); err != nil {
		return err
	}
	defer i.unlock()
	if i.read > asked {
		return i.readErr
	}
	reading := i.readings.Add(1)
	err := i.readFacts(ctx)
	if ctx.Err() == nil { // else that may be why
		i.read, i.readErr = reading, err
	}
	return err
}

func (i *Issuer) lock(ctx context.Context) error {
	select {
	case i.following <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", token.ErrUnavailable, ctx.Err())
	}
}

func (i *Issuer) unlock() { <-i.following }

// readFacts reads on, or from the beginning where the store is not the one of before:
// facts that it has are behind numbers that were read already. Until then the mirror is
// as old as it was. It never loses any: what was void stays so.
func (i *Issuer) readFacts(ctx context.Context) error {
	began := i.Machine()
	head, err := i.readHead(ctx)
	if err == nil && (head.Epoch != i.epoch || head.Seq < i.seq) {
		err = i.begin(ctx, head)
	}
	for n := factsBatch; err == nil && n == factsBatch; {
		n, err = i.readBatch(ctx)
	}
	if err != nil {
		return err
	}
	i.tail.reach(head.Seq)
	i.synced.Store(&view{at: began, epoch: head.Epoch})
	return nil
}

// view tells that the mirror holds all that the store knew at an instant by Machine.
type view struct {
	at    time.Time
	epoch string // of the store; empty: there is no such instant
}

func (i *Issuer) readHead(ctx context.Context) (store.Head, error) {
	within, cancel := context.WithTimeout(ctx, factsWithin)
	defer cancel()
	head, err := i.Store.Head(within)
	return head, unavailable(err)
}

func (i *Issuer) readBatch(ctx context.Context) (int, error) {
	rows, err := i.readRows(ctx, i.seq, factsWithin)
	if err != nil {
		return 0, err
	}
	return len(rows), i.take(ctx, rows)
}

func (i *Issuer) readRows(ctx context.Context, after int64, patience time.Duration) ([]store.Revocation, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := i.Store.Revocations(within, after, factsBatch)
	return rows, unavailable(err)
}

func (i *Issuer) take(ctx context.Context, rows []store.Revocation) error {
	if err := i.reload(ctx, i.mirror(rows)); err != nil {
		return err
	}
	if len(rows) > 0 {
		i.seq = rows[len(rows)-1].Seq
	}
	i.tail.add(rows)
	return nil
}

// mirror takes the revocations among facts into the mirror, and returns the others.
func (i *Issuer) mirror(rows []store.Revocation) changes {
	changed := changes{}
	if n := len(rows); n > 0 { // mostly the newest: the others need no look at the clock
		i.clock.follow(rows[n-1].At)
	}
	for _, row := range rows {
		if row.At > i.clock.last.Load() {
			i.clock.follow(row.At)
		}
		if isChange(row.Kind) {
			changed[change{row.Kind, row.Key}] = true
			continue
		}
		i.revocations.Add(fact(row))
	}
	return changed
}

// isChange tells a fact that is no revocation, but says what is to be read again.
func isChange(kind string) bool {
	return kind == store.ChangeKeys || kind == store.ChangeProperties || kind == store.ChangeTenants
}

// changes are what is to be read again, and of which tenants.
type changes map[change]bool

type change struct{ kind, tenant string }

func (c changes) of(kind string) bool {
	for one := range c {
		if one.kind == kind {
			return true
		}
	}
	return false
}

// reload reads again what has changed: the keys once, whatever the number of
// tenants, and none of a tenant in which nothing has.
func (i *Issuer) reload(ctx context.Context, changed changes) error {
	if changed.of(store.ChangeTenants) {
		for _, all := range i.tenanted {
			if err := all.load(ctx); err != nil {
				return err
			}
		}
	}
	var keys []store.Key
	if changed.of(store.ChangeKeys) {
		var err error
		if keys, err = i.Store.Keys(ctx); err != nil {
			return unavailable(err)
		}
	}
	for d := range i.allDoors() {
		if changed[change{store.ChangeKeys, d.Tenant}] {
			if err := i.apart(d, d.useKeys(ctx, keys)); err != nil {
				return err
			}
		}
		if changed[change{store.ChangeProperties, d.Tenant}] {
			if err := d.loadLimit(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// apart keeps what is wrong with one door's keys from all others: it goes on with
// those that it has. That the store cannot be read concerns all.
func (i *Issuer) apart(d *Door, err error) error {
	if err == nil || errors.Is(err, token.ErrUnavailable) {
		return err
	}
	i.Log.Error("the keys of a door cannot be used: it goes on with those of before", "door", d.Name, "tenant", d.Tenant, "error", err)
	return nil
}

func fact(r store.Revocation) verifier.Fact {
	return verifier.Fact{Kind: verifier.FactKind(r.Kind), Key: r.Key, At: r.At, Until: r.Until}
}

// Fresh makes sure that the mirror is younger than StaleAfter, by asking the
// store if it must. ErrUnavailable means that nothing may be vouched for.
func (i *Issuer) Fresh(ctx context.Context) error {
	if i.isFresh() {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, factsWithin)
	defer cancel()
	return i.sync(within)
}

// isFresh asks both clocks: the monotonic one stands still while the machine
// sleeps, the other one can be set.
func (i *Issuer) isFresh() bool {
	now, seen := i.Machine(), i.synced.Load()
	wall := now.UnixMicro() - seen.at.UnixMicro()
	return seen.epoch != "" && now.Sub(seen.at) <= i.StaleAfter && wall >= 0 && wall <= i.StaleAfter.Microseconds()
}

// apply makes a change durable, takes its facts into the mirror, and writes down
// what happened.
func (i *Issuer) apply(ctx context.Context, commands ...store.Command) error {
	if err := i.write(ctx, commands...); err != nil {
		return err
	}
	return i.recordChanges(ctx, commands)
}

// write is apply of what nobody asks about later.
func (i *Issuer) write(ctx context.Context, commands ...store.Command) error {
	if err := i.Store.Apply(ctx, commands...); err != nil {
		return unavailable(err)
	}
	for _, c := range commands {
		if r, ok := c.(store.Revoke); ok && !isChange(r.Revocation.Kind) {
			i.revocations.Add(fact(r.Revocation))
			if i.tail.isAwaited(i.Now()) {
				i.wake()
			}
		}
	}
	return nil
}

func (i *Issuer) purgeEvery(ctx context.Context) {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			i.purge(ctx)
		}
	}
}

// purge removes what is over in small batches, and rests as long between them as they
// take, so that writers hardly wait.
func (i *Issuer) purge(ctx context.Context) {
	before := i.over()
	i.revocations.Prune(before)
	for ctx.Err() == nil {
		var n int64
		began := i.Machine()
		err := i.Store.Apply(ctx, store.Purge{Before: before.UnixMicro(), Limit: purgeBatch, Removed: &n})
		if err != nil && ctx.Err() != nil {
			return
		}
		i.purged.count(n, err)
		if err != nil {
			i.Log.Warn("what is over cannot be removed from the store", "error", err)
			return
		}
		if n < purgeBatch || pause(ctx, i.Machine().Sub(began)) != nil {
			return
		}
	}
}

// clockMaySlip is by how much a clock may run ahead, or be set ahead, and still be
// believed when something is removed for good.
const clockMaySlip = time.Minute

// over is the instant at which what ended before is over. A clock that was set ahead
// since the start may be set back, and what was void would live again.
func (i *Issuer) over() time.Time {
	// An instant of its own: from then on what is over stays over, though the clock
	// were set back.
	at := time.UnixMicro(i.clock.tick())
	latest := i.started.now.Add(i.Machine().Sub(i.started.machine)).Add(clockMaySlip)
	if at.After(latest) {
		return latest
	}
	return at
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Ready answers whether tokens can be issued and judged at this moment.
func (i *Issuer) Ready(ctx context.Context) error {
	if err := i.Store.Ping(ctx); err != nil {
		return unavailable(err)
	}
	return i.Fresh(ctx)
}

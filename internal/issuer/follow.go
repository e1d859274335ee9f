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
// until ctx ends.
func (i *Issuer) Run(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() { i.recheckEvery(ctx) })
	defer wait.Wait()
	follow, purge := time.NewTicker(followEvery), time.NewTicker(purgeEvery)
	defer follow.Stop()
	defer purge.Stop()
	healthy := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-follow.C:
			err := i.sync(ctx)
			if err != nil && healthy && ctx.Err() == nil {
				i.Log.Error("the store cannot be followed", "error", err)
			}
			healthy = err == nil
		case <-purge.C:
			i.purge(ctx)
		}
	}
}

// sync reads the facts that came after the last one read.
func (i *Issuer) sync(ctx context.Context) error {
	if err := i.lock(ctx); err != nil {
		return err
	}
	defer i.unlock()
	return i.readFacts(ctx)
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

func (i *Issuer) readFacts(ctx context.Context) error {
	for {
		began := i.Now()
		n, err := i.readBatch(ctx)
		if err != nil {
			return err
		}
		if n < factsBatch {
			i.synced.Store(&began)
			return nil
		}
	}
}

func (i *Issuer) readBatch(ctx context.Context) (int, error) {
	within, cancel := context.WithTimeout(ctx, factsWithin)
	defer cancel()
	rows, err := i.Store.Revocations(within, i.seq, factsBatch)
	if err != nil {
		return 0, unavailable(err)
	}
	return len(rows), i.take(ctx, rows)
}

func (i *Issuer) take(ctx context.Context, rows []store.Revocation) error {
	changed := changes{}
	for _, row := range rows {
		i.clock.follow(row.At)
		if isChange(row.Kind) {
			changed[change{row.Kind, row.Key}] = true
			continue
		}
		i.revocations.Add(fact(row))
	}
	if err := i.reload(ctx, changed); err != nil {
		return err
	}
	if len(rows) > 0 {
		i.seq = rows[len(rows)-1].Seq
	}
	return nil
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
	if err := i.lock(ctx); err != nil {
		return err
	}
	defer i.unlock()
	if i.isFresh() { // somebody else has looked meanwhile
		return nil
	}
	return i.readFacts(ctx)
}

// isFresh asks both clocks: the monotonic one stands still while the machine
// sleeps, the other one can be set.
func (i *Issuer) isFresh() bool {
	now, synced := i.Now(), *i.synced.Load()
	wall := now.UnixMicro() - synced.UnixMicro()
	return now.Sub(synced) <= i.StaleAfter && wall >= 0 && wall <= i.StaleAfter.Microseconds()
}

// apply makes a change durable, then takes its facts into the mirror.
func (i *Issuer) apply(ctx context.Context, commands ...store.Command) error {
	if err := i.Store.Apply(ctx, commands...); err != nil {
		return unavailable(err)
	}
	for _, c := range commands {
		if r, ok := c.(store.Revoke); ok && !isChange(r.Revocation.Kind) {
			i.revocations.Add(fact(r.Revocation))
		}
	}
	return nil
}

// purge removes what is over in small batches, so that writers hardly wait.
func (i *Issuer) purge(ctx context.Context) {
	// An instant of its own: from then on what is over stays over, though the
	// clock were set back.
	now := time.UnixMicro(i.clock.tick())
	i.revocations.Prune(now)
	for ctx.Err() == nil {
		var n int64
		err := i.Store.Apply(ctx, store.Purge{Before: now.UnixMicro(), Limit: purgeBatch, Removed: &n})
		if err != nil && ctx.Err() != nil {
			return
		}
		if err != nil {
			i.Log.Warn("what is over cannot be removed from the store", "error", err)
			return
		}
		if n < purgeBatch {
			return
		}
	}
}

// Ready answers whether tokens can be issued and judged at this moment.
func (i *Issuer) Ready(ctx context.Context) error {
	if err := i.Store.Ping(ctx); err != nil {
		return unavailable(err)
	}
	return i.Fresh(ctx)
}

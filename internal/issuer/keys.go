package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// algorithm of the ats door's keys.
const algorithm = "HS256"

// ErrConfigured says that a key cannot be changed here, since the configuration
// gives it.
var ErrConfigured = errors.New("the signing secret is given by the configuration")

// loadKeys reads the door's keys, or makes the first: also where the
// configuration gives the secret, since a key that opens shows that the master
// key is the store's own. Under another one all that was issued would be void,
// and what two replicas issue strange to each other, without a word.
func (d *Door) loadKeys(ctx context.Context) error {
	kept, err := d.keptKeys(ctx)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		first, err := d.newKey([]byte(signing.GenerateSecret()))
		if err != nil {
			return err
		}
		if err := d.issuer.apply(ctx, first...); err != nil {
			return err
		}
	}
	// Another process may have been as early: both keys verify then.
	keys, err := d.readKeys(ctx)
	if err != nil {
		return err
	}
	fresh, err := d.newKeys(keys)
	if err != nil {
		return err
	}
	d.keys.Store(fresh)
	return nil
}

// doorKeys is replaced as a whole when keys change.
type doorKeys struct {
	ring     *signing.Ring
	verifier *verifier.Verifier
	until    int64 // when the first of them is over; 0: none will be
}

func (d *Door) newKeys(keys []signing.Key) (*doorKeys, error) {
	ring, err := signing.NewRing(keys...)
	if err != nil {
		return nil, err
	}
	v, err := verifier.New(verifier.Config{
		Keys: verifying(keys), Issuer: d.Issuer, Required: []string{"sub", "jti"}, Now: d.issuer.clock.read,
	})
	if err != nil {
		return nil, err
	}
	fresh := &doorKeys{ring: ring, verifier: v}
	for _, k := range keys {
		if k.State == store.KeyRetiring && (fresh.until == 0 || k.NotAfter < fresh.until) {
			fresh.until = k.NotAfter
		}
	}
	return fresh, nil
}

// keysNow is the keys without those that have come to their end since they
// were read.
func (d *Door) keysNow() (*doorKeys, error) {
	keys, now := d.keys.Load(), d.issuer.clock.read()
	if keys.until == 0 || now.UnixMicro() < keys.until {
		return keys, nil
	}
	fresh, err := d.newKeys(keys.ring.Verifying(now))
	if err == nil {
		d.keys.CompareAndSwap(keys, fresh) // unless they were read again meanwhile
	}
	return fresh, err
}

func verifying(keys []signing.Key) []verifier.Key {
	list := make([]verifier.Key, len(keys))
	for i, k := range keys {
		list[i] = verifier.Key{Algorithm: k.Algorithm, Secret: k.Secret}
	}
	return list
}

// readKeys returns the keys that are in force, the signing one first.
func (d *Door) readKeys(ctx context.Context) ([]signing.Key, error) {
	if !d.Secret.IsZero() {
		return []signing.Key{{ID: "configured", Algorithm: algorithm, State: store.KeyActive, Secret: d.Secret}}, nil
	}
	return d.keptKeys(ctx)
}

// keptKeys are those in the store.
func (d *Door) keptKeys(ctx context.Context) ([]signing.Key, error) {
	rows, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	now := d.issuer.clock.read().UnixMicro()
	var keys []signing.Key
	for _, row := range rows {
		if row.Tenant != d.Tenant || row.Door != d.Name || row.State == store.KeyRetiring && row.NotAfter <= now {
			continue
		}
		secret, err := d.issuer.Master.Open(row.Sealed, "key "+row.ID)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", row.ID, err)
		}
		keys = append(keys, signing.Key{
			ID: row.ID, Algorithm: row.Algorithm, State: row.State, CreatedAt: row.CreatedAt, NotAfter: row.NotAfter, Secret: token.NewSecret(string(secret)),
		})
	}
	slices.SortStableFunc(keys, func(a, b signing.Key) int {
		return boolOrder(a.State == store.KeyActive, b.State == store.KeyActive)
	})
	return keys, nil
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// newKey is the commands that add a signing key, and tell of it.
func (d *Door) newKey(secret []byte) ([]store.Command, error) {
	id := rand.Text()[:16]
	key := store.Key{ID: id, Tenant: d.Tenant, Door: d.Name, Algorithm: algorithm, State: store.KeyActive, CreatedAt: d.issuer.clock.tick()}
	sealed, err := d.issuer.Master.Seal(secret, "key "+id)
	if err != nil {
		return nil, err
	}
	key.Sealed = sealed
	return []store.Command{
		store.PutKey{Key: key},
		store.Revoke{Revocation: store.Revocation{Kind: store.ChangeKeys, Key: d.Tenant, At: key.CreatedAt}},
	}, nil
}

// Keys returns the door's keys that are in force, the signing one first.
func (d *Door) Keys(ctx context.Context) ([]signing.Key, error) { return d.readKeys(ctx) }

// RotateKey makes a new signing key (from secret, or a fresh one where that is
// empty). The old ones verify until the last token they signed is over.
func (d *Door) RotateKey(ctx context.Context, secret token.Secret) error {
	if !d.Secret.IsZero() {
		return ErrConfigured
	}
	rows, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return unavailable(err)
	}
	fresh := []byte(secret.Reveal())
	if len(fresh) == 0 {
		fresh = []byte(signing.GenerateSecret())
	}
	commands, err := d.newKey(fresh)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Tenant == d.Tenant && row.Door == d.Name && row.State == store.KeyActive {
			row.State = store.KeyRetiring
			// The other processes learn of it within StaleAfter, and sign with it until then.
			row.NotAfter = d.issuer.clock.tick() + d.issuer.StaleAfter.Microseconds() + d.AccessTTL*1_000_000
			commands = append(commands, store.PutKey{Key: row})
		}
	}
	if err := d.issuer.apply(ctx, commands...); err != nil {
		return err
	}
	return d.loadKeys(ctx)
}

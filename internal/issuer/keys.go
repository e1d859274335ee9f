package issuer

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// ErrConfigured says that a key cannot be changed here, since the configuration
// gives it.
var ErrConfigured = errors.New("the signing secret is given by the configuration")

// loadKeys reads the door's keys, or makes the first: also where the
// configuration gives the secret, since a key that opens shows that the master
// key is the store's own. Under another one all that was issued would be void,
// and what two replicas issue strange to each other, without a word.
func (d *Door) loadKeys(ctx context.Context) error {
	rows, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return unavailable(err)
	}
	return d.useKeys(ctx, rows)
}

// keyless tells that nothing is signed at the door.
func (d *Door) keyless() bool { return d.Format.kept || d.Format.opaque }

// useKeys is loadKeys for the rows of all doors.
func (d *Door) useKeys(ctx context.Context, rows []store.Key) error {
	if d.keyless() {
		return nil
	}
	kept, err := d.keptKeys(rows)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		first, err := d.newKey(Rotation{Now: true}, d.issuer.clock.tick())
		if err != nil {
			return err
		}
		if err := d.issuer.apply(ctx, first...); err != nil {
			return err
		}
		// Another process may have been as early: both keys verify then.
		if rows, err = d.issuer.Store.Keys(ctx); err != nil {
			return unavailable(err)
		}
	}
	keys, err := d.inForce(rows)
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
	jwks     []byte // the public ones, as they are published
	all      []signing.Key
}

func (d *Door) newKeys(all []signing.Key) (*doorKeys, error) {
	given := all
	all = d.strong(all)
	now := later(d.issuer.clock.read(), begin(all))
	ring, err := signing.NewRing(now, all...)
	if err != nil && len(all) < len(given) {
		_, err = signing.NewRing(now, given...) // says which key is weak, and what allows it
	}
	if err != nil {
		return nil, err
	}
	v, err := d.newVerifier(ring.Verifying(now))
	if err != nil {
		return nil, err
	}
	jwks, err := ring.JWKS()
	return &doorKeys{ring, v, jwks, all}, err
}

// strong is the keys that may be used here: a weak one may have been let in by
// another process, which is allowed what this one is not.
func (d *Door) strong(all []signing.Key) []signing.Key {
	return slices.DeleteFunc(slices.Clone(all), func(k signing.Key) bool {
		if k.Private == nil || d.AllowWeakKeys {
			return false
		}
		reason, weak := signing.WeakKey(k.Private.Public())
		if weak {
			d.issuer.Log.Error("a key is not used, since it is weak", "door", d.Name, "tenant", d.Tenant, "key", k.ID, "reason", reason)
		}
		return weak
	})
}

// begin is when the first of some keys began to sign. A clock that has been set
// back behind it is no reason to sign nothing.
func begin(keys []signing.Key) time.Time {
	first := int64(math.MaxInt64)
	for _, k := range keys {
		if k.State == store.KeyActive {
			first = min(first, k.NotBefore)
		}
	}
	if first == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(first)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keysNow is the keys as they are at this moment: another may have begun to
// sign, or come to its end, since they were read.
func (d *Door) keysNow() (*doorKeys, error) {
	keys := d.keys.Load()
	if at := keys.ring.Changes(); at == 0 || d.issuer.clock.read().UnixMicro() < at {
		return keys, nil
	}
	fresh, err := d.newKeys(keys.all)
	if err == nil {
		d.keys.CompareAndSwap(keys, fresh) // unless they were read again meanwhile
	}
	return fresh, err
}

// JWKS is the public keys of the door as a JWK set (RFC 7517 section 5): those
// that sign, that will, and that did while their tokens last.
func (d *Door) JWKS() ([]byte, error) {
	keys, err := d.keysNow()
	if err != nil {
		return nil, err
	}
	return keys.jwks, nil
}

// PublicKey is the public half of the key that signs at this moment. A door that
// signs with a shared secret has none, which is an error.
func (d *Door) PublicKey() (crypto.PublicKey, error) {
	keys, err := d.keysNow()
	if err != nil {
		return nil, err
	}
	if k := keys.ring.Signing(); k.Private != nil {
		return k.Private.Public(), nil
	}
	return nil, fmt.Errorf("the %s door has no public key", d.Name)
}

// Algorithm is what the door signs with at this moment.
func (d *Door) Algorithm() string {
	keys, err := d.keysNow()
	if err != nil {
		keys = d.keys.Load()
	}
	return keys.ring.Signing().Algorithm
}

func verifying(keys []signing.Key) []verifier.Key {
	list := make([]verifier.Key, len(keys))
	for i, k := range keys {
		list[i] = verifier.Key{Algorithm: k.Algorithm, Secret: k.Secret}
		if k.Private != nil {
			list[i] = verifier.Key{ID: k.ID, Algorithm: k.Algorithm, Public: k.Private.Public()}
		}
	}
	return list
}

// inForce returns the keys that are in force, the signing one first.
func (d *Door) inForce(rows []store.Key) ([]signing.Key, error) {
	if !d.Secret.IsZero() {
		return []signing.Key{{ID: "configured", Algorithm: d.Format.algorithm, State: store.KeyActive, Secret: d.Secret}}, nil
	}
	return d.keptKeys(rows)
}

// keptKeys are those of some rows that are the door's.
func (d *Door) keptKeys(rows []store.Key) ([]signing.Key, error) {
	now := d.issuer.clock.read().UnixMicro()
	var keys []signing.Key
	for _, row := range rows {
		if !d.owns(row) || row.NotAfter != 0 && row.NotAfter <= now {
			continue
		}
		d.spans.note(row.ID, row.LongestTTL)
		key, err := d.openKey(row)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", row.ID, err)
		}
		keys = append(keys, key)
	}
	slices.SortStableFunc(keys, func(a, b signing.Key) int {
		return boolOrder(signs(a, now), signs(b, now))
	})
	return keys, nil
}

func signs(k signing.Key, now int64) bool { return k.State == store.KeyActive && k.NotBefore <= now }

func (d *Door) openKey(row store.Key) (signing.Key, error) {
	key := signing.Key{
		ID: row.ID, Algorithm: row.Algorithm, State: row.State,
		CreatedAt: row.CreatedAt, NotBefore: row.NotBefore, NotAfter: row.NotAfter, AllowWeak: d.AllowWeakKeys,
	}
	plain, err := d.issuer.Master.Open(row.Sealed, "key "+row.ID)
	if err != nil {
		return key, err
	}
	if isHMAC(row.Algorithm) {
		key.Secret = token.NewSecret(string(plain))
		return key, nil
	}
	key.Private, err = signing.UnmarshalPrivate(plain)
	return key, err
}

// Algorithm is that of the keys which are made for doors of the format.
func (f Format) Algorithm() string { return f.algorithm }

func isHMAC(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Rotation says what the next signing key is.
type Rotation struct {
	// Secret (of a door that signs with a shared one) or Private (of any other) is
	// the key. Default: one is made.
	Secret  token.Secret
	Private crypto.Signer
	// Algorithm of the key. Default: the usual one of Private, else the door's.
	Algorithm string
	// Now lets it sign at once. Default: a public key is published for as long as
	// the JWK sets that others have kept are good, before it signs. A shared secret
	// always signs at once, since nobody fetches it; so does a minting door's, since
	// its verifiers fetch the keys again when a signature is strange.
	Now bool
}

// JWKSMaxAge is how long a JWK set of ours may be kept, in seconds.
const JWKSMaxAge = 300

// newKey is the commands that add a signing key from an instant on, and tell of it.
func (d *Door) newKey(r Rotation, from int64) ([]store.Command, error) {
	id := rand.Text()[:16]
	algorithm, plain, err := d.keyMaterial(r)
	if err != nil {
		return nil, err
	}
	key := store.Key{
		ID: id, Tenant: d.Tenant, Door: d.Name, Algorithm: algorithm, State: store.KeyActive,
		CreatedAt: d.issuer.clock.tick(), NotBefore: from,
	}
	if key.Sealed, err = d.issuer.Master.Seal(plain, "key "+id); err != nil {
		return nil, err
	}
	return []store.Command{
		store.PutKey{Key: key},
		d.changedKeys(),
	}, nil
}

// Keys returns the door's keys that are in force or will be, the signing one first.
func (d *Door) Keys(ctx context.Context) ([]signing.Key, error) {
	rows, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return d.inForce(rows)
}

// RotateKey makes a new signing key. The old ones verify until the last token
// they signed is over. The error is ErrPEM for a secret that is a key in PEM, and
// names a private key that the door has already.
func (d *Door) RotateKey(ctx context.Context, r Rotation) error {
	if !d.Secret.IsZero() {
		return ErrConfigured
	}
	rows, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return unavailable(err)
	}
	if err := d.isNew(rows, r.Private); err != nil {
		return err
	}
	from := d.issuer.clock.tick()
	if !r.Now && d.isPublished() {
		from += 2 * JWKSMaxAge * 1_000_000
	}
	commands, err := d.newKey(r, from)
	if err != nil {
		return err
	}
	// The other processes learn of it within StaleAfter, and sign with the old one
	// until then.
	last := from + d.issuer.StaleAfter.Microseconds()
	state := store.KeyActive
	if from <= d.issuer.clock.read().UnixMicro() {
		state = store.KeyRetiring
	}
	for _, row := range rows {
		if d.owns(row) && row.State == store.KeyActive {
			commands = append(commands, store.RetireKey{ID: row.ID, State: state, LastSigned: last, Least: d.AccessTTL})
		}
	}
	if err := d.issuer.apply(ctx, commands...); err != nil {
		return err
	}
	return d.loadKeys(ctx)
}

// isPublished tells that others keep the door's keys for a while.
func (d *Door) isPublished() bool { return !isHMAC(d.Format.algorithm) && !d.Format.minted }

func (d *Door) owns(row store.Key) bool { return row.Tenant == d.Tenant && row.Door == d.Name }

// ErrSigns says that a key cannot be removed, since nothing else could sign.
var ErrSigns = errors.New("it signs now: rotate first")

// RemoveKey takes a key away: what it signed is not honoured any more. The error
// wraps store.ErrNotFound for one that the door does not have.
func (d *Door) RemoveKey(ctx context.Context, id string) error {
	if !d.Secret.IsZero() {
		return ErrConfigured
	}
	keys, err := d.Keys(ctx)
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(keys), func(k signing.Key) bool { return k.ID == id })
	if len(rest) == len(keys) {
		return fmt.Errorf("key %q: %w", id, store.ErrNotFound)
	}
	if _, err := signing.NewRing(d.issuer.clock.read(), rest...); err != nil {
		return ErrSigns
	}
	err = d.issuer.apply(ctx, store.DeleteKey{ID: id}, d.changedKeys())
	if err != nil {
		return err
	}
	return d.loadKeys(ctx)
}

func (d *Door) changedKeys() store.Command {
	return store.Revoke{Revocation: store.Revocation{Kind: store.ChangeKeys, Key: d.Tenant, At: d.issuer.clock.tick()}}
}

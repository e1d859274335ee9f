package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// secretPrefix lets scanners of source code know a client_secret.
const secretPrefix = "ats_cs_"

// AddApplication makes an application: store.ErrExists when its ID is taken, by
// a user too. An empty ID is made up. The secret, at least 256 bits, is returned
// this once and kept as a keyed hash only; it is zero for an application that
// has none, since it is public or signs with a key of its own. Of a, all counts
// but SecretMAC and the instants. The error names the field that is wrong;
// store.ErrNotFound when its Owner is no user.
func (i *Issuer) AddApplication(ctx context.Context, a store.Application) (stored store.Application, secret token.Secret, err error) {
	if _, err := i.Tenant(ctx, a.Tenant); err != nil {
		return stored, secret, err
	}
	if a.ID == "" {
		a.ID = "app-" + strings.ToLower(rand.Text()[:20])
	}
	if err := checkApplication(&a); err != nil {
		return stored, secret, err
	}
	fresh := token.Secret{}
	a.SecretMAC = nil
	if hasSecret(a) {
		fresh = newClientSecret(a)
		a.SecretMAC = i.secretMAC(fresh)
	}
	a.CreatedAt = i.clock.tick()
	a.UpdatedAt = a.CreatedAt
	err = i.alter(ctx, store.CreateApplication{Application: a})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return stored, secret, i.named(a.Owner, err)
	case err != nil:
		return stored, secret, namedApplication(a.ID, err)
	}
	stored, err = i.Application(ctx, a.Tenant, a.ID) // the store has given it a number
	return stored, fresh, err
}

// SetApplicationSecret gives an application another secret. The old one is void at once
// in this process, and everywhere for what begins a login; else where RecentApplication
// does as well. What was issued stays good.
func (i *Issuer) SetApplicationSecret(ctx context.Context, tenant, id string) (token.Secret, error) {
	for {
		a, err := i.Application(ctx, tenant, id)
		if err != nil {
			return token.Secret{}, err
		}
		if !hasSecret(a) {
			return token.Secret{}, fmt.Errorf("application %q has no secret: its auth method is %s", id, a.AuthMethod)
		}
		secret, read := newClientSecret(a), a.UpdatedAt
		a.SecretMAC, a.UpdatedAt = i.secretMAC(secret), i.clock.tick()
		err = i.alter(ctx, store.UpdateApplication{Application: a, Read: read})
		if err == nil {
			return secret, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return token.Secret{}, namedApplication(id, err)
		}
	}
}

// UpdateApplication replaces an application: store.ErrConflict when its record
// is not the one that was read, by UpdatedAt. Its Owner stays, and so does its
// secret, unless it is to have none; one that is to have its first needs
// SetApplicationSecret besides. What was issued stays good.
func (i *Issuer) UpdateApplication(ctx context.Context, a store.Application) (store.Application, error) {
	kept, err := i.Application(ctx, a.Tenant, a.ID)
	if err != nil {
		return kept, err
	}
	if err := checkApplication(&a); err != nil {
		return store.Application{}, err
	}
	read := a.UpdatedAt
	a.SecretMAC, a.Owner, a.CreatedAt, a.UpdatedAt = kept.SecretMAC, kept.Owner, kept.CreatedAt, i.clock.tick()
	if !hasSecret(a) {
		a.SecretMAC = nil
	}
	if err := i.alter(ctx, store.UpdateApplication{Application: a, Read: read}); err != nil {
		return store.Application{}, namedApplication(a.ID, err)
	}
	return a, nil
}

// DeleteApplication removes an application and voids all that was issued to it,
// or about it to others: its name may be a user's from then on.
func (i *Issuer) DeleteApplication(ctx context.Context, tenant, id string) error {
	key, at := store.SubjectKey(tenant, id), i.clock.tick()
	err := i.void(
		ctx, store.RevokeClient, key,
		store.DeleteApplication{Tenant: tenant, ID: id},
		store.RevokeSessions{Tenant: tenant, Client: id, At: at},
		store.RevokeSessions{Tenant: tenant, Subject: id, At: at},
		store.Revoke{Revocation: store.Revocation{Kind: store.RevokeSubject, Key: key, At: at}, AtCommit: true},
	)
	if err != nil {
		return namedApplication(id, err)
	}
	return i.voidUser(context.WithoutCancel(ctx), tenant, id)
}

// Application returns one application: store.ErrNotFound when there is none.
func (i *Issuer) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	a, err := i.Store.Application(ctx, tenant, id)
	return a, namedApplication(id, unavailable(err))
}

// RecentApplication is Application as of no more than a second ago, with all that was
// changed in this process: enough for whoever asks about what was issued already, but
// not to issue to it, since nothing voids what comes after the application has gone.
func (i *Issuer) RecentApplication(ctx context.Context, tenant, id string) (store.Application, error) {
	r, ok := i.Store.(store.Recent)
	if !ok {
		return i.Application(ctx, tenant, id)
	}
	a, err := r.RecentApplication(ctx, tenant, id)
	return a, namedApplication(id, unavailable(err))
}

// ListApplications returns up to limit applications whose IDs come after
// `after`, by ID.
func (i *Issuer) ListApplications(ctx context.Context, tenant, after string, limit int) ([]store.Application, error) {
	list, err := i.Store.ListApplications(ctx, tenant, after, limit)
	return list, unavailable(err)
}

// CheckSecret reports whether a secret is an application's. It takes the same
// time whatever differs, also for the zero Application, which stands for one
// that there is not.
func (i *Issuer) CheckSecret(a store.Application, secret token.Secret) bool {
	var kept [sha256.Size]byte
	known := copy(kept[:], a.SecretMAC) == len(kept)
	return hmac.Equal(i.secretMAC(secret), kept[:]) && known
}

// newClientSecret makes the secret of an application; an organisation's is letters
// and digits alone, as AWX's clients know it.
func newClientSecret(a store.Application) token.Secret {
	if a.Organisation != 0 {
		return token.NewSecret((rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text())[:128])
	}
	return token.NewSecret(secretPrefix + signing.GenerateSecret())
}

func (i *Issuer) secretMAC(secret token.Secret) (sum []byte) {
	i.secretMACs.with(func(mac hash.Hash) {
		mac.Reset()
		_, _ = io.WriteString(mac, secret.Reveal())
		sum = mac.Sum(nil)
	})
	return sum
}

// hasSecret reports whether an application of that kind has a client_secret.
func hasSecret(a store.Application) bool {
	return a.AuthMethod != authNone && a.AuthMethod != authPrivateKey
}

func namedApplication(id string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no application %q: %w", id, err)
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrConflict):
		return fmt.Errorf("application %q: %w", id, err)
	}
	return err
}

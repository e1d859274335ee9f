package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ServiceSubject is a service account's name among the subjects of tokens. No
// user can have it.
func ServiceSubject(name string) string { return "\x00" + name }

// AddServiceAccount makes a service account: store.ErrExists when the name is
// taken. Of a, Tenant, Name and MayMint count.
func (i *Issuer) AddServiceAccount(ctx context.Context, a store.ServiceAccount, pass token.Secret) error {
	if err := checkName("service", a.Name); err != nil {
		return err
	}
	if err := i.checkMayMint(ctx, &a); err != nil {
		return err
	}
	var err error
	if a.PasswordHash, err = i.newHash(ctx, pass); err != nil {
		return err
	}
	a.CreatedAt = i.clock.tick()
	a.UpdatedAt = a.CreatedAt
	return namedService(a.Name, i.alter(ctx, store.CreateServiceAccount{ServiceAccount: a}))
}

// checkMayMint refuses tenants that there are not.
func (i *Issuer) checkMayMint(ctx context.Context, a *store.ServiceAccount) error {
	a.MayMint = slices.Clone(a.MayMint)
	slices.Sort(a.MayMint)
	a.MayMint = slices.Compact(a.MayMint)
	for _, name := range append([]string{a.Tenant}, a.MayMint...) {
		if _, err := i.Tenant(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// SetServicePassword gives a service account another password and voids all its
// tokens, unless they are to be kept.
func (i *Issuer) SetServicePassword(ctx context.Context, tenant, name string, pass token.Secret, keepTokens bool) error {
	hashed, err := i.newHash(ctx, pass)
	if err != nil {
		return err
	}
	return i.changeService(ctx, tenant, name, !keepTokens, func(a *store.ServiceAccount) { a.PasswordHash = hashed })
}

// SetServiceDisabled disables a service account and voids all its tokens, or
// enables it again.
func (i *Issuer) SetServiceDisabled(ctx context.Context, tenant, name string, disabled bool) error {
	return i.changeService(ctx, tenant, name, disabled, func(a *store.ServiceAccount) { a.Disabled = disabled })
}

// SetMayMint changes the tenants in which a service account mints for anybody.
func (i *Issuer) SetMayMint(ctx context.Context, tenant, name string, tenants []string) error {
	wanted := store.ServiceAccount{Tenant: tenant, MayMint: tenants}
	if err := i.checkMayMint(ctx, &wanted); err != nil {
		return err
	}
	return i.changeService(ctx, tenant, name, false, func(a *store.ServiceAccount) { a.MayMint = wanted.MayMint })
}

// changeService edits a record, again if another process was faster.
func (i *Issuer) changeService(ctx context.Context, tenant, name string, void bool, edit func(*store.ServiceAccount)) error {
	for {
		a, err := i.ServiceAccount(ctx, tenant, name)
		if err != nil {
			return err
		}
		read := a.UpdatedAt
		edit(&a)
		a.UpdatedAt = i.clock.tick()
		update := store.UpdateServiceAccount{ServiceAccount: a, Read: read}
		if void {
			err = i.voidUser(ctx, tenant, ServiceSubject(name), update)
		} else {
			err = i.alter(ctx, update)
		}
		if !errors.Is(err, store.ErrConflict) {
			return namedService(name, err)
		}
	}
}

// DeleteServiceAccount removes a service account and voids all its tokens; what it
// minted for others stays good.
func (i *Issuer) DeleteServiceAccount(ctx context.Context, tenant, name string) error {
	return namedService(name, i.voidUser(ctx, tenant, ServiceSubject(name), store.DeleteServiceAccount{Tenant: tenant, Name: name}))
}

// ServiceAccount returns one service account: store.ErrNotFound when there is none.
func (i *Issuer) ServiceAccount(ctx context.Context, tenant, name string) (store.ServiceAccount, error) {
	a, err := i.Store.ServiceAccount(ctx, tenant, name)
	return a, namedService(name, unavailable(err))
}

// ListServiceAccounts returns up to limit service accounts whose names come after
// `after`, by name.
func (i *Issuer) ListServiceAccounts(ctx context.Context, tenant, after string, limit int) ([]store.ServiceAccount, error) {
	list, err := i.Store.ListServiceAccounts(ctx, tenant, after, limit)
	return list, unavailable(err)
}

func namedService(name string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no service account %q: %w", name, err)
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("service account %q: %w", name, err)
	}
	return err
}

// AuthenticateService checks a service account's credentials: ErrCredentials,
// ErrThrottled. A service asks for token after token: a password that was right is
// remembered by a keyed hash, until the record has another one.
func (i *Issuer) AuthenticateService(ctx context.Context, tenant string, who token.Credentials, source string) (store.ServiceAccount, error) {
	var account store.ServiceAccount
	err := i.braked(ctx, store.SubjectKey(tenant, ServiceSubject(who.Username)), source, func() (err error) {
		account, err = i.checkService(ctx, tenant, who)
		return err
	})
	e := Event{Tenant: tenant}
	if account.Name != "" {
		e.User = ServiceSubject(account.Name)
	}
	return account, i.recordLogin(ctx, e, who.Username, err)
}

func (i *Issuer) checkService(ctx context.Context, tenant string, who token.Credentials) (store.ServiceAccount, error) {
	var account store.ServiceAccount
	if checkName("service", who.Username) == nil {
		var err error
		account, err = i.Store.ServiceAccount(ctx, tenant, who.Username)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return account, unavailable(err)
		}
	}
	proof := i.services.proof(account, who.Password)
	if i.services.known(proof) {
		return account, nil
	}
	switch _, err := i.comparePassword(ctx, account.Name, account.PasswordHash, who.Password); {
	case err != nil:
		return account, err
	case account.Disabled:
		return account, token.ErrCredentials
	}
	i.services.remember(proof)
	return account, nil
}

// maxProofs bounds what is remembered of service accounts.
const maxProofs = 4096

// serviceLogins remembers credentials that were right. Its zero value is ready.
type serviceLogins struct {
	once   sync.Once
	key    macPool
	mu     sync.Mutex
	proofs map[[sha256.Size]byte]struct{}
}

// proof is the zero value for an account that there is not, or that is disabled.
func (s *serviceLogins) proof(a store.ServiceAccount, pass token.Secret) (sum [sha256.Size]byte) {
	if a.PasswordHash == "" || a.Disabled {
		return sum
	}
	s.once.Do(func() {
		var key [sha256.Size]byte
		rand.Read(key[:])
		s.key = newMACPool(key[:])
	})
	s.key.with(func(mac hash.Hash) {
		mac.Reset()
		fmt.Fprintf(mac, "%q%q%q%q", a.Tenant, a.Name, a.PasswordHash, pass.Reveal())
		mac.Sum(sum[:0])
	})
	return sum
}

func (s *serviceLogins) known(proof [sha256.Size]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.proofs[proof]
	return ok
}

func (s *serviceLogins) remember(proof [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proofs == nil || len(s.proofs) >= maxProofs {
		s.proofs = make(map[[sha256.Size]byte]struct{})
	}
	s.proofs[proof] = struct{}{}
}

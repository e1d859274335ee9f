package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// offline is the refresh token that an order asks for, and what makes it: a client
// of a user's has one, and is given the same again. A mobile one is given another,
// and is the user's only one.
func (d *Door) offline(ctx context.Context, at int64, o OpaqueOrder) (token.Secret, []store.Command, error) {
	if o.Offline == "" {
		return token.Secret{}, nil, nil
	}
	t, err := d.issuer.Store.RefreshToken(ctx, d.Tenant, o.User.Name, o.Offline)
	switch {
	case err == nil && !o.Mobile && !t.Mobile && !d.issuer.voided(loginOf(t)):
		return d.refreshValue(t.Seed), nil, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return token.Secret{}, nil, unavailable(err)
	}
	held, countErr := d.issuer.Store.CountRefreshTokens(ctx, d.Tenant, store.RefreshTokenQuery{Subject: o.User.Name})
	switch {
	case countErr != nil:
		return token.Secret{}, nil, unavailable(countErr)
	case held >= MaxOpaque && err != nil:
		return token.Secret{}, nil, &TooManyError{d.issuer.UserUUID(o.User)}
	}
	t = store.RefreshToken{
		Tenant: d.Tenant, Subject: o.User.Name, Client: o.Offline, Door: d.Name,
		Backend: o.Backend.Name, Mobile: o.Mobile, CreatedAt: at,
	}
	rand.Read(t.Seed[:])
	value := d.refreshValue(t.Seed)
	t.ID = d.found("opaque refresh", value.Reveal())
	var changes []store.Command
	if err == nil {
		changes = append(changes, store.DeleteRefreshTokens{Tenant: t.Tenant, Subject: t.Subject, Client: t.Client})
	}
	if o.Mobile {
		changes = append(changes, store.DeleteRefreshTokens{Tenant: t.Tenant, Subject: t.Subject, Mobile: true})
	}
	return value, append(changes, store.CreateRefreshToken{RefreshToken: t}), nil
}

// refreshValue is a refresh token by its seed.
func (d *Door) refreshValue(seed store.ID) token.Secret {
	return token.NewSecret(writeUUID(d.found("opaque refresh value", string(seed[:])), 4))
}

// loginOf is a refresh token as what revocations are about.
func loginOf(t store.RefreshToken) store.Session {
	return store.Session{Tenant: t.Tenant, Subject: t.Subject, CreatedAt: t.CreatedAt}
}

// IssueOpaqueFor makes an opaque token for a refresh token, which stays as it is:
// ErrUnknown when there is none of that client, ErrRevoked, ErrCredentials when its
// user may not log in any more; ErrTooMany. Of o, TTL, Source, Agent and Mobile
// count.
func (d *Door) IssueOpaqueFor(ctx context.Context, refresh token.Secret, client string, o OpaqueOrder) (Opaque, error) {
	if !isUUID(refresh.Reveal()) {
		return Opaque{}, errUnknownRefresh()
	}
	// As for a refresh at any door: however fresh the mirror is.
	if err := d.issuer.sync(ctx); err != nil {
		return Opaque{}, err
	}
	at := d.issuer.clock.tick()
	t, err := d.issuer.Store.RefreshTokenByID(ctx, d.found("opaque refresh", refresh.Reveal()))
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && (t.Client != client || t.Tenant != d.Tenant || t.Door != d.Name):
		return Opaque{}, errUnknownRefresh()
	case err != nil:
		return Opaque{}, unavailable(err)
	case d.issuer.voided(loginOf(t)):
		return Opaque{}, token.Refuse(token.ErrRevoked, "refresh token revoked")
	}
	if o.User, err = d.issuer.recordOf(ctx, d.Tenant, t.Subject); err != nil {
		return Opaque{}, err
	}
	list := d.Backends()
	n := slices.IndexFunc(list, func(b Backend) bool { return b.Name == t.Backend })
	if n < 0 || o.User.Name == "" || o.User.Disabled || !list[n].admits(o.User) {
		return Opaque{}, token.ErrCredentials
	}
	o.Backend = list[n]
	made, err := d.issueOpaque(ctx, at, o)
	if err != nil {
		return Opaque{}, err
	}
	return d.opaqueRecorded(ctx, EventRefresh, made)
}

// RefreshTokens returns those that are meant, how many there are of the same
// subject, and how many of them are meant whatever the page is.
func (d *Door) RefreshTokens(ctx context.Context, q store.RefreshTokenQuery) (list []store.RefreshToken, total, filtered int64, err error) {
	if list, err = d.issuer.Store.ListRefreshTokens(ctx, d.Tenant, q); err != nil {
		return nil, 0, 0, unavailable(err)
	}
	if filtered, err = d.issuer.Store.CountRefreshTokens(ctx, d.Tenant, q); err != nil {
		return nil, 0, 0, unavailable(err)
	}
	q.Search = ""
	total, err = d.issuer.Store.CountRefreshTokens(ctx, d.Tenant, q)
	return list, total, filtered, unavailable(err)
}

// DeleteRefreshToken removes the refresh token of a user's client: ErrUnknown when
// there is none. The access tokens that it gave stay.
func (d *Door) DeleteRefreshToken(ctx context.Context, user, client string) error {
	if user == "" || client == "" {
		return errUnknownRefresh()
	}
	var n int64
	err := d.issuer.apply(ctx, store.DeleteRefreshTokens{Tenant: d.Tenant, Subject: user, Client: client, Removed: &n})
	if err == nil && n == 0 {
		err = errUnknownRefresh()
	}
	return err
}

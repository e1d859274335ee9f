package issuer

import (
	"context"
	"errors"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Revoke voids a token that is honoured, and the login it belongs to: its
// refresh token is void with it. For any other token it returns why that one is
// not honoured, and changes nothing.
func (d *Door) Revoke(ctx context.Context, raw string) error {
	claims, id, err := d.inspect(ctx, raw)
	if err != nil {
		return err
	}
	s, err := d.issuer.Store.Session(ctx, store.ID(id.Session))
	if err == nil {
		return d.endSession(ctx, s)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return unavailable(err)
	}
	exp, _, err := claims.NumericDate("exp")
	if err != nil {
		return err
	}
	identity := token.IdentityOf(claims.Issuer(), claims.ID())
	return d.issuer.apply(ctx, store.Revoke{Revocation: store.Revocation{
		Kind: store.RevokeToken, Key: string(identity[:]), At: d.issuer.clock.tick(), Until: exp,
	}})
}

// endSession voids a login's refresh token and all its access tokens.
func (d *Door) endSession(ctx context.Context, s store.Session) error {
	at := d.issuer.clock.tick()
	return d.issuer.apply(
		ctx,
		store.RevokeSessions{ID: s.ID, At: at},
		store.Revoke{Revocation: store.Revocation{
			Kind: store.RevokeSession, Key: string(s.ID[:]), At: at, Until: at + s.AccessTTL*1_000_000 + underWay,
		}},
	)
}

// underWay is how long, in microseconds, a change takes to be written at the
// very most. A refresh that is written before the end of its login may have an
// instant later than that end has, and its tokens live longer by so much.
const underWay = 3_600_000_000

// RevokeAll voids all tokens of a user for the bearer of a token: that user, or
// an admin. An empty user is the bearer's own.
func (d *Door) RevokeAll(ctx context.Context, bearer, user string) error {
	claims, _, err := d.inspect(ctx, bearer)
	if err != nil {
		return err
	}
	if user == "" || user == claims.Subject() {
		return d.RevokeAllOf(ctx, claims.Subject())
	}
	caller, err := d.issuer.Store.User(ctx, d.Tenant, claims.Subject())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return unavailable(err)
	}
	if !slices.Contains(caller.Roles, store.RoleAdmin) {
		return token.Refuse(token.ErrDenied, "only an admin acts for another user")
	}
	if _, err := d.issuer.Store.User(ctx, d.Tenant, user); errors.Is(err, store.ErrNotFound) {
		return token.Refuse(token.ErrDenied, "no user %q", user)
	} else if err != nil {
		return unavailable(err)
	}
	return d.RevokeAllOf(ctx, user)
}

// RevokeAllOf voids all tokens of a user, known or not: one row, however many
// tokens there are.
func (d *Door) RevokeAllOf(ctx context.Context, user string) error {
	return d.issuer.RevokeUser(ctx, d.Tenant, user)
}

// RevokeUser voids all that a user was issued until now, at every door.
func (i *Issuer) RevokeUser(ctx context.Context, tenant, user string) error {
	return i.voidUser(ctx, tenant, user)
}

// RevokeEverything voids all that anybody was issued until now.
func (i *Issuer) RevokeEverything(ctx context.Context) error { return i.void(ctx, store.RevokeAll, "") }

// voidUser makes changes, and voids all that a user was issued until then.
func (i *Issuer) voidUser(ctx context.Context, tenant, user string, changes ...store.Command) error {
	changes = append(changes, store.RevokeSessions{Tenant: tenant, Subject: user, At: i.clock.tick()})
	return i.void(ctx, store.RevokeSubject, store.SubjectKey(tenant, user), changes...)
}

// void makes changes together with a watermark, and when they are durable moves
// the watermark there. A login or a refresh that saw the store without the
// changes may have an instant later than the first watermark, never one later
// than the second.
func (i *Issuer) void(ctx context.Context, kind, key string, changes ...store.Command) error {
	watermark := func() store.Command {
		return store.Revoke{Revocation: store.Revocation{Kind: kind, Key: key, At: i.clock.tick()}}
	}
	if err := i.apply(ctx, append(changes, watermark())...); err != nil {
		return err
	}
	return i.apply(context.WithoutCancel(ctx), watermark())
}

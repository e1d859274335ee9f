package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Revoke voids a token that is honoured, and the login it belongs to: its
// refresh token is void with it. For any other token it returns why that one is
// not honoured, and changes nothing.
func (d *Door) Revoke(ctx context.Context, raw string) error {
	live, err := d.plain(ctx, raw)
	if err != nil {
		return err
	}
	return d.issuer.revokeLive(ctx, live)
}

func (i *Issuer) revokeLive(ctx context.Context, live *Live) error {
	if live.Row != nil {
		return live.Door.EndFamily(ctx, *live.Row)
	}
	// A token that was exchanged for another belongs to a login that is not its
	// holder's, and one that was minted to none.
	if !live.IsExchanged() && live.minted == nil {
		s, err := i.Store.Session(ctx, store.ID(live.ID.Session))
		if err == nil {
			return live.Door.endSession(ctx, s)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return unavailable(err)
		}
		// The tokens it was exchanged for are void with it, and over with it.
		return i.apply(ctx, store.Revoke{Revocation: store.Revocation{
			Kind: store.RevokeSession, Key: string(live.ID.Session[:]), At: i.clock.tick(), Until: live.Expiry,
		}})
	}
	identity := live.identity()
	return i.apply(ctx, store.Revoke{Revocation: store.Revocation{
		Kind: store.RevokeToken, Key: string(identity[:]), At: i.clock.tick(), Until: live.Expiry,
	}})
}

// RevokeFor voids an access token or a refresh token of an application's. Any
// other token stays as it is, and the caller is not told whether there is one
// (RFC 7009 section 2.2).
func (d *Door) RevokeFor(ctx context.Context, client string, raw token.Secret) error {
	if id, _, ok := d.issuer.parseRefreshToken(raw); ok {
		s, err := d.issuer.Store.Session(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && (s.Client != client || s.Tenant != d.Tenant) {
			return nil
		}
		if err != nil {
			return unavailable(err)
		}
		d.issuer.Recorder.Caller(ctx, d.Tenant, client)
		return d.endSession(ctx, s)
	}
	live, err := d.Live(ctx, raw.Reveal())
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return err
	case err != nil || live.Client != client:
		return nil
	}
	return d.issuer.revokeLive(ctx, live)
}

// endSession voids a login's refresh token and all its access tokens.
func (d *Door) endSession(ctx context.Context, s store.Session) error {
	at := d.issuer.clock.tick()
	return d.issuer.apply(
		ctx,
		store.RevokeSessions{ID: s.ID, At: at},
		store.Revoke{Revocation: store.Revocation{
			Kind: store.RevokeSession, Key: string(s.ID[:]), At: at, Until: at + voidFor(s)*1_000_000 + underWay,
		}},
	)
}

// voidFor is how long, in seconds, the tokens of a login that has ended are looked
// at before they are over, or are not found any more.
func voidFor(s store.Session) int64 {
	if s.Opaque != nil {
		return min(s.AccessTTL, 2*passFor)
	}
	return s.AccessTTL
}

// underWay is how long, in microseconds, a change takes to be written at the
// very most. A refresh that is written before the end of its login may have an
// instant later than that end has, and its tokens live longer by so much.
const underWay = 3_600_000_000

// ScopeAccount lets an application see and end the logins of a user.
const ScopeAccount = "account"

// ScopeWrite lets a token that is a row change something.
const ScopeWrite = "write"

// Rules tells whether the bearer of a token may see and end logins: at a login of
// the user's own, or where the application was granted ScopeAccount, by a token
// that is for this service (RFC 9068 section 4): others were sent it to read.
func (l *Live) Rules() error {
	if l.IsService() {
		return token.Refuse(token.ErrDenied, "a service account has no logins")
	}
	if l.Row != nil && !slices.Contains(strings.Fields(l.Row.Scope), ScopeWrite) {
		return token.Refuse(token.ErrDenied, "the token lacks the scope %q", ScopeWrite)
	}
	if l.Pass != nil {
		return l.Pass.rules()
	}
	if l.Client == "" {
		return nil
	}
	if audience, _ := l.Strings("aud"); !slices.Contains(audience, l.Door.Issuer) {
		return token.Refuse(token.ErrDenied, "the token is for another resource")
	}
	if scope, _ := l.String("scope"); !slices.Contains(strings.Fields(scope), ScopeAccount) {
		return token.Refuse(token.ErrDenied, "the token lacks the scope %q", ScopeAccount)
	}
	return nil
}

// RevokeAll voids all tokens of a user for the bearer of a token: that user, or
// an admin. An empty user is the bearer's own.
func (d *Door) RevokeAll(ctx context.Context, bearer, user string) error {
	live, err := d.plain(ctx, bearer)
	if err != nil {
		return err
	}
	return d.RevokeAllFor(ctx, live, user)
}

// plain is Live for a token that came without a proof of possession.
func (d *Door) plain(ctx context.Context, bearer string) (*Live, error) {
	live, err := d.Live(ctx, bearer)
	if err == nil && live.Thumbprint() != "" {
		err = &token.ClaimError{Claim: "cnf", Reason: "the token is bound to a key and was sent as a plain bearer token", Kind: token.ErrClaims}
	}
	return live, err
}

// RevokeAllFor is RevokeAll for a bearer who has been looked at already.
func (d *Door) RevokeAllFor(ctx context.Context, live *Live, user string) error {
	if err := live.Rules(); err != nil {
		return err
	}
	if user == "" || user == live.User {
		return d.RevokeAllOf(ctx, live.User)
	}
	if live.Pass != nil {
		return token.Refuse(token.ErrDenied, "an opaque token acts for its own user alone")
	}
	caller, err := d.issuer.Store.User(ctx, d.Tenant, live.User)
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
func (i *Issuer) RevokeEverything(ctx context.Context) error {
	tenants, err := i.Tenants(ctx)
	if err != nil {
		return err
	}
	var rows []store.Command
	for _, t := range tenants {
		at := i.clock.tick()
		rows = append(rows, store.DeleteAccessTokens{Tenant: t.Name, At: at}, store.DeleteRefreshTokens{Tenant: t.Name, At: at})
	}
	if err := i.void(ctx, store.RevokeAll, "", rows...); err != nil {
		return err
	}
	for _, t := range tenants {
		if err := i.endAllOpaque(ctx, t.Name); err != nil {
			return err
		}
	}
	// Once more, for those whose instant lay ahead of this clock.
	return i.voidAgain(ctx, store.Revoke{Revocation: store.Revocation{Kind: store.RevokeAll, At: i.clock.tick()}, AtCommit: true})
}

// voidUser makes changes, and voids all that a user was issued until then.
func (i *Issuer) voidUser(ctx context.Context, tenant, user string, changes ...store.Command) error {
	if err := i.followOpaque(ctx, tenant, user); err != nil {
		return err
	}
	at := i.clock.tick()
	changes = append(
		changes, store.RevokeSessions{Tenant: tenant, Subject: user, At: at},
		store.DeleteAccessTokens{Tenant: tenant, Subject: user, At: at}, store.DeleteRefreshTokens{Tenant: tenant, Subject: user, At: at},
	)
	return i.void(ctx, store.RevokeSubject, store.SubjectKey(tenant, user), changes...)
}

// void makes changes together with a watermark, and when they are durable moves
// the watermark there. A login or a refresh that saw the store without the
// changes may have an instant later than the first watermark, never one later
// than the second.
func (i *Issuer) void(ctx context.Context, kind, key string, changes ...store.Command) error {
	watermark := func() store.Command {
		return store.Revoke{Revocation: store.Revocation{Kind: kind, Key: key, At: i.clock.tick()}, AtCommit: true}
	}
	changes = append(changes, watermark())
	if err := i.write(ctx, changes...); err != nil {
		return err
	}
	err := i.voidAgain(ctx, watermark())
	return errors.Join(err, i.recordChanges(ctx, changes)) // they are durable in any case
}

// voidAgain moves a watermark, and reads where the store has put it: what was issued
// elsewhere may lie ahead of this clock, and is void here from the answer on.
func (i *Issuer) voidAgain(ctx context.Context, watermark store.Command) error {
	ctx = context.WithoutCancel(ctx)
	if err := i.write(ctx, watermark); err != nil {
		return err
	}
	return i.sync(ctx)
}

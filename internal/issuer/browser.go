package issuer

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// DoorBrowser is the Door of a session that is a browser's login, and gives no
// tokens by itself.
const DoorBrowser = "browser"

// BrowserTTL is how long a browser's login lasts, in seconds.
const BrowserTTL = 8 * 3600

// NewBrowser logs a browser in, as of an instant. The cookie is all that it holds.
func (d *Door) NewBrowser(ctx context.Context, at int64, user store.User, device string) (cookie token.Secret, err error) {
	s := store.Session{
		ID: newSessionID(), Accessor: rand.Text(), Tenant: d.Tenant, Subject: user.Name, Door: DoorBrowser, Device: device,
		CreatedAt: at, LastUsedAt: at, AuthAt: at, AccessTTL: d.AccessTTL, ExpiresAt: at + BrowserTTL*1_000_000,
	}
	if err := d.issuer.apply(ctx, store.CreateSession{Session: s}); err != nil {
		return token.Secret{}, err
	}
	return d.issuer.handle(browserPrefix, s.ID), nil
}

// Browser returns the login of a browser: ErrUnknown, ErrRevoked, ErrExpired.
func (d *Door) Browser(ctx context.Context, cookie token.Secret) (store.Session, error) {
	id, ok := d.issuer.parseHandle(browserPrefix, cookie)
	if !ok {
		return store.Session{}, token.Refuse(token.ErrUnknown, "browser login unknown")
	}
	if err := d.issuer.Fresh(ctx); err != nil {
		return store.Session{}, err
	}
	s, err := d.issuer.Store.Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Door != DoorBrowser || s.Tenant != d.Tenant) {
		return s, token.Refuse(token.ErrUnknown, "browser login unknown")
	}
	if err != nil {
		return s, unavailable(err)
	}
	return s, d.live(s, d.issuer.clock.read().UnixMicro())
}

// Logins returns the logins of a user that are in force, up to limit, and whether
// there are more.
func (d *Door) Logins(ctx context.Context, user string, limit int) (list []store.Session, more bool, err error) {
	const page = 500
	now := d.issuer.clock.read().UnixMicro()
	for after := ""; ; {
		rows, err := d.issuer.Store.ListSessions(ctx, d.Tenant, user, after, page)
		if err != nil {
			return nil, false, unavailable(err)
		}
		for _, s := range rows {
			after = s.Accessor
			if d.live(s, now) != nil {
				continue
			}
			if len(list) == limit {
				return list, true, nil
			}
			list = append(list, s)
		}
		if len(rows) < page {
			return list, false, nil
		}
	}
}

// EndLogin ends one login of a user: ErrUnknown when the user has none of that
// accessor.
func (d *Door) EndLogin(ctx context.Context, user, accessor string) error {
	s, err := d.issuer.Store.SessionByAccessor(ctx, accessor)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Tenant != d.Tenant || s.Subject != user) {
		return token.Refuse(token.ErrUnknown, "login unknown")
	}
	if err != nil {
		return unavailable(err)
	}
	return d.endSession(ctx, s)
}

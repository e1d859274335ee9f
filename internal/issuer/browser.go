package issuer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// DoorBrowser is the Door of a session that is a browser's login, and gives no
// tokens by itself.
const DoorBrowser = "browser"

// Lifetimes of a browser's login, in seconds.
const (
	BrowserTTL  = 8 * 3600 // at most
	BrowserIdle = 600      // without a visit
	// browserTouch is how old the last visit that is written down may be: not each
	// one is.
	browserTouch = 30
)

// NewBrowser logs a browser in, as of an instant. The cookie is all that it holds.
func (d *Door) NewBrowser(ctx context.Context, at int64, user store.User, device string) (cookie token.Secret, err error) {
	s := store.Session{
		ID: newSessionID(), Accessor: timeUUID(at), Tenant: d.Tenant, Subject: user.Name, Door: DoorBrowser, Device: device,
		CreatedAt: at, LastUsedAt: at, AuthAt: at, AccessTTL: d.AccessTTL, IdleTTL: BrowserIdle, ExpiresAt: at + BrowserTTL*1_000_000,
	}
	if err := d.issuer.alter(ctx, store.CreateSession{Session: s}); err != nil {
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
	now := d.issuer.clock.read().UnixMicro()
	if err := d.live(s, now); err != nil {
		return s, err
	}
	return s, d.visited(ctx, s, now)
}

// visited counts a visit, which keeps the login from lying idle.
func (d *Door) visited(ctx context.Context, s store.Session, now int64) error {
	if now-s.LastUsedAt < browserTouch*1_000_000 {
		return nil
	}
	err := d.issuer.apply(ctx, store.UseSession{ID: s.ID, Counter: s.Counter, At: now})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return token.Refuse(token.ErrRevoked, "browser login revoked")
	}
	return err
}

// MaxLogins is how many logins are listed at most, where nobody says otherwise.
const MaxLogins = 200

// Logins returns up to limit logins of a user that are in force, and whether
// there are more: the one that asks first, then the newest.
func (d *Door) Logins(ctx context.Context, user string, current store.ID, limit int) (list []token.Login, more bool, err error) {
	live, err := d.liveSessions(ctx, user)
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(live, func(a, b store.Session) int {
		return cmp.Or(boolOrder(a.ID == current, b.ID == current), cmp.Compare(b.CreatedAt, a.CreatedAt))
	})
	list = make([]token.Login, min(limit, len(live)))
	for i := range list {
		list[i] = d.login(ctx, live[i], current)
	}
	return list, len(live) > limit, nil
}

func (d *Door) liveSessions(ctx context.Context, user string) (live []store.Session, err error) {
	const page = 500
	now := d.issuer.clock.read().UnixMicro()
	for after := ""; ; {
		rows, err := d.issuer.Store.ListSessions(ctx, d.Tenant, user, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, s := range rows {
			after = s.Accessor
			if d.live(s, now) == nil {
				live = append(live, s)
			}
		}
		if len(rows) < page {
			return live, nil
		}
	}
}

func (d *Door) login(ctx context.Context, s store.Session, current store.ID) token.Login {
	l := token.Login{
		ID: s.Accessor, Client: s.Client, Name: d.nameOf(ctx, s), Door: s.Door, Scope: s.Scope,
		CreatedAt: time.UnixMicro(s.CreatedAt), LastUsedAt: time.UnixMicro(s.LastUsedAt), Current: s.ID == current,
	}
	if s.ExpiresAt != 0 {
		l.ExpiresAt = time.UnixMicro(s.ExpiresAt)
	}
	return l
}

// nameOf is what a person calls a login: by its application's name where that is
// still there.
func (d *Door) nameOf(ctx context.Context, s store.Session) string {
	switch {
	case s.Door == DoorBrowser:
		return "Browser"
	case s.Client == "":
		return "Password login"
	}
	if app, err := d.issuer.Store.Application(ctx, s.Tenant, s.Client); err == nil {
		return app.Name
	}
	return s.Client
}

// List is Logins for the bearer of a token.
func (d *Door) List(ctx context.Context, bearer string) (list []token.Login, more bool, err error) {
	live, err := d.plain(ctx, bearer)
	if err != nil {
		return nil, false, err
	}
	if err := live.Rules(); err != nil {
		return nil, false, err
	}
	return d.Logins(ctx, live.User, live.ID.Session, MaxLogins)
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

package issuer

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// refreshFormat is how a door writes its refresh tokens: the login's ID, the
// counter and a MAC, of which nothing is stored.
type refreshFormat struct {
	write func(i *Issuer, id store.ID, counter int64) token.Secret
	parse func(i *Issuer, t token.Secret) (id store.ID, counter int64, ok bool)
}

func rotatingRefresh() refreshFormat {
	return refreshFormat{(*Issuer).refreshToken, (*Issuer).parseRefreshToken}
}

// refreshPrefix lets scanners find refresh tokens where they should not be.
const refreshPrefix = "ats_rt_"

const refreshBytes = 16 + 8 + 32

// refreshToken writes the refresh token of a session at a counter. Nothing of
// it is stored: the same session and counter always give the same token.
func (i *Issuer) refreshToken(id store.ID, counter int64) token.Secret {
	b := binary.BigEndian.AppendUint64(id[:], uint64(counter))
	i.refreshMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write(b)
		b = mac.Sum(b)
	})
	return token.NewSecret(refreshPrefix + base64.RawURLEncoding.EncodeToString(b))
}

func (i *Issuer) parseRefreshToken(t token.Secret) (id store.ID, counter int64, ok bool) {
	encoded, found := strings.CutPrefix(t.Reveal(), refreshPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || len(b) != refreshBytes {
		return id, 0, false
	}
	copy(id[:], b)
	counter = int64(binary.BigEndian.Uint64(b[16:]))
	return id, counter, hmac.Equal([]byte(i.refreshToken(id, counter).Reveal()), []byte(t.Reveal()))
}

// Renewal says what a refresh asks for, and who asks.
type Renewal struct {
	Client     string   // must be the login's
	Thumbprint string   // of the key that asks; must be the login's where that is bound
	Scope      string   // narrower than the login's; empty: as it is
	Audience   []string // fewer than the login's; none: as it is
}

// Refresh is Renew for a login of no application's.
func (d *Door) Refresh(ctx context.Context, refresh token.Secret, _ token.Request) (token.Set, error) {
	return d.Renew(ctx, refresh, Renewal{})
}

// Renew moves a login on by one: of any number of parallel uses of one
// refresh token exactly one does. The others, and a client that lost the
// answer, are given the very same successor for ReuseGrace; any later use ends
// the login. Who may not use it changes nothing: ErrUnknown, ErrScope, ErrTarget.
func (d *Door) Renew(ctx context.Context, refresh token.Secret, want Renewal) (token.Set, error) {
	id, counter, ok := d.Format.refresh.parse(d.issuer, refresh)
	if !ok {
		return token.Set{}, errUnknownRefresh()
	}
	// A second round follows a lost race.
	for range 2 {
		// Taken before the session is read: a revocation that comes meanwhile is
		// later than the tokens, and voids them.
		at := d.issuer.clock.tick()
		s, err := d.session(ctx, id, want.Client, at)
		if err != nil {
			return token.Set{}, d.refusedRefresh(ctx, Event{User: s.Subject, Client: want.Client, Login: loginID(id)}, err)
		}
		g, err := renew(s, want, at)
		if err != nil {
			return token.Set{}, d.refusedRefresh(ctx, Event{User: s.Subject, Client: want.Client, Login: loginID(id)}, err)
		}
		if err := d.know(ctx, &g); err != nil {
			return token.Set{}, err
		}
		if counter != s.Counter {
			return d.refreshAgain(ctx, g, counter)
		}
		err = d.issuer.alter(ctx, store.RotateSession{ID: id, From: counter, At: at})
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return token.Set{}, err
		}
		g.Counter++
		set, err := d.issue(g, "")
		return d.recorded(ctx, EventRefresh, g, set, err)
	}
	return token.Set{}, token.ErrUnavailable
}

// renew is the grant of a login's next access token.
func renew(s store.Session, want Renewal, at int64) (grant, error) {
	g := grant{Session: s, at: at, thumbprint: want.Thumbprint}
	if s.Bound != "" && s.Bound != want.Thumbprint {
		return g, token.Refuse(token.ErrUnknown, "refresh token bound to another key")
	}
	scope, err := Narrow(strings.Fields(s.Scope), strings.Fields(want.Scope), ErrScope)
	if err != nil {
		return g, err
	}
	audience, err := Narrow(strings.Fields(s.Audience), want.Audience, ErrTarget)
	g.Scope, g.Audience = strings.Join(scope, " "), strings.Join(audience, " ")
	return g, err
}

func errUnknownRefresh() error { return token.Refuse(token.ErrUnknown, "refresh token unknown") }

// session returns a login of an application that is neither revoked nor over at
// that instant.
func (d *Door) session(ctx context.Context, id store.ID, client string, now int64) (store.Session, error) {
	// However fresh the mirror is: what a process has revoked that is only a
	// moment ahead would not be seen in the tokens of a later instant.
	if err := d.issuer.sync(ctx); err != nil {
		return store.Session{}, err
	}
	s, err := d.issuer.Store.Session(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && (s.Door != d.Name || s.Tenant != d.Tenant || s.Client != client):
		return s, errUnknownRefresh()
	case err != nil:
		return s, unavailable(err)
	}
	return s, d.live(s, now)
}

// voided reports whether a login was revoked, by itself or with what it is of.
func (i *Issuer) voided(s store.Session) bool {
	q := verifier.Query{Session: s.ID, Tenant: s.Tenant, Subject: store.SubjectKey(s.Tenant, s.Subject), IssuedAt: s.CreatedAt}
	if s.Client != "" {
		q.Client = store.SubjectKey(s.Tenant, s.Client)
	}
	return s.RevokedAt != 0 || i.revocations.Revoked(q)
}

// live tells why a login is over, if it is.
func (d *Door) live(s store.Session, now int64) error {
	switch {
	case d.issuer.voided(s):
		return token.Refuse(token.ErrRevoked, "refresh token revoked")
	case d.endOf(s) != 0 && now >= d.endOf(s):
		return token.Refuse(token.ErrExpired, "refresh token expired")
	case s.IdleTTL != 0 && (now-s.LastUsedAt)/1_000_000 >= s.IdleTTL:
		return token.Refuse(token.ErrExpired, "refresh token expired: it lay unused for too long")
	}
	return nil
}

// refreshAgain answers a refresh token that has been used before.
func (d *Door) refreshAgain(ctx context.Context, g grant, counter int64) (token.Set, error) {
	if d.ReuseGrace > 0 && counter == g.Counter-1 && g.at-g.RotatedAt <= d.ReuseGrace*1_000_000 {
		if err := d.issuer.recordable(ctx); err != nil {
			return token.Set{}, err
		}
		g.at = g.RotatedAt
		set, err := d.issue(g, "")
		return d.recorded(ctx, EventRefresh, g, set, err)
	}
	d.issuer.Log.Warn("a refresh token was used twice: the login is ended", "user", g.Subject, "login", g.Accessor)
	if err := errors.Join(d.endSession(ctx, g.Session), d.reused(ctx, g.Subject, g.Client, loginID(g.ID), "")); err != nil {
		return token.Set{}, err
	}
	return token.Set{}, token.Refuse(token.ErrRevoked, "refresh token used twice: the login has been ended")
}

// LiveRefresh returns the login of a refresh token that would be traded at this
// moment, and trades nothing: ErrUnknown, ErrRevoked, ErrExpired.
func (d *Door) LiveRefresh(ctx context.Context, refresh token.Secret) (store.Session, error) {
	id, counter, ok := d.Format.refresh.parse(d.issuer, refresh)
	if !ok {
		return store.Session{}, errUnknownRefresh()
	}
	s, err := d.issuer.Store.Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Tenant != d.Tenant {
		return s, errUnknownRefresh()
	}
	if err != nil {
		return s, unavailable(err)
	}
	if err := d.issuer.Fresh(ctx); err != nil {
		return s, err
	}
	if counter != s.Counter {
		return s, token.Refuse(token.ErrRevoked, "refresh token used before")
	}
	return s, d.live(s, d.issuer.clock.read().UnixMicro())
}

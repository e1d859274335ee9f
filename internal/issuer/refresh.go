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

// Refresh moves a login on by one: of any number of parallel uses of one
// refresh token exactly one does. The others, and a client that lost the
// answer, are given the very same successor for ReuseGrace; any later use ends
// the login.
func (d *Door) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	id, counter, ok := d.issuer.parseRefreshToken(refresh)
	if !ok {
		return token.Set{}, token.Refuse(token.ErrUnknown, "refresh token unknown")
	}
	// A second round follows a lost race.
	for range 2 {
		// Taken before the session is read: a revocation that comes meanwhile is
		// later than the tokens, and voids them.
		at := d.issuer.clock.tick()
		s, err := d.session(ctx, id, at)
		if err != nil {
			return token.Set{}, err
		}
		if counter != s.Counter {
			return d.refreshAgain(ctx, s, counter, at)
		}
		err = d.issuer.apply(ctx, store.RotateSession{ID: id, From: counter, At: at})
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return token.Set{}, err
		}
		s.Counter++
		return d.issueBoth(s, at)
	}
	return token.Set{}, token.ErrUnavailable
}

// session returns a login that is neither revoked nor over at that instant.
func (d *Door) session(ctx context.Context, id store.ID, now int64) (store.Session, error) {
	// However fresh the mirror is: what a process has revoked that is only a
	// moment ahead would not be seen in the tokens of a later instant.
	if err := d.issuer.sync(ctx); err != nil {
		return store.Session{}, err
	}
	s, err := d.issuer.Store.Session(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && (s.Door != d.Name || s.Tenant != d.Tenant):
		return s, token.Refuse(token.ErrUnknown, "refresh token unknown")
	case err != nil:
		return s, unavailable(err)
	case s.RevokedAt != 0, d.issuer.revocations.Revoked(verifier.Query{
		Session: s.ID, Tenant: s.Tenant, Subject: store.SubjectKey(s.Tenant, s.Subject), IssuedAt: s.CreatedAt,
	}):
		return s, token.Refuse(token.ErrRevoked, "refresh token revoked")
	case d.endOf(s) != 0 && now >= d.endOf(s):
		return s, token.Refuse(token.ErrExpired, "refresh token expired")
	case s.IdleTTL != 0 && (now-s.LastUsedAt)/1_000_000 >= s.IdleTTL:
		return s, token.Refuse(token.ErrExpired, "refresh token expired: it lay unused for too long")
	}
	return s, nil
}

// refreshAgain answers a refresh token that has been used before.
func (d *Door) refreshAgain(ctx context.Context, s store.Session, counter, now int64) (token.Set, error) {
	if d.ReuseGrace > 0 && counter == s.Counter-1 && now-s.RotatedAt <= d.ReuseGrace*1_000_000 {
		return d.issueBoth(s, s.RotatedAt)
	}
	d.issuer.Log.Warn("a refresh token was used twice: the login is ended", "user", s.Subject, "login", s.Accessor)
	if err := d.endSession(ctx, s); err != nil {
		return token.Set{}, err
	}
	return token.Set{}, token.Refuse(token.ErrRevoked, "refresh token used twice: the login has been ended")
}

// issueBoth gives an access token as of an instant, with the session's current
// refresh token.
func (d *Door) issueBoth(s store.Session, at int64) (token.Set, error) {
	set, err := d.issue(s, at)
	if err == nil {
		set.RefreshToken = d.issuer.refreshToken(s.ID, s.Counter)
	}
	return set, err
}

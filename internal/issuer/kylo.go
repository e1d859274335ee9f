package issuer

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// FormatKylo is that of CipherTrust Manager: HS256, whole seconds, the id in
// jwtid, users by a UUID, and refresh tokens of 64 letters and digits that stay
// the same until they are renewed.
func FormatKylo() Format {
	return Format{
		header: signing.Header{Type: "JWT"}, algorithm: "HS256", id: "jwtid", user: "preferred_username", client: "client_id",
		claims: kyloClaims, knowsUser: true, refresh: refreshFormat{(*Issuer).letters, (*Issuer).parseLetters},
	}
}

func kyloClaims(d *Door, g grant) []byte {
	groups := []string{}
	if slices.Contains(g.user.Roles, store.RoleAdmin) {
		groups = []string{store.RoleAdmin}
	}
	b := make([]byte, 0, 384)
	b = appendString(append(b, `{"aud":`...), d.issuer.ClientUUID(g.Session))
	b = appendString(append(b, `,"sub":`...), "local|"+d.issuer.UserUUID(g.user))
	b = appendString(append(b, `,"iss":`...), d.Issuer)
	b = append(b, `,"acc":"kylo"`...)
	b = appendString(append(b, `,"preferred_username":`...), g.Subject)
	b = append(appendJSON(append(b, `,"cust":{"groups":`...), groups), '}')
	b = strconv.AppendInt(append(b, `,"iat":`...), g.at/1_000_000, 10)
	return strconv.AppendInt(append(b, `,"exp":`...), g.end/1_000_000, 10)
}

// know reads the user's record where the claims are written from it.
func (d *Door) know(ctx context.Context, g *grant) error {
	if !d.Format.knowsUser {
		return nil
	}
	var err error
	g.user, err = d.issuer.Store.User(ctx, d.Tenant, g.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return token.Refuse(token.ErrRevoked, "the user is gone")
	}
	return unavailable(err)
}

// UserUUID is the same for a user for as long as there is one, and another for
// who is given the name afterwards.
func (i *Issuer) UserUUID(u store.User) string {
	return i.uuid("user", u.Tenant, u.Name, strconv.FormatInt(u.CreatedAt, 10))
}

// ClientUUID is the client id that goes with a login's refresh token.
func (i *Issuer) ClientUUID(s store.Session) string { return i.uuid("client", string(s.ID[:])) }

// uuid derives a UUID of version 8 (RFC 9562 section 5.8).
func (i *Issuer) uuid(parts ...string) string {
	var b [16]byte
	i.handleMAC.with(func(mac hash.Hash) {
		mac.Reset()
		fmt.Fprintf(mac, "uuid:%q", parts)
		copy(b[:], mac.Sum(nil))
	})
	return writeUUID(b, 8)
}

// letterBytes are what 64 letters and digits have room for: the login's ID 16,
// the counter 4, the MAC 27.
const letterBytes = 16 + 4 + 27

const (
	letterCount = 64
	letterSet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func (i *Issuer) letters(id store.ID, counter int64) token.Secret {
	b := binary.BigEndian.AppendUint32(id[:], uint32(counter))
	i.refreshMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write([]byte("letters"))
		mac.Write(b)
		b = mac.Sum(b)[:letterBytes]
	})
	return token.NewSecret(writeLetters(b, letterCount))
}

func (i *Issuer) parseLetters(t token.Secret) (id store.ID, counter int64, ok bool) {
	text := t.Reveal()
	b, ok := readLetters(text, letterCount, letterBytes)
	if !ok {
		return id, 0, false
	}
	copy(id[:], b)
	counter = int64(binary.BigEndian.Uint32(b[16:]))
	return id, counter, hmac.Equal([]byte(i.letters(id, counter).Reveal()), []byte(text))
}

// Use gives an access token for a refresh token that stays as it is. It counts as
// a use of it. An older one of the same login ends that.
func (d *Door) Use(ctx context.Context, refresh token.Secret) (token.Set, store.Session, error) {
	id, counter, ok := d.Format.refresh.parse(d.issuer, refresh)
	if !ok {
		return token.Set{}, store.Session{}, errUnknownRefresh()
	}
	at := d.issuer.clock.tick()
	s, err := d.session(ctx, id, "", at)
	if err != nil {
		return token.Set{}, s, d.refusedRefresh(ctx, Event{User: s.Subject, Login: loginID(id)}, err)
	}
	g := grant{Session: s, at: at}
	if err := d.know(ctx, &g); err != nil {
		return token.Set{}, s, err
	}
	if counter != s.Counter {
		_, err := d.refreshAgain(ctx, g, counter)
		return token.Set{}, s, err
	}
	err = d.issuer.alter(ctx, store.UseSession{ID: id, Counter: counter, At: at})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return token.Set{}, s, token.Refuse(token.ErrRevoked, "refresh token revoked")
	}
	if err != nil {
		return token.Set{}, s, err
	}
	set, err := d.issue(g, "")
	set, err = d.recorded(ctx, EventRefresh, g, set, err)
	return set, s, err
}

// Kept returns the login of a refresh token, whatever its state: ErrUnknown when
// there is none.
func (d *Door) Kept(ctx context.Context, refresh token.Secret) (store.Session, error) {
	id, _, ok := d.Format.refresh.parse(d.issuer, refresh)
	if !ok {
		return store.Session{}, errUnknownRefresh()
	}
	s, err := d.issuer.Store.Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Door != d.Name || s.Tenant != d.Tenant) {
		return s, errUnknownRefresh()
	}
	return s, unavailable(err)
}

// LoginByID returns a login of this door by its accessor, whatever its state:
// ErrUnknown when there is none.
func (d *Door) LoginByID(ctx context.Context, accessor string) (store.Session, error) {
	s, err := d.issuer.Store.SessionByAccessor(ctx, accessor)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Door != d.Name || s.Tenant != d.Tenant) {
		return s, token.Refuse(token.ErrUnknown, "login unknown")
	}
	return s, unavailable(err)
}

// UserByUUID returns the user whose UserUUID that is: ErrUnknown when there is
// none. It looks at one user after the other.
func (d *Door) UserByUUID(ctx context.Context, uuid string) (store.User, error) {
	const page = 1000
	for after := ""; ; {
		rows, err := d.issuer.Store.ListUsers(ctx, d.Tenant, after, page)
		if err != nil {
			return store.User{}, unavailable(err)
		}
		for _, u := range rows {
			if after = u.Name; d.issuer.UserUUID(u) == uuid {
				return u, nil
			}
		}
		if len(rows) < page {
			return store.User{}, token.Refuse(token.ErrUnknown, "user unknown")
		}
	}
}

// End ends a login.
func (d *Door) End(ctx context.Context, s store.Session) error { return d.endSession(ctx, s) }

// AllLogins returns the logins that a user made at this door, those that are over
// included, by accessor.
func (d *Door) AllLogins(ctx context.Context, user string) (list []store.Session, err error) {
	const page = 1000
	for after := ""; ; {
		rows, err := d.issuer.Store.ListSessions(ctx, d.Tenant, user, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, s := range rows {
			after = s.Accessor
			if s.Door == d.Name {
				list = append(list, s)
			}
		}
		if len(rows) < page {
			return list, nil
		}
	}
}

// Ended tells why a login is over: ErrRevoked, ErrExpired; nil when it is not.
func (d *Door) Ended(s store.Session) error { return d.live(s, d.issuer.clock.read().UnixMicro()) }

// EndsAt is when a login is over at the latest, in microseconds; 0: never by
// itself.
func (d *Door) EndsAt(s store.Session) int64 { return d.endOf(s) }

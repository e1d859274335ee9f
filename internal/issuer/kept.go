package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// FormatAWX is that of AWX: an access token is a row with a number, and its value
// 30 letters and digits; so is the refresh token's that goes with an application's.
// Neither value is kept: it is made of the row's place and a MAC.
func FormatAWX() Format {
	return Format{kept: true, id: "jti", user: "sub", client: "client_id", claims: keptClaims}
}

// keptClaims is what others are told of such a token.
func keptClaims(d *Door, g grant) []byte {
	b := appendString(make([]byte, 0, 256), d.Issuer)
	b = append([]byte(`{"iss":`), b...)
	b = appendString(append(b, `,"sub":`...), g.Subject)
	if g.Client != "" {
		b = appendString(append(b, `,"client_id":`...), g.Client)
	}
	b = appendString(append(b, `,"scope":`...), g.Scope)
	b = strconv.AppendInt(append(b, `,"iat":`...), g.CreatedAt/1_000_000, 10)
	if g.ExpiresAt != 0 {
		b = strconv.AppendInt(append(b, `,"exp":`...), g.ExpiresAt/1_000_000, 10)
	}
	return append(b, '}')
}

// Kept is an access token that is a row, with its values, which are told once.
type Kept struct {
	store.AccessToken
	Access  token.Secret
	Refresh token.Secret // zero: it has none
}

// Parts of a value: where it is 5 bytes, the generation 3, the MAC 14.
const (
	keptLength = 30
	keptPlace  = 5 + 3
	keptBytes  = keptPlace + 14
)

// Kinds of values.
const (
	keptAccess  = "kept access"
	keptRefresh = "kept refresh"
)

// keptValue writes the value of a family's token at a generation. Where it is lies
// under a mask made from the MAC: values that follow each other look like any others,
// and tell nobody how many there are.
func (i *Issuer) keptValue(d *Door, kind string, family, generation int64) token.Secret {
	place := binary.BigEndian.AppendUint64(make([]byte, 0, keptBytes), uint64(family)<<24|uint64(generation)&0xffffff)
	mac := i.keptMAC(d, kind, place)[:keptBytes-keptPlace]
	subtle.XORBytes(place, place, i.keptMAC(d, kind+" mask", mac))
	return token.NewSecret(writeLetters(append(place, mac...), keptLength))
}

func (i *Issuer) keptMAC(d *Door, kind string, b []byte) (sum []byte) {
	i.refreshMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write([]byte(kind + "\x00" + d.Name + "\x00" + d.Tenant + "\x00"))
		mac.Write(b)
		sum = mac.Sum(nil)
	})
	return sum
}

// parseKept reads a value of that kind.
func (i *Issuer) parseKept(d *Door, kind, text string) (family, generation int64, ok bool) {
	b, ok := readLetters(text, keptLength, keptBytes)
	if !ok {
		return 0, 0, false
	}
	place, mac := b[:keptPlace], b[keptPlace:]
	subtle.XORBytes(place, place, i.keptMAC(d, kind+" mask", mac))
	number := binary.BigEndian.Uint64(place)
	ok = hmac.Equal(i.keptMAC(d, kind, place)[:keptBytes-keptPlace], mac)
	return int64(number >> 24), int64(number & 0xffffff), ok
}

// writeLetters writes bytes as so many letters and digits.
func writeLetters(b []byte, length int) string {
	number, base := new(big.Int).SetBytes(b), big.NewInt(int64(len(letterSet)))
	text := make([]byte, length)
	for at := range slices.Backward(text) {
		digit := new(big.Int)
		number.DivMod(number, base, digit)
		text[at] = letterSet[digit.Int64()]
	}
	return string(text)
}

// readLetters reads what writeLetters wrote of so many bytes.
func readLetters(text string, length, bytes int) ([]byte, bool) {
	if len(text) != length {
		return nil, false
	}
	number, base := new(big.Int), big.NewInt(int64(len(letterSet)))
	for _, c := range []byte(text) {
		digit := strings.IndexByte(letterSet, c)
		if digit < 0 {
			return nil, false
		}
		number.Add(number.Mul(number, base), big.NewInt(int64(digit)))
	}
	if number.BitLen() > bytes*8 {
		return nil, false
	}
	return number.FillBytes(make([]byte, bytes)), true
}

// Keep makes an access token that is a row, as of an instant, with a refresh token
// where it is an application's and refresh is asked for. Of t, Subject, Client,
// Scope and Description count. changes become durable with it, or nothing does.
func (d *Door) Keep(ctx context.Context, at int64, t store.AccessToken, refresh bool, changes ...store.Command) (Kept, error) {
	t.Tenant, t.Door, t.Number, t.Family, t.Generation = d.Tenant, d.Name, 0, 0, 0
	ttl, err := d.lifetime(ctx, PropertyAccessExpire, d.AccessTTL)
	if err != nil {
		return Kept{}, err
	}
	refresh = refresh && t.Client != ""
	lives(&t, at, ttl, refresh)
	var number int64
	if err := d.issuer.alter(ctx, append(changes, store.CreateAccessToken{AccessToken: t, Number: &number})...); err != nil {
		return Kept{}, err
	}
	t.Number, t.Family = number, number
	return d.keptRecorded(ctx, EventIssue, d.valued(t, refresh), len(changes) > 0)
}

// lives sets a row's instants. One with a refresh token is kept when its access
// token is over: that can be traded still.
func lives(t *store.AccessToken, at, ttl int64, refresh bool) {
	t.CreatedAt, t.UpdatedAt, t.ExpiresAt, t.KeepUntil = at, at, at+ttl*1_000_000, 0
	if !refresh {
		t.KeepUntil = t.ExpiresAt
	}
}

func (d *Door) valued(t store.AccessToken, refresh bool) Kept {
	k := Kept{AccessToken: t, Access: d.issuer.keptValue(d, keptAccess, t.Family, t.Generation)}
	if refresh {
		k.Refresh = d.issuer.keptValue(d, keptRefresh, t.Family, t.Generation)
	}
	return k
}

// KeepAgain puts a new pair in the place of the one whose refresh token is given,
// which is void then. Of any number of parallel uses one does; the use of an older
// one ends the family. ErrUnknown when there is no such token of that application;
// ErrScope when more is asked for than was granted.
func (d *Door) KeepAgain(ctx context.Context, refresh token.Secret, client, scope string) (Kept, error) {
	family, generation, ok := d.issuer.parseKept(d, keptRefresh, refresh.Reveal())
	if !ok {
		return Kept{}, errUnknownRefresh()
	}
	// Another round follows a change of the scope or the description meanwhile.
	for range 10 {
		at := d.issuer.clock.tick()
		t, err := d.keptRow(ctx, family)
		if (err == nil || errors.Is(err, token.ErrExpired)) && (t.Client != client || client == "") {
			err = errUnknownRefresh()
		}
		switch {
		case err != nil && !errors.Is(err, token.ErrExpired):
			e := Event{User: t.Subject, Client: client, Token: strconv.FormatInt(family, 10)}
			return Kept{}, d.refusedRefresh(ctx, e, err)
		case t.Generation != generation:
			return Kept{}, d.endFamily(ctx, t)
		}
		kept, err := d.replace(ctx, at, t, scope)
		switch {
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound): // another use was faster, or it was revoked
			continue
		default:
			return kept, err
		}
	}
	return Kept{}, token.ErrUnavailable
}

// replace puts the next row of a family in the place of one: store.ErrConflict when
// that was changed, store.ErrNotFound when it is gone.
func (d *Door) replace(ctx context.Context, at int64, t store.AccessToken, scope string) (Kept, error) {
	narrowed, err := Narrow(strings.Fields(t.Scope), strings.Fields(scope), ErrScope)
	if err != nil {
		return Kept{}, err
	}
	ttl, err := d.lifetime(ctx, PropertyAccessExpire, d.AccessTTL)
	if err != nil {
		return Kept{}, err
	}
	old, read := t.Number, t.UpdatedAt
	t.Scope = strings.Join(narrowed, " ")
	lives(&t, at, ttl, true)
	err = d.issuer.alter(ctx, store.ReplaceAccessToken{Number: old, Read: read, AccessToken: t, Given: &t.Number})
	if err != nil {
		return Kept{}, err
	}
	t.Generation++
	return d.keptRecorded(ctx, EventRefresh, d.valued(t, true), true)
}

// endFamily voids all that came of a login, since its refresh token was used twice.
func (d *Door) endFamily(ctx context.Context, t store.AccessToken) error {
	d.issuer.Log.Warn("a refresh token was used twice: the login is ended", "user", t.Subject, "application", t.Client)
	err := errors.Join(
		d.issuer.apply(ctx, store.DeleteAccessTokens{Tenant: d.Tenant, Family: t.Family}),
		d.reused(ctx, t.Subject, t.Client, "", strconv.FormatInt(t.Family, 10)),
	)
	if err != nil {
		return err
	}
	return token.Refuse(token.ErrRevoked, "refresh token used twice: the login has been ended")
}

// keptRow is the row of a family that is neither over nor void: ErrUnknown,
// ErrExpired, ErrRevoked.
func (d *Door) keptRow(ctx context.Context, family int64) (store.AccessToken, error) {
	if err := d.issuer.Fresh(ctx); err != nil {
		return store.AccessToken{}, err
	}
	t, err := d.issuer.Store.AccessTokenOf(ctx, d.Tenant, family)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && t.Door != d.Name:
		return t, errUnknownToken()
	case err != nil:
		return t, unavailable(err)
	}
	return t, d.KeptEnded(t)
}

// KeptEnded tells why a token is not honoured any more, though there is its row:
// ErrRevoked, ErrExpired.
func (d *Door) KeptEnded(t store.AccessToken) error {
	s := store.Session{Tenant: t.Tenant, Subject: t.Subject, Client: t.Client, CreatedAt: t.CreatedAt}
	switch {
	case d.issuer.voided(s):
		return token.ErrRevoked
	case t.ExpiresAt != 0 && d.issuer.clock.read().UnixMicro() >= t.ExpiresAt:
		return token.ErrExpired
	}
	return nil
}

// judgeKept is Live for tokens that are rows.
func (d *Door) judgeKept(ctx context.Context, raw string) (*Live, error) {
	family, generation, ok := d.issuer.parseKept(d, keptAccess, raw)
	if !ok {
		return nil, errUnknownToken()
	}
	t, err := d.keptRow(ctx, family)
	if err != nil {
		return nil, err
	}
	if t.Generation != generation {
		return nil, token.Refuse(token.ErrRevoked, "token revoked")
	}
	g := grant{Session: store.Session{Subject: t.Subject, Client: t.Client, Scope: t.Scope, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}}
	claims, err := token.ParseClaims(string(keptClaims(d, g)))
	if err != nil {
		return nil, err
	}
	return &Live{
		Claims: claims, Door: d, User: t.Subject, Client: t.Client, Expiry: t.ExpiresAt, Row: &t,
		ID: token.ID{IssuedAt: t.CreatedAt},
	}, nil
}

// KeptByValue returns the row of an access token or a refresh token by its value,
// also where the access token is over: ErrUnknown when there is none.
func (d *Door) KeptByValue(ctx context.Context, value token.Secret) (store.AccessToken, error) {
	for _, kind := range []string{keptAccess, keptRefresh} {
		family, generation, ok := d.issuer.parseKept(d, kind, value.Reveal())
		if !ok {
			continue
		}
		t, err := d.keptRow(ctx, family)
		if errors.Is(err, token.ErrExpired) {
			err = nil
		}
		if err == nil && t.Generation != generation {
			break
		}
		return t, err
	}
	return store.AccessToken{}, errUnknownToken()
}

// Describe changes the scope and the description of an access token that is a row:
// store.ErrNotFound when it is gone, store.ErrConflict when its record is not the
// one that was read, by UpdatedAt.
func (d *Door) Describe(ctx context.Context, t store.AccessToken) error {
	return d.issuer.alter(ctx, store.UpdateAccessToken{
		Tenant: d.Tenant, Number: t.Number, Scope: t.Scope, Description: t.Description,
		UpdatedAt: d.issuer.clock.tick(), Read: t.UpdatedAt,
	})
}

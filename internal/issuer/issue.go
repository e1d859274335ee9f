package issuer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ScopeOpenID makes a login give an id_token (OpenID Connect Core section 3.1.2.1).
const ScopeOpenID = "openid"

// Order says what is to be issued, once it is clear that it may be.
type Order struct {
	Subject  string   // a user's name, or the application's ID where it acts for itself
	Client   string   // the application; empty: none
	Grant    string   // grant_type; empty at doors that know none
	Scope    string   // space-separated
	Audience []string // none: the door's issuer
	// AuthAt is when the user proved who it is, in microseconds; 0: no user did.
	AuthAt int64
	// TTL and RefreshTTL are asked for, in seconds; 0: the door's own.
	TTL, RefreshTTL int64
	// Refresh keeps the login and gives a refresh token, which may lie unused for
	// IdleTTL seconds; 0: for as long as the door has it.
	Refresh bool
	IdleTTL int64
	Labels  []string // of the login
	// Thumbprint is of the key that the access token is bound to; empty: none.
	Thumbprint string
	// BindRefresh binds the refresh token to that key too.
	BindRefresh bool
	Nonce       string // of the id_token
	// Actor is the act claim, and Origin the live token that is exchanged for this
	// one: it is void with that one's login, and over with it.
	Actor  json.RawMessage
	Origin *Live
	// Session is the login's, where it has been decided already.
	Session store.ID
	// Mint is what a door of minted tokens writes besides. Nil at other doors.
	Mint *Mint
}

// Issue gives a token as of an instant. changes become durable with the login,
// or nothing does.
func (d *Door) Issue(ctx context.Context, at int64, o Order, changes ...store.Command) (token.Set, error) {
	if err := d.issuer.recordable(ctx); err != nil {
		return token.Set{}, err
	}
	// Who was read may have been disabled since, in a store that has taken the place of
	// this one.
	if err := d.issuer.Fresh(ctx); err != nil {
		return token.Set{}, err
	}
	g := d.newGrant(at, o)
	g.spent = len(changes) > 0
	if err := d.know(ctx, &g); err != nil {
		return token.Set{}, err
	}
	if d.Format.minted {
		set, err := d.mint(ctx, g, changes...)
		return d.recorded(ctx, o.event(), g, set, err)
	}
	if o.Refresh {
		g.Accessor = timeUUID(at)
		g.IdleTTL = cmp.Or(o.IdleTTL, d.RefreshIdle)
		g.ExpiresAt = d.refreshEnd(at, o.RefreshTTL)
		changes = append(changes, store.CreateSession{Session: g.Session})
	}
	if len(changes) > 0 {
		if err := d.issuer.apply(ctx, changes...); err != nil {
			return token.Set{}, err
		}
	}
	set, err := d.issue(g, o.Nonce)
	return d.recorded(ctx, EventIssue, g, set, err)
}

// event tells a refresh, which mints a token like any other.
func (o Order) event() string {
	if o.Mint != nil && o.Mint.Refreshes > 0 {
		return EventRefresh
	}
	return EventIssue
}

func (d *Door) newGrant(at int64, o Order) grant {
	g := grant{
		at: at, thumbprint: o.Thumbprint, actor: o.Actor,
		Session: store.Session{
			ID: o.Session, Tenant: d.Tenant, Subject: o.Subject, Client: o.Client, Door: d.Name, Grant: o.Grant, Scope: o.Scope,
			Audience: strings.Join(o.Audience, " "), AuthAt: o.AuthAt,
			Labels: o.Labels, CreatedAt: at, LastUsedAt: at, AccessTTL: d.accessTTL(o.TTL),
		},
	}
	if o.BindRefresh {
		g.Bound = o.Thumbprint
	}
	if g.ID == (store.ID{}) && (o.Mint == nil || !o.Mint.Foreign) {
		g.ID = newSessionID()
	}
	if o.Mint != nil {
		g.mint, g.AccessTTL = o.Mint, mintTTL(o.TTL, d.AccessTTL, d.MaxAccessTTL)
		if o.Refresh {
			g.refreshTTL = mintTTL(o.RefreshTTL, d.RefreshTTL, d.maxRefreshTTL())
		}
	}
	if o.Origin != nil {
		g.ID, g.origin = o.Origin.ID.Session, d.originOf(o.Origin)
		g.ExpiresAt = o.Origin.Expiry
	}
	return g
}

// originOf is a token that is exchanged, and those that were exchanged for it.
func (d *Door) originOf(live *Live) []origin {
	chain := append([]origin{{JTI: live.JTI, Client: live.Client}}, live.origin...)
	for i := range chain {
		if live.Door != d && chain[i].Issuer == "" {
			chain[i].Issuer = live.Issuer()
		}
	}
	return chain
}

// issue signs the access token of a grant, and what goes with it.
func (d *Door) issue(g grant, nonce string) (token.Set, error) {
	keys, err := d.keysNow()
	if err != nil {
		return token.Set{}, err
	}
	g.end = g.at + min(g.AccessTTL, d.AccessTTL)*1_000_000
	if last := d.endOf(g.Session); last != 0 && (g.Accessor != "" || len(g.origin) > 0) {
		g.end = min(g.end, last)
	}
	raw, err := d.sign(keys, d.Format.claims(d, g), g.ID, g.at)
	if err != nil {
		return token.Set{}, err
	}
	left := max(0, g.end-d.issuer.clock.read().UnixMicro())
	set := token.Set{
		AccessToken: token.NewSecret(raw), TokenType: "Bearer", Scope: g.Scope,
		ExpiresAt: time.UnixMicro(g.end), ExpiresIn: (left + 999_999) / 1_000_000,
	}
	if g.thumbprint != "" {
		set.TokenType = "DPoP"
	}
	if g.Accessor != "" {
		set.RefreshToken = d.Format.refresh.write(d.issuer, g.ID, g.Counter)
	}
	if g.AuthAt != 0 && g.Client != "" && len(g.origin) == 0 && slices.Contains(strings.Fields(g.Scope), ScopeOpenID) {
		set.IDToken, err = d.idToken(keys, g, nonce, raw)
	}
	return set, err
}

// sign ends a claim set with an id and signs it.
func (d *Door) sign(keys *doorKeys, claims []byte, session store.ID, at int64) (string, error) {
	raw, err := keys.ring.Sign(d.Format.header, d.issuer.seal(claims, d.Format.id, session, at))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return raw, nil
}

func (d *Door) idToken(keys *doorKeys, g grant, nonce, access string) (token.Secret, error) {
	claims, err := d.idClaims(g, keys.ring.Signing().Algorithm, nonce, access)
	if err != nil {
		return token.Secret{}, err
	}
	raw, err := keys.ring.Sign(signing.Header{Type: "JWT", KeyID: true}, claims)
	if err != nil {
		return token.Secret{}, fmt.Errorf("sign: %w", err)
	}
	return token.NewSecret(raw), nil
}

// ErrScope says that more was asked for than was granted.
var ErrScope = errors.New("scope not granted")

// ErrTarget says that a token was asked for somebody it was not granted for.
var ErrTarget = errors.New("audience not granted")

// ErrTooLong says that a token would be longer than is read anywhere.
var ErrTooLong = signing.ErrTooLong

// Narrow returns what is asked for of what was granted: all of it where nothing
// is asked for, and kind where more is.
func Narrow(granted, asked []string, kind error) ([]string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	for _, one := range asked {
		if !slices.Contains(granted, one) {
			return nil, fmt.Errorf("%w: %q", kind, one)
		}
	}
	return asked, nil
}

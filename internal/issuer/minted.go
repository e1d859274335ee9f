package issuer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// minted is what a minted token says besides its claims.
type minted struct {
	identity [16]byte
	sealed   bool // its id was made here; else the key has signed it elsewhere
	refresh  bool
	service  bool
}

// IsService tells the token of a service account, not of a user.
func (l *Live) IsService() bool { return l.minted != nil && l.minted.service }

// IsSealed tells that the token was issued here, to somebody who had proved who it
// is. Another one was signed elsewhere, with a key that was imported, or was given
// for such a one: it has no session.
func (l *Live) IsSealed() bool {
	return l.minted == nil || l.minted.sealed && l.ID.Session != [16]byte{}
}

// keepToItself leaves of a minted token, at another door than its own, what this
// service says. A service that mints can call a claim scope, act or aud; that means
// something to whom the token is for, and nothing here.
func (l *Live) keepToItself() error {
	if l.minted == nil {
		return nil
	}
	var members []string
	for _, name := range l.Names() {
		if name != "iss" && name != "sub" && name != "exp" && name != "jti" && !strings.HasPrefix(name, tapisPrefix) {
			continue
		}
		value, _ := l.Raw(name)
		members = append(members, string(appendString(nil, name))+":"+string(value))
	}
	if l.Client != "" {
		members = append(members, `"client_id":`+string(appendString(nil, l.Client)))
	}
	claims, err := token.ParseClaims("{" + strings.Join(members, ",") + "}")
	if err == nil {
		l.Claims = claims
	}
	return err
}

// IsRefresh tells a refresh token.
func (l *Live) IsRefresh() bool { return l.minted != nil && l.minted.refresh }

// Name is the subject's bare name.
func (l *Live) Name() string { return strings.TrimPrefix(l.User, "\x00") }

// judgeMinted is Live for access tokens of a door that mints.
func (d *Door) judgeMinted(ctx context.Context, raw string) (*Live, error) {
	live, err := d.LiveMinted(ctx, raw)
	if err == nil && live.IsRefresh() {
		return nil, &token.ClaimError{Claim: tapisType, Reason: "it is a refresh token", Kind: token.ErrClaims}
	}
	return live, err
}

// LiveMinted is Live for the door's own tokens, refresh tokens among them. Those
// that were signed elsewhere with a key of the door's are honoured too; where they
// do not say when they were issued, whatever voided their user's tokens voids them.
func (d *Door) LiveMinted(ctx context.Context, raw string) (*Live, error) {
	claims, err := d.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	live := &Live{Claims: claims, Door: d, minted: &minted{}}
	live.JTI, _ = claims.String(d.Format.id)
	if live.ID, live.minted.sealed = d.issuer.unseal(claims.Text(), d.Format.id); !live.minted.sealed {
		if live.ID.IssuedAt, _, err = claims.NumericDate("iat"); err != nil {
			return nil, err
		}
	}
	decoded, err := token.Decode(raw)
	if err != nil {
		return nil, err
	}
	live.minted.identity = decoded.Identity()
	if err := live.readTapis(); err != nil {
		return nil, err
	}
	if err := live.honoured(ctx); err != nil {
		return nil, err
	}
	if live.outlives() {
		return nil, token.ErrExpired
	}
	d.issuer.Recorder.Caller(ctx, d.Tenant, live.User)
	return live, nil
}

// outlives tells a token that is older than the longest that one may live by now.
func (l *Live) outlives() bool {
	most := l.Door.MaxAccessTTL
	if l.IsRefresh() {
		most = l.Door.maxRefreshTTL()
	}
	age := l.Door.issuer.clock.read().UnixMicro() - l.ID.IssuedAt
	return l.minted.sealed && most > 0 && age >= most*1_000_000
}

// readTapis finds out what kind of token it is, and whose.
func (l *Live) readTapis() error {
	if tenant := tapisText(&l.Object, tapisTenant); tenant != l.Door.Tenant {
		return &token.ClaimError{Claim: tapisTenant, Reason: "it is another tenant's", Kind: token.ErrClaims}
	}
	whose := &l.Object
	switch kind := tapisText(&l.Object, tapisType); kind {
	case "access":
	case "refresh":
		l.minted.refresh = true
		var err error
		if whose, err = tapisObject(&l.Object); err != nil {
			return err
		}
	default:
		return &token.ClaimError{Claim: tapisType, Reason: "it is neither access nor refresh", Kind: token.ErrClaims}
	}
	name := tapisText(whose, tapisUsername)
	if checkName("user", name) != nil {
		return &token.ClaimError{Claim: tapisUsername, Reason: "it is no name", Kind: token.ErrClaims}
	}
	// A refresh token ends with its application as an access token does.
	l.Client, _ = whose.String(l.Door.Format.client)
	if l.User = name; tapisText(whose, tapisAccount) == accountType(true) {
		l.minted.service, l.User = true, ServiceSubject(name)
	}
	return nil
}

// tapisText reads a claim, by its bare name where the token is of the oldest kind.
func tapisText(o *token.Object, name string) string {
	if text, ok := o.String(name); ok {
		return text
	}
	text, _ := o.String(strings.TrimPrefix(name, tapisPrefix))
	return text
}

// tapisObject is the access token that a refresh token holds.
func tapisObject(o *token.Object) (*token.Object, error) {
	text, ok := o.Member(tapisEmbedded)
	if !ok {
		text, ok = o.Member(strings.TrimPrefix(tapisEmbedded, tapisPrefix))
	}
	embedded, err := token.ParseObject(text)
	if !ok || err != nil {
		return nil, &token.ClaimError{Claim: tapisEmbedded, Reason: "it is no claim set", Kind: token.ErrClaims}
	}
	return embedded, nil
}

// ErrNeedsClient says that a refresh token was given to an application, which did
// not prove itself.
var ErrNeedsClient = errors.New("given to a client, which must prove itself")

// MintAgain gives an access token and a refresh token for a refresh token, which
// stays good: ErrUnknown when client is not the application that it was given to,
// ErrNeedsClient when that is none and it was given to one.
func (d *Door) MintAgain(ctx context.Context, refresh token.Secret, client string) (token.Set, error) {
	at := d.issuer.clock.tick()
	live, err := d.LiveMinted(ctx, refresh.Reveal())
	switch {
	case err != nil:
		return token.Set{}, d.refusedRefresh(ctx, Event{Client: client, Token: identityOf(refresh.Reveal())}, err)
	case !live.IsRefresh():
		return token.Set{}, &token.ClaimError{Claim: tapisType, Reason: "it is no refresh token", Kind: token.ErrClaims}
	}
	o, err := live.orderAgain()
	if err != nil {
		return token.Set{}, err
	}
	switch {
	case o.Client == client:
	case client == "":
		return token.Set{}, ErrNeedsClient
	default:
		return token.Set{}, errUnknownRefresh()
	}
	return d.Issue(ctx, at, o)
}

// orderAgain is what a refresh token's next access token is ordered with.
func (l *Live) orderAgain() (Order, error) {
	embedded, err := tapisObject(&l.Object)
	if err != nil {
		return Order{}, err
	}
	m := &Mint{
		Service: l.IsService(), Delegate: tapisText(embedded, tapisDelegate), TargetSite: tapisText(embedded, tapisSite),
		RedirectURI: tapisText(embedded, tapisRedirect), Refreshes: number(embedded, tapisRefreshes) + 1, Foreign: !l.IsSealed(),
	}
	o := Order{
		Subject: l.Name(), Mint: m, Refresh: true, TTL: number(embedded, "ttl"), RefreshTTL: number(&l.Object, tapisInitialTTL),
		Session: l.ID.Session, // a code that is used twice ends all that came of it
	}
	o.Client, _ = embedded.String(l.Door.Format.client)
	o.Grant, _ = embedded.String(tapisGrant)
	bare := !embedded.Has(tapisUsername) // names of the oldest kind
	for _, name := range embedded.Names() {
		if token.ReservedClaim(name) || bare && isTapisName(name) {
			continue
		}
		value, _ := embedded.Raw(name)
		m.Claims = append(m.Claims, Claim{name, value})
	}
	return o, nil
}

// isTapisName tells the bare form of a claim of Tapis's.
func isTapisName(name string) bool {
	return slices.Contains([]string{
		tapisTenant, tapisType, tapisUsername, tapisAccount, tapisDelegate, tapisDelegation, tapisSite,
	}, tapisPrefix+name)
}

// number reads a whole number above 0; 0: there is none.
func number(o *token.Object, name string) int64 {
	text, _ := o.Member(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// RevokeMinted voids one token of a door that mints, access or refresh, and no
// other. For one that is not honoured it returns why.
func (d *Door) RevokeMinted(ctx context.Context, raw string) (*Live, error) {
	live, err := d.LiveMinted(ctx, raw)
	if err != nil {
		return nil, err
	}
	return live, d.issuer.revokeLive(ctx, live)
}

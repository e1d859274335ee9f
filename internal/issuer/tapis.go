package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// FormatTapis is that of Tapis v3: RS256, no kid, whole seconds, subjects as
// NAME@TENANT, and claims that the minting service adds. A refresh token is a JWT
// that holds what its access tokens will say. Nothing is stored of either.
func FormatTapis() Format {
	return Format{
		header: signing.Header{Type: "JWT", TypeFirst: true}, algorithm: "RS256", rsaBits: 2048, id: "jti", user: tapisUsername, client: "tapis/client_id",
		claims: tapisClaims, minted: true,
	}
}

// Mint is what a minted token says besides an Order's Subject, Client and Grant.
type Mint struct {
	Service     bool   // Subject is a service account
	Delegate    string // who acts in the place of Subject, USER@TENANT; empty: nobody
	TargetSite  string // the site at which a service's token is good; empty: it does not say
	RedirectURI string // of the login that gave it
	Refreshes   int64  // how often the login was refreshed
	Claims      []Claim
	// Foreign tells that it is given for a token that was signed elsewhere.
	Foreign bool
}

// Claim is one that a service adds. Value is JSON.
type Claim struct {
	Name  string
	Value json.RawMessage
}

// Names of claims that are read as well as written. Their bare form, without
// tapisPrefix, is the oldest refresh tokens'.
const (
	tapisPrefix     = "tapis/"
	tapisTenant     = "tapis/tenant_id"
	tapisType       = "tapis/token_type"
	tapisUsername   = "tapis/username"
	tapisAccount    = "tapis/account_type"
	tapisDelegate   = "tapis/delegation_sub"
	tapisDelegation = "tapis/delegation"
	tapisSite       = "tapis/target_site"
	tapisEmbedded   = "tapis/access_token"
	tapisInitialTTL = "tapis/initial_ttl"
	tapisGrant      = "tapis/grant_type"
	tapisRedirect   = "tapis/redirect_uri"
	tapisRefreshes  = "tapis/refresh_count"
)

func accountType(service bool) string {
	if service {
		return "service"
	}
	return "user"
}

// tapisClaims are those of an access token.
func tapisClaims(d *Door, g grant) []byte {
	b := appendTapisSubject(make([]byte, 0, 512), d, g)
	b = strconv.AppendInt(append(b, `,"exp":`...), g.end/1_000_000, 10)
	return appendTapisRest(b, g)
}

func appendTapisHead(b []byte, d *Door, g grant, kind string) []byte {
	b = appendString(append(b, `{"iss":`...), d.Issuer)
	b = appendString(append(b, `,"sub":`...), g.Subject+"@"+d.Tenant)
	b = appendString(append(b, `,"`+tapisTenant+`":`...), d.Tenant)
	return appendString(append(b, `,"`+tapisType+`":`...), kind)
}

func appendTapisSubject(b []byte, d *Door, g grant) []byte {
	b = appendTapisHead(b, d, g, "access")
	b = strconv.AppendBool(append(b, `,"`+tapisDelegation+`":`...), g.mint.Delegate != "")
	b = append(b, `,"`+tapisDelegate+`":`...)
	if g.mint.Delegate == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, g.mint.Delegate)
	}
	b = appendString(append(b, `,"`+tapisUsername+`":`...), g.Subject)
	return appendString(append(b, `,"`+tapisAccount+`":`...), accountType(g.mint.Service))
}

func appendTapisRest(b []byte, g grant) []byte {
	texts := []struct{ name, value string }{
		{tapisSite, g.mint.TargetSite},
		{"tapis/client_id", g.Client},
		{tapisGrant, g.Grant},
		{tapisRedirect, g.mint.RedirectURI},
	}
	for _, t := range texts {
		if t.value != "" {
			b = appendString(append(b, `,"`+t.name+`":`...), t.value)
		}
	}
	if g.Grant != "" {
		b = strconv.AppendInt(append(b, `,"`+tapisRefreshes+`":`...), g.mint.Refreshes, 10)
	}
	for _, c := range g.mint.Claims {
		b = append(appendString(append(b, ','), c.Name), ':')
		b = append(b, c.Value...)
	}
	return b
}

// tapisRefresh are the claims of a refresh token, which do not say in the usual
// place whose it is, so that no service takes it for an access token.
func tapisRefresh(d *Door, g grant, end int64) []byte {
	b := appendTapisHead(make([]byte, 0, 1024), d, g, "refresh")
	b = strconv.AppendInt(append(b, `,"`+tapisInitialTTL+`":`...), g.refreshTTL, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), end/1_000_000, 10)
	b = appendTapisSubject(append(b, `,"`+tapisEmbedded+`":`...), d, g)
	b = appendTapisRest(b, g)
	return append(strconv.AppendInt(append(b, `,"ttl":`...), g.AccessTTL, 10), '}')
}

// mint signs what a grant says. changes become durable first, or nothing does.
func (d *Door) mint(ctx context.Context, g grant, changes ...store.Command) (token.Set, error) {
	if err := d.mayHave(ctx, g); err != nil {
		return token.Set{}, err
	}
	keys, err := d.stretched(ctx, g, changes)
	if errors.Is(err, store.ErrNotFound) { // another process has removed the key
		if err = d.issuer.sync(ctx); err == nil {
			keys, err = d.stretched(ctx, g, changes)
		}
	}
	if err != nil {
		return token.Set{}, err
	}
	return d.signMinted(keys, g)
}

// stretched returns keys to sign a grant with, when changes are durable and the
// store knows for how long the key that signs must verify.
func (d *Door) stretched(ctx context.Context, g grant, changes []store.Command) (*doorKeys, error) {
	keys, err := d.keysNow()
	if err != nil {
		return nil, err
	}
	key, longest := keys.ring.Signing().ID, max(g.AccessTTL, g.refreshTTL)
	if d.spans.lack(key, longest) {
		changes = append(slices.Clone(changes), store.StretchKey{ID: key, TTL: longest, At: g.at}, d.changedKeys())
	}
	if len(changes) == 0 {
		return keys, nil
	}
	if err := d.issuer.apply(ctx, changes...); err != nil {
		return nil, err
	}
	d.spans.note(key, longest)
	return keys, nil
}

func (d *Door) signMinted(keys *doorKeys, g grant) (token.Set, error) {
	g.end = g.at + g.AccessTTL*1_000_000
	access, err := d.sign(keys, d.Format.claims(d, g), g.ID, g.at)
	if err != nil {
		return token.Set{}, err
	}
	set := token.Set{
		AccessToken: token.NewSecret(access), TokenType: "Bearer", ExpiresAt: time.UnixMicro(g.end), ExpiresIn: g.AccessTTL,
	}
	if g.refreshTTL == 0 {
		return set, nil
	}
	refresh, err := d.sign(keys, tapisRefresh(d, g, g.at+g.refreshTTL*1_000_000), g.ID, g.at)
	set.RefreshToken, set.RefreshExpiresIn = token.NewSecret(refresh), g.refreshTTL
	return set, err
}

// mayHave refuses a user or a service account that is disabled. One that is not
// known here may have what a service mints.
func (d *Door) mayHave(ctx context.Context, g grant) error {
	var disabled bool
	var err error
	if g.mint.Service {
		var a store.ServiceAccount
		a, err = d.issuer.Store.ServiceAccount(ctx, d.Tenant, g.Subject)
		disabled = a.Disabled
	} else {
		var u store.User
		u, err = d.issuer.Store.User(ctx, d.Tenant, g.Subject)
		disabled = u.Disabled
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return unavailable(err)
	case disabled:
		return token.Refuse(token.ErrDenied, "%q is disabled", g.Subject)
	}
	return nil
}

// spans are the longest lifetimes that keys have signed, as far as the store
// knows. The zero value is ready.
type spans struct {
	mu      sync.Mutex
	seconds map[string]int64
}

func (s *spans) lack(key string, seconds int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seconds[key] < seconds
}

// longest is the longest of all.
func (s *spans) longest() (seconds int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.seconds {
		seconds = max(seconds, n)
	}
	return seconds
}

func (s *spans) note(key string, seconds int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seconds == nil {
		s.seconds = make(map[string]int64)
	}
	s.seconds[key] = max(s.seconds[key], seconds)
}

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
		return token.Set{}, err
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

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
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

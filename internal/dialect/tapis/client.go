package tapis

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Config says which service is asked, and as whom.
type Config struct {
	// Exchange carries the messages. Required.
	Exchange dialect.Exchange
	// Tenant is whose users log in, and that of a service that mints. Default: the
	// one that the service finds by the URL, or that a token is minted in.
	Tenant string
	// ClientID and ClientSecret are the client that logs users in. Default none, and
	// then no login gives a refresh token.
	ClientID     string
	ClientSecret token.Secret
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Client is the client's end of the wire, for this project's server and for an
// original one, old or new.
type Client struct{ Config }

// NewClient makes a Client.
func NewClient(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{c}
}

// Login logs a user in, or with want.Mint mints a token.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	switch {
	case want.Scope != "" || want.RefreshIdle != 0 || len(want.Labels)+len(want.Resources) > 0:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect has no scope, no audience and no labels, and its refresh tokens may lie unused")
	case !utf8.ValidString(who.Username) || !utf8.ValidString(who.Password.Reveal()):
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name or password that is not UTF-8")
	case want.Mint != nil:
		return c.mint(ctx, who, want)
	case want.TTL != 0 || want.RefreshTTL != 0:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "a login cannot ask for lifetimes in this dialect, only what is minted")
	}
	m := c.asClient(map[string]string{"grant_type": token.GrantPassword, "username": who.Username, "password": who.Password.Reveal()})
	set, err := c.set(ctx, m, token.ErrDenied, who.Password, c.ClientSecret)
	switch {
	case err != nil:
		return token.Set{}, err
	case want.Refresh && set.RefreshToken.IsZero():
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server gave no refresh token: it gives them to clients that prove themselves, by a client id and its secret")
	}
	return set, nil
}

// asClient is a message to where users log in, of the client if there is one.
func (c *Client) asClient(body map[string]string) dialect.Message {
	m := dialect.Message{Method: http.MethodPost, Path: PathOAuth2, Header: c.header(), JSON: body}
	if c.ClientID != "" {
		m.ID, m.Secret, m.Plain = c.ClientID, c.ClientSecret, true
	}
	return m
}

func (c *Client) header() http.Header {
	h := make(http.Header)
	if c.Tenant != "" {
		h.Set(HeaderTenant, c.Tenant)
	}
	return h
}

// mint asks for a token in the name of who, or of the bearer of want.Mint. Without
// a password nobody is named: a service in development mints for everybody.
func (c *Client) mint(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	mint := want.Mint
	m := dialect.Message{Method: http.MethodPost, Path: PathTokens, Header: c.header(), JSON: c.body(who.Username, want)}
	switch {
	case c.Tenant == "" && mint.Tenant == "":
		return token.Set{}, token.Refuse(token.ErrUnsupported, "a token is minted in a tenant, and none is named")
	case mint.Check() != nil:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "%v", mint.Check())
	case !mint.Bearer.IsZero():
		m.Header.Set(HeaderToken, mint.Bearer.Reveal())
	case who.Password.IsZero():
		m.Header = nil
	case strings.Contains(who.Username, ":"):
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name with a colon in it")
	default:
		m.Header.Set(HeaderUser, who.Username)
		m.ID, m.Secret, m.Plain = who.Username, who.Password, true
	}
	set, err := c.set(ctx, m, token.ErrDenied, who.Password, mint.Bearer)
	err = advise(err)
	if err == nil && want.Refresh && set.RefreshToken.IsZero() {
		err = token.Refuse(token.ErrUnsupported, "this server issues no refresh tokens")
	}
	return set, err
}

// body is what is minted.
func (c *Client) body(asks string, want token.Request) Mint {
	mint := want.Mint
	b := Mint{
		Tenant: cmp.Or(mint.Tenant, c.Tenant), AccountType: AccountUser, Username: mint.Username, TargetSite: mint.TargetSite, AccessTTL: want.TTL,
		Refresh: want.Refresh, RefreshTTL: want.RefreshTTL, Delegation: mint.Delegate != "", Claims: json.RawMessage(mint.Claims),
	}
	b.DelegateUser, b.DelegateTenant = mint.Actor()
	if mint.Service {
		b.AccountType = AccountService
	}
	if b.Username == "" {
		b.Username = asks
	}
	return b
}

// Refresh trades a refresh token for a new pair. The old one stays good until it
// expires or is revoked.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	switch {
	case want.TTL != 0 || want.Scope != "" || want.RefreshTTL != 0 || want.RefreshIdle != 0 || len(want.Labels)+len(want.Resources) > 0 || want.Mint != nil:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot change what a refresh token stands for")
	case !utf8.ValidString(refresh.Reveal()):
		return token.Set{}, token.Refuse(token.ErrMalformed, "malformed refresh token: it is not UTF-8")
	}
	m := dialect.Message{Method: http.MethodPut, Path: PathTokens, JSON: map[string]string{"refresh_token": refresh.Reveal()}}
	if c.ClientID != "" && !c.ClientSecret.IsZero() && !isMinted(refresh) {
		m = c.asClient(map[string]string{"grant_type": token.GrantRefreshToken, "refresh_token": refresh.Reveal()})
	}
	set, err := c.set(ctx, m, token.ErrUnknown, refresh, c.ClientSecret)
	return set, c.orExpired(err, refresh)
}

// isMinted reports a refresh token that says that no client's login gave it.
func isMinted(refresh token.Secret) bool {
	t, err := token.Decode(refresh.Reveal())
	if err != nil {
		return false
	}
	text, _ := t.Claims.Member("tapis/access_token")
	access, err := token.ParseObject(text)
	if err != nil {
		return false
	}
	return !access.Has("tapis/client_id")
}

// set sends a message that is answered with tokens; otherwise is what a refusal
// means that says nothing better. What was sent does not come into its text.
func (c *Client) set(ctx context.Context, m dialect.Message, otherwise error, sent ...token.Secret) (token.Set, error) {
	var pair Pair
	if _, err := c.ask(ctx, m, &pair, otherwise, sent...); err != nil {
		return token.Set{}, err
	}
	if pair.Access == nil || !visible(pair.Access.Token) || pair.Access.ExpiresIn < 0 {
		return token.Set{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no access token in it")
	}
	set := token.Set{AccessToken: token.NewSecret(pair.Access.Token), TokenType: "Bearer", ExpiresIn: min(pair.Access.ExpiresIn, maxLifetime)}
	if set.ExpiresIn > 0 {
		set.ExpiresAt = time.UnixMicro(c.Now().UnixMicro() + set.ExpiresIn*1_000_000)
	}
	if r := pair.Refresh; r != nil {
		if !visible(r.Token) || r.ExpiresIn < 0 {
			return token.Set{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no refresh token in it")
		}
		set.RefreshToken, set.RefreshExpiresIn = token.NewSecret(r.Token), min(r.ExpiresIn, maxLifetime)
	}
	return set, nil
}

// maxLifetime is the longest lifetime that is believed, in seconds: beyond it an
// instant has more digits than a year.
const maxLifetime = 100_000_000_000

// visible reports whether a text can stand in a header and on a line.
func visible(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Check asks whether a token was revoked, and returns its claims. The service
// looks at its list alone: whether the token is over is told by its exp.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	t, err := token.Decode(raw.Reveal())
	if err != nil {
		return nil, err
	}
	m := dialect.Message{Method: http.MethodGet, Path: PathCheck, Header: http.Header{HeaderToken: {raw.Reveal()}}}
	message, err := c.ask(ctx, m, nil, token.ErrUnknown, raw)
	switch {
	case err != nil:
		return nil, c.orExpired(err, raw)
	case message != MessageNotRevoked:
		return nil, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: it does not say whether the token is revoked")
	case c.over(raw):
		return nil, token.ErrExpired
	}
	return &t.Claims.Object, nil
}

// Revoke voids one token, and no other of the same login. That it was void already
// is no error.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	if !utf8.ValidString(raw.Reveal()) {
		return token.Refuse(token.ErrMalformed, "malformed token: it is not UTF-8")
	}
	m := dialect.Message{Method: http.MethodPost, Path: PathRevoke, JSON: map[string]string{"token": raw.Reveal()}}
	_, err := c.ask(ctx, m, nil, token.ErrUnknown, raw)
	if isOver(c.orExpired(err, raw)) {
		return nil
	}
	return err
}

// RevokeAll cannot be done: tokens end one by one.
func (c *Client) RevokeAll(context.Context, token.Secret, string) error {
	return token.Refuse(token.ErrUnsupported, "this dialect cannot revoke all tokens of a user: revoke each, its refresh token too")
}

// Keys returns what verifies the tokens of a tenant: the JWK set that this
// project's server tells, in which old keys stand too, else the one key of an
// original.
func (c *Client) Keys(ctx context.Context, tenant string) (keys []byte, issuer string, err error) {
	if tenant == "" || tenant == "." || tenant == ".." || !visible(tenant) || strings.ContainsAny(tenant, "/?#%\\") {
		return nil, "", token.Refuse(token.ErrUnknown, "no tenant can have that name")
	}
	var t Tenant
	if _, err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: PathTenants + "/" + tenant}, &t, token.ErrUnknown); err != nil {
		return nil, "", err
	}
	switch {
	case t.TenantID != tenant:
		return nil, "", token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: it is not about the tenant %s", tenant)
	case len(t.JWKS) > 0 && t.JWKS[0] == '{':
		return t.JWKS, t.TokenService, nil
	case t.PublicKey == "":
		return nil, "", token.Refuse(token.ErrUnsupported, "the server publishes no key of the tenant %s", tenant)
	}
	return []byte(t.PublicKey), t.TokenService, nil
}

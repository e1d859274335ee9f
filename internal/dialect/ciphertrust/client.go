package ciphertrust

import (
	"context"
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
	// ClientID goes with the refresh token that is revoked. Default: the service is
	// asked for it, which counts as a use of the refresh token.
	ClientID string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Client is the client's end of the wire, for this project's server and for an
// original one.
type Client struct{ Config }

// NewClient makes a Client.
func NewClient(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{c}
}

// loginBody is what a login sends. Lifetimes are minutes.
type loginBody struct {
	GrantType  string   `json:"grant_type"`
	Username   string   `json:"username"`
	Password   string   `json:"password"`
	Lifetime   int64    `json:"refresh_token_lifetime,omitempty"`
	UnusedLife int64    `json:"refresh_token_revoke_unused_in,omitempty"`
	Labels     []string `json:"labels,omitempty"`
	// Issue is false where nobody wants a refresh token, lest scripts leave endless
	// ones behind; an original service ignores it.
	Issue *bool `json:"issueRefreshToken,omitempty"`
}

type refreshBody struct {
	GrantType string `json:"grant_type"`
	Refresh   string `json:"refresh_token"`
	Renew     bool   `json:"renew_refresh_token,omitempty"`
}

// Login asks for a JWT, and for a refresh token where one is wanted. Lifetimes are
// rounded up to minutes.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	password := who.Password.Reveal()
	switch {
	case want.TTL != 0 || want.Scope != "" || len(want.Resources) > 0:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect has no scope and no audience, and its access tokens live for 300 s")
	case !utf8.ValidString(who.Username) || !utf8.ValidString(password):
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name or password that is not UTF-8")
	}
	b := loginBody{GrantType: GrantPassword, Username: who.Username, Password: password}
	if want.Refresh {
		b.Lifetime, b.UnusedLife, b.Labels = Minutes(want.RefreshTTL), Minutes(want.RefreshIdle), want.Labels
	} else {
		b.Issue = new(bool)
	}
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodPost, Path: PathTokens, JSON: b})
	if err != nil {
		return token.Set{}, err
	}
	set, err := c.readSet(r, who.Password)
	switch {
	case err != nil:
		return token.Set{}, err
	case want.Refresh && set.RefreshToken.IsZero():
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server issues no refresh tokens")
	}
	return set, nil
}

// Refresh gives a JWT for a refresh token, which stays as it is; with want.Refresh
// a new one takes its place.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	switch {
	case want.TTL != 0 || want.Scope != "" || want.RefreshTTL != 0 || want.RefreshIdle != 0 || len(want.Labels)+len(want.Resources) > 0:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot change what a login is, only renew its refresh token")
	case !utf8.ValidString(refresh.Reveal()):
		return token.Set{}, token.Refuse(token.ErrMalformed, "malformed refresh token: it is not UTF-8")
	}
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodPost, Path: PathTokens, JSON: refreshBody{
		GrantType: GrantRefresh, Refresh: refresh.Reveal(), Renew: want.Refresh,
	}})
	if err != nil {
		return token.Set{}, err
	}
	set, err := c.readSet(r, refresh)
	if err == nil && want.Refresh && (set.RefreshToken.IsZero() || set.RefreshToken.Reveal() == refresh.Reveal()) {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server did not renew the refresh token")
	}
	return set, err
}

// readSet reads the answer to a login or a refresh.
func (c *Client) readSet(r dialect.Reply, sent token.Secret) (token.Set, error) {
	var wire Set
	if err := read(r, sent, &wire); err != nil {
		return token.Set{}, err
	}
	if wire.JWT == "" || !visible(wire.JWT+wire.Refresh+wire.ClientID+wire.RefreshID) || wire.Duration < 0 || wire.ExpiresIn < 0 {
		return token.Set{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no jwt in it")
	}
	set := token.Set{
		AccessToken: token.NewSecret(wire.JWT), TokenType: "Bearer", ExpiresIn: min(wire.Duration, maxLifetime),
		ClientID: wire.ClientID, LoginID: wire.RefreshID, RefreshExpiresIn: min(wire.ExpiresIn, maxLifetime),
	}
	if wire.Refresh != "" {
		set.RefreshToken = token.NewSecret(wire.Refresh)
	}
	if set.ExpiresIn > 0 {
		set.ExpiresAt = time.UnixMicro(c.Now().UnixMicro() + set.ExpiresIn*1_000_000)
	}
	return set, nil
}

// maxLifetime is the longest lifetime that is believed, in seconds: beyond it an
// instant has more digits than a year.
const maxLifetime = 100_000_000_000

// visible reports whether a text can stand in a header and on a line.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Check asks whether the service honours a JWT, and returns the claims that it
// honours. What stands in a refresh token nobody tells.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	if !isJWT(raw) {
		return nil, token.Refuse(token.ErrUnsupported, "this dialect tells about access tokens only: a refresh token can but be tried")
	}
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodGet, Path: PathDomains, Bearer: raw})
	if err != nil {
		return nil, err
	}
	var page Page[any]
	if err := read(r, raw, &page); err != nil {
		return nil, err
	}
	if page.Resources == nil { // a page of something else that is JSON too is no yes
		return nil, dialect.Nonsense(r)
	}
	t, err := token.Decode(raw.Reveal())
	if err != nil {
		return nil, err
	}
	return &t.Claims.Object, nil
}

func isJWT(raw token.Secret) bool { return strings.Count(raw.Reveal(), ".") == 2 }

// Revoke ends a refresh token, and what hangs on it. That it has ended already is
// no error. A JWT cannot be revoked: ErrUnsupported.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	if isJWT(raw) {
		return token.Refuse(token.ErrUnsupported, "this dialect cannot revoke an access token, which is over after 300 s: revoke its refresh token")
	}
	client := c.ClientID
	if client == "" {
		set, err := c.Refresh(ctx, raw, token.Request{})
		if isOver(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if client = set.ClientID; client == "" {
			return token.Refuse(token.ErrUnsupported, "this server does not say the client id that it wants to hear")
		}
	}
	return c.revoke(ctx, raw, map[string]string{"token": raw.Reveal(), "client_id": client}, raw)
}

// RevokeWith ends a refresh token for who knows its user's password.
func (c *Client) RevokeWith(ctx context.Context, refresh token.Secret, who token.Credentials) error {
	return c.revoke(ctx, refresh, map[string]string{
		"token": refresh.Reveal(), "username": who.Username, "password": who.Password.Reveal(),
	}, who.Password)
}

func (c *Client) revoke(ctx context.Context, refresh token.Secret, body map[string]string, sent token.Secret) error {
	for _, text := range body {
		if !utf8.ValidString(text) {
			return token.Refuse(token.ErrUnsupported, "this dialect carries UTF-8 only")
		}
	}
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodPost, Path: PathRevoke, JSON: body})
	if err != nil {
		return err
	}
	err = refusal(r, sent, refresh)
	if isOver(err) {
		return nil
	}
	return err
}

// RevokeAll cannot be done: tokens end one by one.
func (c *Client) RevokeAll(context.Context, token.Secret, string) error {
	return token.Refuse(token.ErrUnsupported, "this dialect cannot end all tokens of a user at once: list them, and end each")
}

package awx

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// DefaultDescription is that of a token that nobody has described.
const DefaultDescription = "ats-auth CLI"

// Config says which service is asked, and as whom.
type Config struct {
	// Exchange carries the messages. Required. It follows no redirection.
	Exchange dialect.Exchange
	// URL is the service's, without a slash at its end; one that ends in /api has
	// the paths behind that. Required for GrantAuthorizationCode alone.
	URL string
	// ClientID and ClientSecret are the application that logs users in; a public one
	// has no secret. Default none: logins are personal tokens.
	ClientID     string
	ClientSecret token.Secret
	// Actor is who acts where no bearer is given, by name and password. Default
	// nobody.
	Actor token.Credentials
	// RedirectPort is the port on 127.0.0.1 to which a browser comes back. Default
	// any that is free.
	RedirectPort int
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

// at is a path for a service whose URL may hold its beginning.
func (c *Client) at(path string) string {
	if strings.HasSuffix(c.URL, "/api") {
		return strings.TrimPrefix(path, "/api")
	}
	return path
}

// Login logs a user in: through the application, else for a personal token, which
// has no refresh token.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	if err := c.canAsk(&want); err != nil {
		return token.Set{}, err
	}
	if !utf8.ValidString(who.Username) || !utf8.ValidString(who.Password.Reveal()) {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name or password that is not UTF-8")
	}
	if c.ClientID == "" {
		return c.as(who).personal(ctx, &want)
	}
	return c.grant(ctx, url.Values{
		"grant_type": {token.GrantPassword}, "username": {who.Username}, "password": {who.Password.Reveal()},
	}, &want, token.ErrCredentials)
}

// canAsk refuses wishes that the wire has no words for.
func (c *Client) canAsk(want *token.Request) error {
	switch {
	case want.TTL != 0 || want.RefreshTTL != 0 || want.RefreshIdle != 0 || want.Mint != nil || len(want.Labels)+len(want.Resources) > 0:
		return token.Refuse(token.ErrUnsupported, "this dialect has a scope and a description, and nothing else to ask for: the server decides how long a token lives")
	case !utf8.ValidString(want.Scope) || !utf8.ValidString(want.Description):
		return token.Refuse(token.ErrUnsupported, "this dialect cannot carry a scope or a description that is not UTF-8")
	case c.ClientID != "" && want.Description != "":
		return token.Refuse(token.ErrUnsupported, "only a personal token is given with a description, not one of an application")
	case c.ClientID == "" && want.Refresh:
		return token.Refuse(token.ErrUnsupported, "a personal token has no refresh token: an application's has, by its client id")
	}
	return nil
}

// tokenBody is what a personal token is asked for with.
type tokenBody struct {
	Description string `json:"description"`
	Application *int64 `json:"application"` // null: none
	Scope       string `json:"scope"`
}

// personal makes a token of the actor's own.
func (c *Client) personal(ctx context.Context, want *token.Request) (set token.Set, err error) {
	name := c.Actor.Username
	if strings.Contains(name, ":") {
		return set, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name with a colon in it")
	}
	path := PathUsers + name + "/" + ListPersonalTokens + "/"
	if !plainName(name) {
		user, err := c.whoIs(ctx, token.Secret{})
		if err != nil {
			return set, err
		}
		path = ListPath(PathUsers, user, ListPersonalTokens)
	}
	body := tokenBody{Description: DefaultDescription, Scope: ScopeWrite}
	if want.Description != "" {
		body.Description = want.Description
	}
	if want.Scope != "" {
		body.Scope = want.Scope
	}
	var row tokenRow
	err = c.ask(ctx, dialect.Message{Method: http.MethodPost, Path: path, JSON: body}, &row)
	switch {
	case errors.Is(err, token.ErrUnknown): // the user has proven to be known
		return set, token.Refuse(token.ErrUnsupported, "this server cannot do that: %v", err)
	case err != nil:
		return set, err
	case row.ID < 1 || !visible(row.Token) || strings.Trim(row.Token, "*") == "":
		return set, senseless("no token in it")
	}
	set.AccessToken, set.TokenType, set.Scope, set.LoginID = token.NewSecret(row.Token), "Bearer", printable(row.Scope), strconv.FormatInt(row.ID, 10)
	if set.ExpiresAt = instant(row.Expires); !set.ExpiresAt.IsZero() {
		set.ExpiresIn = max(0, set.ExpiresAt.Unix()-c.Now().Unix())
	}
	return set, nil
}

// as is the client of another actor.
func (c *Client) as(who token.Credentials) *Client {
	other := *c
	other.Actor = who
	return &other
}

// plainName reports a user name that stands in a path for itself, and is not taken
// for a number.
func plainName(name string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.@", r)
	}
	return strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) && !strings.ContainsFunc(name, odd)
}

// Refresh trades an application's refresh token for a new pair; the old pair is
// void then. A narrower scope may be asked for.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	want.Refresh = false // that there is none is no fault here
	switch err := c.canAsk(&want); {
	case err != nil:
		return token.Set{}, err
	case !utf8.ValidString(refresh.Reveal()):
		return token.Set{}, token.Refuse(token.ErrMalformed, "malformed refresh token: it is not UTF-8")
	case c.ClientID == "":
		return token.Set{}, token.Refuse(token.ErrUnsupported, "a refresh token is an application's, and is traded with its client id; a personal token has none")
	}
	set, err := c.grant(ctx, url.Values{"grant_type": {token.GrantRefreshToken}, "refresh_token": {refresh.Reveal()}}, &want, token.ErrUnknown)
	if err == nil && set.RefreshToken.IsZero() {
		set.RefreshToken = refresh
	}
	return set, err
}

// grant asks where applications get tokens; otherwise is what an invalid_grant
// means.
func (c *Client) grant(ctx context.Context, form url.Values, want *token.Request, otherwise error) (set token.Set, err error) {
	if want.Scope != "" {
		form.Set("scope", want.Scope)
	}
	var wire Set
	if err := c.ask(ctx, c.asApplication(PathToken, form), &wire); err != nil {
		return set, grantError(err, otherwise)
	}
	switch {
	case wire.ExpiresIn < 0 || !visible(wire.AccessToken) || !strings.EqualFold(wire.TokenType, "Bearer"):
		return set, senseless("no bearer token in it")
	case wire.RefreshToken == "" && want.Refresh:
		return set, token.Refuse(token.ErrUnsupported, "this server gave no refresh token")
	case wire.RefreshToken == "":
	case !visible(wire.RefreshToken):
		return set, senseless("no refresh token in it")
	default:
		set.RefreshToken = token.NewSecret(wire.RefreshToken)
	}
	set.AccessToken, set.TokenType, set.Scope = token.NewSecret(wire.AccessToken), "Bearer", printable(wire.Scope)
	if set.ExpiresIn = min(wire.ExpiresIn, maxLifetime); set.ExpiresIn > 0 {
		set.ExpiresAt = time.UnixMicro(c.Now().UnixMicro() + set.ExpiresIn*1_000_000)
	}
	return set, nil
}

// maxLifetime is the longest lifetime that is believed, in seconds: beyond it an
// instant has more digits than a year.
const maxLifetime = 100_000_000_000

// asApplication is a form by which the application proves itself: by its secret in
// the header, a public one by its name alone.
func (c *Client) asApplication(path string, form url.Values) dialect.Message {
	m := dialect.Message{Method: http.MethodPost, Path: path, Form: form, ID: c.ClientID, Secret: c.ClientSecret}
	if c.ClientSecret.IsZero() {
		form.Set("client_id", c.ClientID)
	}
	return m
}

// Check asks whether the service honours an access token, and returns what it says
// of its bearer. Of the token itself, its scope and its end, it says nothing.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	text, err := c.me(ctx, raw)
	if err != nil {
		return nil, err
	}
	o, err := token.ParseObject(string(text))
	if err != nil {
		return nil, senseless("it does not say who asks")
	}
	return o, nil
}

// Revoke voids a token: by the application, and where the service still honours it
// then, by its number, if that can be known. A token that is not honoured, and no
// application's, is ErrUnknown: it may be a refresh token that lives.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	if !utf8.ValidString(raw.Reveal()) {
		return token.Refuse(token.ErrMalformed, "malformed token: it is not UTF-8")
	}
	if c.ClientID != "" {
		form := url.Values{"token": {raw.Reveal()}}
		if err := c.ask(ctx, c.asApplication(PathRevoke, form), nil); err != nil {
			return grantError(err, token.ErrUnknown)
		}
	}
	user, err := c.whoIs(ctx, raw)
	switch {
	case c.ClientID != "" && err != nil:
		return nil // the answer to the revocation stands
	case errors.Is(err, token.ErrUnknown):
		return token.Refuse(token.ErrUnknown, "the server does not honour that token: it is void, or it is a refresh token, which is revoked with its application's client id")
	case err != nil:
		return err
	}
	return c.deleteOnly(ctx, raw, user)
}

// deleteOnly deletes the token that asks, which the service does not name, where it
// is the only one of its user.
func (c *Client) deleteOnly(ctx context.Context, raw token.Secret, user int64) error {
	if _, err := token.Decode(raw.Reveal()); err == nil { // of another dialect of the service
		return token.Refuse(token.ErrUnsupported, "a JWT is no token that this dialect revokes")
	}
	var page rows
	path := ListPath(PathUsers, user, ListTokens) + "?page_size=2"
	if err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: path, Bearer: raw}, &page); err != nil {
		return err
	}
	var row tokenRow
	if page.Count == 1 && len(page.Results) == 1 && read(page.Results[0], &row) == nil && row.ID > 0 {
		return c.EndLogin(ctx, raw, strconv.FormatInt(row.ID, 10))
	}
	return token.Refuse(token.ErrUnsupported, "the server holds %d tokens of that user, and does not say which of them this one is: it can be revoked by its id", page.Count)
}

// RevokeAll cannot be done: tokens end one by one.
func (c *Client) RevokeAll(context.Context, token.Secret, string) error {
	return token.Refuse(token.ErrUnsupported, "this dialect cannot revoke all tokens of a user at once: list them, and revoke each by its id")
}

// userRow is what is read of a user.
type userRow struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// whoIs is the number of the bearer of a token, or of the actor.
func (c *Client) whoIs(ctx context.Context, bearer token.Secret) (int64, error) {
	text, err := c.me(ctx, bearer)
	if err != nil {
		return 0, err
	}
	var user userRow
	if json.Unmarshal(text, &user) != nil || user.ID < 1 {
		return 0, senseless("it does not say who asks")
	}
	return user.ID, nil
}

// me is what the service says of the bearer, or of the actor.
func (c *Client) me(ctx context.Context, bearer token.Secret) (json.RawMessage, error) {
	var page rows
	if err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: PathMe, Bearer: bearer}, &page); err != nil {
		return nil, err
	}
	if len(page.Results) != 1 {
		return nil, senseless("it does not say who asks")
	}
	return page.Results[0], nil
}

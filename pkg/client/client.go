// Package client obtains, checks and revokes tokens over the network, in the
// dialect of the service it talks to.
//
// It verifies no signature (pkg/verifier does), stores nothing and prints
// nothing. Refusals of a service come back as those of pkg/token, whatever the
// dialect: errors.Is(err, token.ErrCredentials). A service that was not reached
// is an ErrUnreachable.
//
//	c, err := client.New(client.Config{URL: "https://auth.example.org"})
//	...
//	set, err := c.Login(ctx, token.Credentials{Username: "marco", Password: password}, token.Request{})
package client

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ErrUnreachable says that no answer came: the name, the connection, TLS, or
// time running out.
var ErrUnreachable = errors.New("cannot reach the server")

// Config says where the service is and how to get there.
type Config struct {
	// URL of the service, http or https, with or without a path. Required, but
	// where Issuer says it.
	URL string
	// Dialect is the wire it speaks. Default "ats".
	Dialect string
	// Issuer is the oauth2 dialect's service, exactly as it names itself: all else
	// is discovered there (RFC 8414 section 3, OpenID Connect Discovery). Default
	// URL. Other dialects do not look at it.
	Issuer string
	// Tenant is whose users log in in the tapis dialect, and that of a service that
	// mints. Default: the one that the server finds by the URL, or that a token is
	// minted in.
	Tenant string
	// Backend is where a wazo service looks users up. Default the service's choice.
	Backend string
	// ClientID names the application to an oauth2 service. Default none, which few
	// services take. To a ciphertrust service it is what goes with the refresh token
	// that is revoked; by default the service is asked for it. A tapis service gives
	// refresh tokens at a login only to a client with a ClientSecret. In the awx dialect
	// logins go through it; without one they are personal tokens. A wazo service keeps
	// a refresh token for each, by default for "ats-auth".
	ClientID string
	// ClientSecret is the application's password. Default none: a public one.
	ClientSecret token.Secret
	// ClientKey signs an assertion in the place of a password (RFC 7523 section
	// 2.2); ClientKeyID is the kid that it names. Default none.
	ClientKey   crypto.Signer
	ClientKeyID string
	// AuthMethod is how the application proves itself: client_secret_basic,
	// client_secret_post, private_key_jwt, none. Default what it has: the key,
	// else the secret in the way that the service takes, else none.
	AuthMethod string
	// ProofKey binds tokens to a key, of which each request carries a proof (RFC
	// 9449). Default none: whoever has a token can use it.
	ProofKey crypto.Signer
	// Actor is who acts where a bearer is wanted and none is given, by name and
	// password; awx dialect. Default nobody.
	Actor token.Credentials
	// RedirectPort is where the browser's answer to GrantAuthorizationCode is
	// waited for, on 127.0.0.1, path /callback. Default any port that is free (RFC
	// 8252 section 7.3).
	RedirectPort int
	// CACert is a PEM file of the certificates to trust instead of the system's.
	CACert string
	// Cert and Key are PEM files of a client certificate. Default none.
	Cert, Key string
	// Insecure takes any certificate. Danger: whoever stands between reads the
	// password.
	Insecure bool
	// Timeout of one exchange, from name look-up to the last byte. Default 30 s.
	Timeout time.Duration
	// Trace is given each exchange, line by line, secrets masked. Default none.
	Trace func(line string)
	// TraceSecrets lets Trace see the secrets too. Danger: it does just that.
	TraceSecrets bool
	// UserAgent names the program. Default "ats-auth".
	UserAgent string
}

// Client speaks to one service. It is safe for concurrent use.
type Client struct {
	speaker dialect.Client
	url     *url.URL
	issuer  string
}

// speaker makes the client's end of a dialect over an exchange.
type speaker func(Config, dialect.Exchange) (dialect.Client, error)

// speakers are the dialects by name.
func speakers() map[string]speaker {
	return map[string]speaker{
		"ats":    func(_ Config, carry dialect.Exchange) (dialect.Client, error) { return ats.NewClient(carry), nil },
		"awx":    newAWX,
		"oauth2": newOAuth2,
		"ciphertrust": func(c Config, carry dialect.Exchange) (dialect.Client, error) {
			return ciphertrust.NewClient(ciphertrust.Config{Exchange: carry, ClientID: c.ClientID}), nil
		},
		"tapis": func(c Config, carry dialect.Exchange) (dialect.Client, error) {
			return tapis.NewClient(tapis.Config{Exchange: carry, Tenant: c.Tenant, ClientID: c.ClientID, ClientSecret: c.ClientSecret}), nil
		},
		"wazo": func(c Config, carry dialect.Exchange) (dialect.Client, error) {
			return wazo.NewClient(wazo.Config{Exchange: carry, URL: strings.TrimRight(c.URL, "/"), Backend: c.Backend, ClientID: c.ClientID}), nil
		},
	}
}

func newOAuth2(c Config, carry dialect.Exchange) (dialect.Client, error) {
	return oauth2.NewClient(oauth2.Config{
		Exchange: carry, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		ClientKey: c.ClientKey, ClientKeyID: c.ClientKeyID, AuthMethod: c.AuthMethod,
		ProofKey: c.ProofKey, RedirectPort: c.RedirectPort,
	})
}

func newAWX(c Config, carry dialect.Exchange) (dialect.Client, error) {
	return awx.NewClient(awx.Config{
		Exchange: carry, URL: strings.TrimRight(c.URL, "/"), ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Actor: c.Actor, RedirectPort: c.RedirectPort,
	}), nil
}

// Dialects returns the names that Config.Dialect takes.
func Dialects() []string { return slices.Sorted(maps.Keys(speakers())) }

// New makes a Client. It opens no connection; errors name the field that is
// wrong.
func New(c Config) (*Client, error) {
	if c.Dialect == "" {
		c.Dialect = "ats"
	}
	speak, ok := speakers()[c.Dialect]
	if !ok {
		return nil, fmt.Errorf("dialect %q is not one of %s", c.Dialect, strings.Join(Dialects(), ", "))
	}
	if c = c.withIssuer(); c.Issuer != "" {
		c.URL = c.Issuer
	}
	u, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	courier, err := newCourier(c, u)
	if err != nil {
		return nil, err
	}
	speaker, err := speak(c, courier.carry)
	if err != nil {
		return nil, err
	}
	return &Client{speaker: speaker, url: u, issuer: c.Issuer}, nil
}

// withIssuer settles who issues the tokens: nobody who has a name, but in the
// oauth2 dialect.
func (c Config) withIssuer() Config {
	switch {
	case c.Dialect != "oauth2":
		c.Issuer = ""
	case c.Issuer == "":
		c.Issuer = c.URL
	}
	return c
}

// parseURL never says a text back in which a password may stand.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("no server URL")
	case err != nil && !strings.Contains(text, "@") && strings.Contains(text, "://"):
		return nil, fmt.Errorf("server URL: %w", urlProblem(err))
	case strings.Contains(text, "@") && (err != nil || u.User != nil || strings.Contains(u.Opaque, "@")):
		return nil, errors.New("server URL: a user or password does not belong in it")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("server URL: neither ? nor # belongs in it")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, fmt.Errorf("server URL %q does not begin with http:// or https:// and a name", text)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// urlProblem keeps url.Error's reason and drops the text, which may hold a
// password.
func urlProblem(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Loopback reports whether the service is on this machine, by its URL.
func (c *Client) Loopback() bool {
	ip := net.ParseIP(c.url.Hostname())
	return c.url.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Exposed reports whether what is sent can be read on the way: plain http to
// another machine.
func (c *Client) Exposed() bool {
	return c.url.Scheme != "https" && !c.Loopback()
}

// URL is the service's, without a slash at the end.
func (c *Client) URL() string { return c.url.String() }

// Issuer is who issues the tokens in the oauth2 dialect, exactly as it names
// itself, else empty. The first exchange has made sure of it.
func (c *Client) Issuer() string { return c.issuer }

// Login trades credentials for a token: ErrCredentials, ErrThrottled,
// ErrUnavailable, ErrUnreachable; ErrUnsupported when the service cannot give
// what want asks for.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	return c.speaker.Login(ctx, who, want)
}

// Grant asks for a token in one of the ways that token.Grant knows. Where a
// person has to act, in a browser or with a device code, it waits for them, until
// the context ends. ErrUnsupported where the dialect or the service does not know
// the way; ErrDenied when the person, or the service, says no; ErrExpired when
// nobody came in time.
func (c *Client) Grant(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	if granter, ok := c.speaker.(dialect.Granter); ok {
		return granter.Grant(ctx, g, want)
	}
	if g.Type != token.GrantPassword {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect knows no way to a token but a password")
	}
	return c.speaker.Login(ctx, g.Credentials, want)
}

// List returns the logins that the service holds for the bearer of a token.
// ErrUnsupported where the dialect or the service has no way to tell.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	if lister, ok := c.speaker.(dialect.Lister); ok {
		return lister.List(ctx, bearer)
	}
	return nil, token.Refuse(token.ErrUnsupported, "this dialect cannot list logins")
}

// Keys returns what the tokens of a tenant verify with, a JWK set or PEM, and who
// issues them. ErrUnknown for a tenant that there is not; ErrUnsupported where the
// dialect has no tenants with keys of their own, and where anybody on the way could
// put in other keys (Exposed).
func (c *Client) Keys(ctx context.Context, tenant string) (keys []byte, issuer string, err error) {
	publisher, ok := c.speaker.(dialect.Publisher)
	switch {
	case !ok:
		return nil, "", token.Refuse(token.ErrUnsupported, "this dialect publishes no keys of tenants")
	case c.Exposed():
		return nil, "", token.Refuse(token.ErrUnsupported, "keys are taken by https, or from this machine: %s is neither", c.URL())
	}
	return publisher.Keys(ctx, tenant)
}

// Refresh trades a refresh token for a new set. Where the service rotates, the
// old refresh token is void afterwards: keep the new one first.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	return c.speaker.Refresh(ctx, refresh, want)
}

// Check asks whether the service still honours a token, and returns what it
// says of it: ErrRevoked, ErrExpired, ErrUnknown.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	return c.speaker.Check(ctx, raw)
}

// Revoke voids a token. That it was void already is no error.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	return c.speaker.Revoke(ctx, raw)
}

// RevokeAll voids all tokens of a user, in the name of the bearer of a token:
// that user or an admin, else ErrDenied.
func (c *Client) RevokeAll(ctx context.Context, bearer token.Secret, user string) error {
	return c.speaker.RevokeAll(ctx, bearer, user)
}

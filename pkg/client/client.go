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
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ErrUnreachable says that no answer came: the name, the connection, TLS, or
// time running out.
var ErrUnreachable = errors.New("cannot reach the server")

// Config says where the service is and how to get there.
type Config struct {
	// URL of the service, http or https, with or without a path. Required.
	URL string
	// Dialect is the wire it speaks. Default "ats".
	Dialect string
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
}

// speakers are the dialects by name.
func speakers() map[string]func(dialect.Exchange) dialect.Client {
	return map[string]func(dialect.Exchange) dialect.Client{"ats": ats.NewClient}
}

// Dialects returns the names that Config.Dialect takes.
func Dialects() []string { return slices.Sorted(maps.Keys(speakers())) }

// New makes a Client. It opens no connection; errors name the field that is
// wrong.
func New(c Config) (*Client, error) {
	u, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Dialect == "" {
		c.Dialect = "ats"
	}
	speak, ok := speakers()[c.Dialect]
	if !ok {
		return nil, fmt.Errorf("dialect %q is not one of %s", c.Dialect, strings.Join(Dialects(), ", "))
	}
	courier, err := newCourier(c, u)
	if err != nil {
		return nil, err
	}
	return &Client{speaker: speak(courier.carry), url: u}, nil
}

// parseURL never says a text back in which a password may stand.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("no server URL")
	case err != nil && !strings.Contains(text, "@"):
		return nil, fmt.Errorf("server URL: %w", urlProblem(err))
	case err != nil || u.User != nil || strings.Contains(u.Opaque, "@"):
		return nil, errors.New("server URL: a user or password does not belong in it")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("server URL: neither ? nor # belongs in it")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
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

// Exposed reports whether what is sent can be read on the way: plain http to
// another machine.
func (c *Client) Exposed() bool {
	if c.url.Scheme == "https" || c.url.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(c.url.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// URL is the service's, without a slash at the end.
func (c *Client) URL() string { return c.url.String() }

// Login trades credentials for a token: ErrCredentials, ErrThrottled,
// ErrUnavailable, ErrUnreachable; ErrUnsupported when the service cannot give
// what want asks for.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	return c.speaker.Login(ctx, who, want)
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

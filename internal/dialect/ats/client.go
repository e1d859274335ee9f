package ats

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Client is the client's end of the wire, for this project's server and for an
// original one.
type Client struct{ exchange dialect.Exchange }

// NewClient makes a Client over an exchange.
func NewClient(exchange dialect.Exchange) dialect.Client { return &Client{exchange} }

// Login asks for a token. An original service ignores what want holds, and then
// a refresh token that was asked for is ErrUnsupported.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathLogin, JSON: loginBody{
		Username: who.Username, Password: who.Password.Reveal(),
		Refresh: want.Refresh, TTL: want.TTL, RefreshTTL: want.RefreshTTL, Scope: want.Scope,
	}})
	if err != nil {
		return token.Set{}, err
	}
	if r.Status == http.StatusUnauthorized {
		return token.Set{}, token.ErrCredentials
	}
	set, err := readSet(r)
	if err == nil && want.Refresh && set.RefreshToken.IsZero() {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server issues no refresh tokens")
	}
	return set, err
}

// Refresh trades a refresh token for a new set; an original service cannot.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathRefresh, JSON: refreshBody{
		RefreshToken: refresh.Reveal(), TTL: want.TTL,
	}})
	if err != nil {
		return token.Set{}, err
	}
	return readSet(r)
}

// readSet reads the answer to a login or a refresh.
func readSet(r dialect.Reply) (token.Set, error) {
	if err := refusal(r); err != nil {
		return token.Set{}, err
	}
	o, err := r.Object()
	if err != nil {
		return token.Set{}, err
	}
	raw, _ := o.String("token")
	if raw == "" {
		return token.Set{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no token in it")
	}
	set := token.Set{AccessToken: token.NewSecret(raw), TokenType: "Bearer"}
	if refresh, _ := o.String("refresh_token"); refresh != "" {
		set.RefreshToken = token.NewSecret(refresh)
	}
	if at, ok := o.String("expires_at"); ok {
		set.ExpiresAt, _ = time.Parse(time.RFC3339, at)
	}
	if in, ok := o.Raw("expires_in"); ok {
		set.ExpiresIn, _ = strconv.ParseInt(string(in), 10, 64)
	}
	return set, nil
}

// Check asks an own service about a token; an original one cannot tell.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathCheck, Bearer: raw})
	if err != nil {
		return nil, err
	}
	if err := refusal(r); err != nil {
		return nil, err
	}
	return r.Object()
}

// Revoke voids a token.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	return c.command(ctx, dialect.Message{Method: http.MethodPost, Path: pathLogout, Bearer: raw})
}

// RevokeAll voids all tokens of a user. The header is there for an original
// service, which believes it.
func (c *Client) RevokeAll(ctx context.Context, bearer token.Secret, user string) error {
	return c.command(ctx, dialect.Message{
		Method: http.MethodPost, Path: pathLogoutAll, Bearer: bearer, Header: http.Header{userHeader: {user}},
	})
}

func (c *Client) command(ctx context.Context, m dialect.Message) error {
	r, err := c.exchange(ctx, m)
	if err != nil {
		return err
	}
	if err := refusal(r); err != nil {
		return err
	}
	if r.Status != http.StatusNoContent {
		return dialect.Nonsense(r)
	}
	return nil
}

// refusal maps a status to a refusal; nil for a success.
func refusal(r dialect.Reply) error {
	text := errorText(r)
	switch {
	case r.Status >= 200 && r.Status < 300:
		return nil
	case r.Status == http.StatusUnauthorized:
		for _, reason := range reasons {
			if text == reason.word {
				return reason.kind
			}
		}
		return token.Refuse(token.ErrDenied, "the server refused: %s", text)
	case r.Status == http.StatusForbidden:
		return token.Refuse(token.ErrDenied, "not allowed: %s", text)
	case r.Status == http.StatusNotFound && text != notFoundText, r.Status == http.StatusBadRequest:
		return token.Refuse(token.ErrDenied, "the server refused: %s", text)
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many attempts: the server asks to wait", RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: fmt.Sprintf("the server failed: %s", text), RetryAfter: retryAfter(r)}
	case r.Status >= 400:
		return token.Refuse(token.ErrDenied, "the server refused: %s", text)
	}
	return dialect.Nonsense(r)
}

func retryAfter(r dialect.Reply) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// errorText is what the service says of a refusal, in one short line.
func errorText(r dialect.Reply) string {
	text := string(r.Body)
	if o, err := token.ParseObject(text); err == nil {
		if s, ok := o.String("error"); ok {
			text = s
		}
	} else if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
		text = ""
	}
	text = strings.Join(strings.Fields(text), " ")
	if text == "" || len(text) > 200 {
		return fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	return text
}

const notFoundText = "404: Not Found"

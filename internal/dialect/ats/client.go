package ats

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Client is the client's end of the wire, for this project's server and for an
// original one.
type Client struct{ exchange dialect.Exchange }

// NewClient makes a Client over an exchange.
func NewClient(exchange dialect.Exchange) dialect.Client { return &Client{exchange} }

// Login asks for a token. An original service ignores what want holds: what it
// then has not given is ErrUnsupported. So are credentials that JSON cannot
// carry.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	password := who.Password.Reveal()
	if !utf8.ValidString(who.Username) || !utf8.ValidString(password) {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name or password that is not UTF-8")
	}
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathLogin, JSON: loginBody{
		Username: who.Username, Password: password,
		Refresh: want.Refresh, TTL: want.TTL, RefreshTTL: want.RefreshTTL, Scope: want.Scope,
	}})
	if err != nil {
		return token.Set{}, err
	}
	if r.Status == http.StatusUnauthorized {
		return token.Set{}, token.ErrCredentials
	}
	set, err := readSet(r, who.Password)
	if err != nil {
		return token.Set{}, err
	}
	switch {
	case want.Refresh && set.RefreshToken.IsZero():
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server issues no refresh tokens")
	case (want.TTL != 0 || want.Scope != "") && set.ExpiresAt.IsZero():
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server takes no wishes for a lifetime or a scope")
	}
	return set, nil
}

// Refresh trades a refresh token for a new set; an original service cannot, and
// no service of this dialect changes the scope or the end of a login.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	if want.Scope != "" || want.TTL != 0 || want.RefreshTTL != 0 {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot change the scope or the end of a login")
	}
	if !utf8.ValidString(refresh.Reveal()) {
		return token.Set{}, token.Refuse(token.ErrMalformed, "malformed refresh token: it is not UTF-8")
	}
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathRefresh, JSON: refreshBody{
		RefreshToken: refresh.Reveal(),
	}})
	if err != nil {
		return token.Set{}, err
	}
	return readSet(r, refresh)
}

// readSet reads the answer to a login or a refresh.
func readSet(r dialect.Reply, sent token.Secret) (token.Set, error) {
	if err := refusal(r, sent); err != nil {
		return token.Set{}, err
	}
	o, err := r.Object()
	if err != nil {
		return token.Set{}, err
	}
	raw, _ := o.String("token")
	refresh, _ := o.String("refresh_token")
	if raw == "" || !visible(raw) || !visible(refresh) {
		return token.Set{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no token in it")
	}
	set := token.Set{AccessToken: token.NewSecret(raw), TokenType: "Bearer"}
	if refresh != "" {
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

// visible reports whether a token can stand in a header and on a line.
func visible(raw string) bool {
	return !strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c > '~' })
}

// Check asks an own service about a token; an original one cannot tell.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathCheck, Bearer: raw})
	if err != nil {
		return nil, err
	}
	if err := refusal(r, raw); err != nil {
		return nil, err
	}
	o, err := r.Object()
	if err != nil {
		return nil, err
	}
	// A page of something else that is JSON too is no yes.
	if _, ok := o.String("sub"); !ok {
		return nil, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: no claims in it")
	}
	return o, nil
}

// List returns the logins of the bearer; an original service cannot tell.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	r, err := c.exchange(ctx, dialect.Message{Method: http.MethodPost, Path: pathTokens, Bearer: bearer})
	if err != nil {
		return nil, err
	}
	if err := refusal(r, bearer); err != nil {
		return nil, err
	}
	return dialect.ReadLogins(r)
}

// Revoke voids a token. The gateway before an original service refuses one that
// is void already; then there is nothing left to do.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	err := c.command(ctx, dialect.Message{Method: http.MethodPost, Path: pathLogout, Bearer: raw})
	for _, void := range []error{token.ErrRevoked, token.ErrExpired, token.ErrUnknown} {
		if errors.Is(err, void) {
			return nil
		}
	}
	return err
}

// RevokeAll voids all tokens of a user. The header is there for an original
// service, which believes it; the body carries any name.
func (c *Client) RevokeAll(ctx context.Context, bearer token.Secret, user string) error {
	m := dialect.Message{Method: http.MethodPost, Path: pathLogoutAll, Bearer: bearer}
	if user != "" {
		if !utf8.ValidString(user) {
			return token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name that is not UTF-8")
		}
		m.JSON = userBody{user}
		if strings.TrimSpace(user) == user && !strings.ContainsFunc(user, unicode.IsControl) {
			m.Header = http.Header{userHeader: {user}}
		}
	}
	return c.command(ctx, m)
}

func (c *Client) command(ctx context.Context, m dialect.Message) error {
	r, err := c.exchange(ctx, m)
	if err != nil {
		return err
	}
	if err := refusal(r, m.Bearer); err != nil {
		return err
	}
	if r.Status != http.StatusNoContent {
		return dialect.Nonsense(r)
	}
	return nil
}

// refusal maps a status to a refusal; nil for a success. What was sent does not
// come into its text, even where the service says it back.
func refusal(r dialect.Reply, sent token.Secret) error {
	text := errorText(r, sent)
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
	case r.Status == http.StatusNotFound && text == notFoundText, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many attempts: the server asks to wait", RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "the server failed: " + text, RetryAfter: retryAfter(r)}
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

// errorText is what the service says of a refusal, in one short line: not a
// page, and nothing that was sent.
func errorText(r dialect.Reply, sent token.Secret) string {
	text := string(r.Body)
	if o, err := token.ParseObject(text); err == nil {
		text, _ = o.String("error")
	}
	text = strings.Join(strings.Fields(text), " ")
	echo := !sent.IsZero() && strings.Contains(text, sent.Reveal())
	odd := strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) || strings.HasPrefix(text, "<")
	if text == "" || len(text) > 200 || odd || echo {
		return strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)))
	}
	return text
}

const notFoundText = "404: Not Found"

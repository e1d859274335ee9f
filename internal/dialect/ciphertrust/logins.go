package ciphertrust

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Bounds of a list.
const (
	pageSize = 1000
	maxPages = 10_000
)

// List returns the logins of the bearer that are in force, the newest first.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	list, _, err := c.FindLogins(ctx, bearer, token.LoginQuery{})
	return list, err
}

// FindLogins returns the logins that a query means, and how many there are beside
// Skip and Limit. It asks for as many pages as that takes.
func (c *Client) FindLogins(ctx context.Context, bearer token.Secret, q token.LoginQuery) (list []token.Login, total int, err error) {
	current := clientOf(bearer)
	for range maxPages {
		page, err := c.page(ctx, bearer, q, len(list))
		if err != nil {
			return nil, 0, err
		}
		for _, l := range page.Resources {
			list = append(list, l.login(current))
		}
		total = page.Total
		if len(page.Resources) == 0 || q.Skip+len(list) >= total || q.Limit > 0 && len(list) >= q.Limit {
			return list, total, nil
		}
	}
	return nil, 0, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: its list has no end")
}

// page asks for the part of a list that comes after what is there.
func (c *Client) page(ctx context.Context, bearer token.Secret, q token.LoginQuery, have int) (page Page[Login], err error) {
	limit := pageSize
	if q.Limit > 0 {
		limit = min(limit, q.Limit-have)
	}
	v := url.Values{"skip": {strconv.Itoa(q.Skip + have)}, "limit": {strconv.Itoa(limit)}}
	for name, given := range map[string]bool{"expired": q.Expired, "revoked": q.Revoked} {
		if given {
			v.Set(name, "true")
		}
	}
	if len(q.Labels) > 0 {
		v.Set("labels", strings.Join(q.Labels, ","))
	}
	if q.User != "" {
		v.Set("user_id", q.User)
	}
	err = c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: PathTokens + "/?" + v.Encode(), Bearer: bearer}, &page)
	for _, l := range page.Resources {
		if l.ID == "" || !visible(l.ID) {
			return page, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: a login without an id")
		}
	}
	return page, err
}

// GetLogin returns one login.
func (c *Client) GetLogin(ctx context.Context, bearer token.Secret, id string) (token.Login, error) {
	var l Login
	if err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: PathTokens + "/" + url.PathEscape(id), Bearer: bearer}, &l); err != nil {
		return token.Login{}, err
	}
	return l.login(clientOf(bearer)), nil
}

// EndLogin ends one login.
func (c *Client) EndLogin(ctx context.Context, bearer token.Secret, id string) error {
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodDelete, Path: PathTokens + "/" + url.PathEscape(id), Bearer: bearer})
	if err != nil {
		return err
	}
	return refusal(r, bearer)
}

func (c *Client) ask(ctx context.Context, m dialect.Message, answer any) error {
	r, err := c.Exchange(ctx, m)
	if err != nil {
		return err
	}
	return read(r, m.Bearer, answer)
}

// clientOf is the client id that a JWT is of; it tells the login that asks.
func clientOf(bearer token.Secret) string {
	t, err := token.Decode(bearer.Reveal())
	if err != nil {
		return ""
	}
	aud, _ := t.Claims.String("aud")
	return aud
}

// login is what a list says, in our words. An original service may say less.
func (l Login) login(current string) token.Login {
	return token.Login{
		ID: l.ID, Client: l.ClientID, Name: strings.Join(l.Labels, ", "), Door: "ciphertrust", Labels: l.Labels,
		CreatedAt: instant(l.CreatedAt), LastUsedAt: instant(l.LastUsedAt), ExpiresAt: instant(l.ExpiresAt),
		Current: current != "" && l.ClientID == current,
	}
}

// instant reads RFC 3339; what is none is no instant.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

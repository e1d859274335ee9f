package awx

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Grant asks for a token in one of the ways that applications of this dialect are
// registered for.
func (c *Client) Grant(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	switch g.Type {
	case token.GrantPassword:
		return c.Login(ctx, g.Credentials, want)
	case token.GrantClientCredentials, token.GrantAuthorizationCode:
	default:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect knows no such way to a token, only a password, a browser, and an application's own secret")
	}
	if c.ClientID == "" {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "no client id: only an application gets a token that way")
	}
	if err := c.canAsk(&want); err != nil {
		return token.Set{}, err
	}
	if g.Type == token.GrantAuthorizationCode {
		return c.byBrowser(ctx, g, want)
	}
	return c.grant(ctx, url.Values{"grant_type": {token.GrantClientCredentials}}, &want, token.ErrDenied)
}

// byBrowser is the oauth2 dialect's, whose metadata is said here: originals publish
// none. The address that the browser comes back to must be one that the application
// is registered with.
func (c *Client) byBrowser(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	speaker, err := oauth2.NewClient(oauth2.Config{
		Exchange: c.described, Issuer: c.URL, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		RedirectPort: c.RedirectPort, Now: c.Now,
	})
	if err != nil {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "no login in a browser: %v", err)
	}
	return speaker.Grant(ctx, g, want)
}

// described is the Exchange of a service that publishes its metadata.
func (c *Client) described(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
	if m.Method != http.MethodGet || !strings.Contains(m.Path, oauth2.PathMetadata) {
		return c.Exchange(ctx, m)
	}
	body, err := json.Marshal(map[string]string{
		"issuer": c.URL, "authorization_endpoint": c.URL + c.at(PathAuthorize), "token_endpoint": c.URL + c.at(PathToken),
	})
	return dialect.Reply{Status: http.StatusOK, Body: body}, err
}

package oauth2

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Login asks for a token with a user's password (RFC 6749 section 4.3).
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	return c.Grant(ctx, token.Grant{Type: token.GrantPassword, Credentials: who}, want)
}

// Grant asks for a token in one of the ways that token.Grant knows.
func (c *Client) Grant(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	if want.TTL != 0 || want.RefreshTTL != 0 {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot ask for a lifetime")
	}
	switch g.Type {
	case token.GrantPassword:
		return c.byPassword(ctx, g.Credentials, want)
	case token.GrantClientCredentials:
		return c.byItself(ctx, want)
	case token.GrantAuthorizationCode:
		return c.byBrowser(ctx, g, want)
	case token.GrantDeviceCode:
		return c.byDevice(ctx, g, want)
	case token.GrantTokenExchange:
		return c.byExchange(ctx, g, want)
	}
	return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect knows no grant %s", shown(g.Type))
}

func (c *Client) byPassword(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	password := who.Password.Reveal()
	if !utf8.ValidString(who.Username) || !utf8.ValidString(password) {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name or password that is not UTF-8")
	}
	form := url.Values{"grant_type": {token.GrantPassword}, "username": {who.Username}, "password": {password}}
	set, err := c.request(ctx, form, want, "")
	if codeOf(err) == ErrorInvalidGrant {
		return token.Set{}, token.ErrCredentials
	}
	return set, err
}

// byItself asks for a token of the application's own (RFC 6749 section 4.4).
func (c *Client) byItself(ctx context.Context, want token.Request) (token.Set, error) {
	if c.ClientID == "" || c.AuthMethod == AuthNone || c.ClientKey == nil && c.ClientSecret.IsZero() {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "no application to log in as: it takes a client id, and its secret or key")
	}
	return c.request(ctx, url.Values{"grant_type": {token.GrantClientCredentials}}, want, "")
}

// byExchange trades a token for another (RFC 8693 section 2.1).
func (c *Client) byExchange(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	if g.Subject.IsZero() {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "no subject token to exchange")
	}
	form := url.Values{
		"grant_type":           {token.GrantTokenExchange},
		"requested_token_type": {TypeAccessToken},
		"subject_token":        {g.Subject.Reveal()},
		"subject_token_type":   {c.typeOf(g.Subject)},
	}
	if !g.Actor.IsZero() {
		form.Set("actor_token", g.Actor.Reveal())
		form.Set("actor_token_type", c.typeOf(g.Actor))
	}
	return c.request(ctx, form, want, "")
}

// typeOf is what kind of token one is to the service: an access token, unless
// somebody else issued it.
func (c *Client) typeOf(raw token.Secret) string {
	if t, err := token.Decode(raw.Reveal()); err == nil && t.Claims.Issuer() != c.Issuer {
		return TypeJWT
	}
	return TypeAccessToken
}

// Refresh trades a refresh token for a new set (RFC 6749 section 6), with a
// narrower scope if want says one. A service that does not rotate gives no new
// refresh token: then the old one goes on.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	if want.TTL != 0 || want.RefreshTTL != 0 {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot ask for a lifetime")
	}
	if !utf8.ValidString(refresh.Reveal()) {
		return token.Set{}, token.Refuse(token.ErrMalformed, "malformed refresh token: it is not UTF-8")
	}
	want.Refresh = false // that there is none is no fault here
	set, err := c.request(ctx, url.Values{"grant_type": {token.GrantRefreshToken}, "refresh_token": {refresh.Reveal()}}, want, "")
	if err == nil && set.RefreshToken.IsZero() {
		set.RefreshToken = refresh
	}
	return set, err
}

// request asks the token endpoint, with what is wanted added to a form.
func (c *Client) request(ctx context.Context, form url.Values, want token.Request, nonce string) (token.Set, error) {
	if err := addWishes(form, want); err != nil {
		return token.Set{}, err
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return token.Set{}, err
	}
	if err := need(m.token, "token_endpoint"); err != nil {
		return token.Set{}, err
	}
	r, err := c.post(ctx, m, m.token, form, true)
	if err != nil {
		return token.Set{}, err
	}
	if form.Get("grant_type") == token.GrantTokenExchange {
		if err := checkIssuedType(r); err != nil {
			return token.Set{}, err
		}
	}
	return c.readSet(r, want, nonce)
}

// checkIssuedType wants a token that gives access (RFC 8693 section 2.2.1).
func checkIssuedType(r dialect.Reply) error {
	o, err := r.Object()
	if err != nil {
		return err
	}
	if kind, _ := o.String("issued_token_type"); kind != TypeAccessToken && kind != TypeJWT {
		return senseless("an issued_token_type of %s", shown(kind))
	}
	return nil
}

// addWishes adds scope and resources. Where a person was asked before, the scope
// is settled; the resources may be named again (RFC 8707 section 2.2).
func addWishes(form url.Values, want token.Request) error {
	grant := form.Get("grant_type")
	if strings.ContainsFunc(want.Scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return token.Refuse(token.ErrUnsupported, "no scope holds characters like those of %+q", want.Scope)
	}
	if want.Scope != "" && grant != token.GrantDeviceCode && grant != token.GrantAuthorizationCode {
		form.Set("scope", want.Scope)
	}
	for _, r := range want.Resources {
		u, err := url.Parse(r)
		switch absolute := err == nil && u.IsAbs() && !strings.Contains(r, "#"); {
		case absolute:
			form.Add("resource", r)
		case grant == token.GrantTokenExchange && r != "" && utf8.ValidString(r):
			form.Add("audience", r) // a name that both sides know (RFC 8693 section 2.1)
		default:
			return token.Refuse(token.ErrUnsupported, "the resource %+q is no absolute URI without a fragment", r)
		}
	}
	return nil
}

// needID wants a name of the application, without which nobody can be asked to
// let it in.
func (c *Client) needID() error {
	if c.ClientID == "" {
		return token.Refuse(token.ErrUnsupported, "no client id: the service asks people by it whom to let in")
	}
	return nil
}

package client

import (
	"context"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// FindLogins returns the logins that a query means, for the bearer of a token, and
// how many there are beside Skip and Limit: ErrDenied for another user's,
// ErrUnsupported where the dialect cannot choose.
func (c *Client) FindLogins(ctx context.Context, bearer token.Secret, q token.LoginQuery) (list []token.Login, total int, err error) {
	keeper, err := c.keeper()
	if err != nil {
		return nil, 0, err
	}
	return keeper.FindLogins(ctx, bearer, q)
}

// GetLogin returns one login by its ID: ErrUnknown when the bearer has none of it.
func (c *Client) GetLogin(ctx context.Context, bearer token.Secret, id string) (token.Login, error) {
	keeper, err := c.keeper()
	if err != nil {
		return token.Login{}, err
	}
	return keeper.GetLogin(ctx, bearer, id)
}

// EndLogin ends one login by its ID: ErrUnknown when the bearer has none of it.
func (c *Client) EndLogin(ctx context.Context, bearer token.Secret, id string) error {
	keeper, err := c.keeper()
	if err != nil {
		return err
	}
	return keeper.EndLogin(ctx, bearer, id)
}

// EditLogin changes one login by its ID, and returns it as it is then: ErrUnknown
// when the bearer has none of it, ErrUnsupported where logins cannot be changed.
func (c *Client) EditLogin(ctx context.Context, bearer token.Secret, id string, change token.LoginChange) (token.Login, error) {
	if editor, ok := c.speaker.(dialect.LoginEditor); ok {
		return editor.EditLogin(ctx, bearer, id, change)
	}
	return token.Login{}, token.Refuse(token.ErrUnsupported, "this dialect cannot change a token or a login")
}

func (c *Client) keeper() (dialect.LoginKeeper, error) {
	if keeper, ok := c.speaker.(dialect.LoginKeeper); ok {
		return keeper, nil
	}
	return nil, token.Refuse(token.ErrUnsupported, "this dialect knows no logins by their ids")
}

// RevokeWith ends the login of a refresh token for who knows the password of its
// user: ErrCredentials, ErrUnknown; ErrUnsupported where the dialect has no such
// thing.
func (c *Client) RevokeWith(ctx context.Context, refresh token.Secret, who token.Credentials) error {
	if revoker, ok := c.speaker.(dialect.PasswordRevoker); ok {
		return revoker.RevokeWith(ctx, refresh, who)
	}
	return token.Refuse(token.ErrUnsupported, "this dialect cannot revoke by a password")
}

// ListProperties returns the settings of a service that an administrator changes,
// by name, in the name of one: else ErrDenied.
func (c *Client) ListProperties(ctx context.Context, bearer token.Secret) ([]token.Property, error) {
	p, err := c.properties()
	if err != nil {
		return nil, err
	}
	return p.ListProperties(ctx, bearer)
}

// GetProperty returns one of them: ErrUnknown when there is none of that name.
func (c *Client) GetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error) {
	p, err := c.properties()
	if err != nil {
		return token.Property{}, err
	}
	return p.GetProperty(ctx, bearer, name)
}

// SetProperty sets one of them.
func (c *Client) SetProperty(ctx context.Context, bearer token.Secret, name, value string) (token.Property, error) {
	p, err := c.properties()
	if err != nil {
		return token.Property{}, err
	}
	return p.SetProperty(ctx, bearer, name, value)
}

// ResetProperty makes one of them one that is not set.
func (c *Client) ResetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error) {
	p, err := c.properties()
	if err != nil {
		return token.Property{}, err
	}
	return p.ResetProperty(ctx, bearer, name)
}

func (c *Client) properties() (dialect.Properties, error) {
	if p, ok := c.speaker.(dialect.Properties); ok {
		return p, nil
	}
	return nil, token.Refuse(token.ErrUnsupported, "this dialect has no properties")
}

package client

import (
	"context"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ListApplications returns the applications of a service that the bearer of a token
// may see. ErrUnsupported where the dialect has none to manage.
func (c *Client) ListApplications(ctx context.Context, bearer token.Secret) ([]*token.Application, error) {
	a, err := c.applications()
	if err != nil {
		return nil, err
	}
	return a.ListApplications(ctx, bearer)
}

// GetApplication returns one of them by its ID: ErrUnknown when there is none.
func (c *Client) GetApplication(ctx context.Context, bearer token.Secret, id string) (*token.Application, error) {
	a, err := c.applications()
	if err != nil {
		return nil, err
	}
	return a.GetApplication(ctx, bearer, id)
}

// CreateApplication makes one, and returns it with its ClientID and, this once, its
// ClientSecret: ErrDenied without the right to, or when the service does not take it.
func (c *Client) CreateApplication(ctx context.Context, bearer token.Secret, wanted *token.Application) (*token.Application, error) {
	a, err := c.applications()
	if err != nil {
		return nil, err
	}
	return a.CreateApplication(ctx, bearer, wanted)
}

// DeleteApplication deletes one by its ID, and with it all of its tokens.
func (c *Client) DeleteApplication(ctx context.Context, bearer token.Secret, id string) error {
	a, err := c.applications()
	if err != nil {
		return err
	}
	return a.DeleteApplication(ctx, bearer, id)
}

func (c *Client) applications() (dialect.Applications, error) {
	if a, ok := c.speaker.(dialect.Applications); ok {
		return a, nil
	}
	return nil, token.Refuse(token.ErrUnsupported, "this dialect has no applications to manage")
}

package client

import (
	"context"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// RevokeRefresh voids a refresh token, by Revoke where the dialect knows no
// difference: ErrUnknown for one that is void already, where the service says so.
func (c *Client) RevokeRefresh(ctx context.Context, refresh token.Secret) error {
	if revoker, ok := c.speaker.(dialect.RefreshRevoker); ok {
		return revoker.RevokeRefresh(ctx, refresh)
	}
	return c.speaker.Revoke(ctx, refresh)
}

// CheckAccess asks whether the service honours a token, ErrUnknown, and whether it
// gives that access, ErrDenied; empty access: the first alone. ErrUnsupported where
// the dialect has no such question.
func (c *Client) CheckAccess(ctx context.Context, raw token.Secret, access string) error {
	if checker, ok := c.speaker.(dialect.AccessChecker); ok {
		return checker.CheckAccess(ctx, raw, access)
	}
	return token.Refuse(token.ErrUnsupported, "this dialect does not judge what a token gives access to")
}

// Backends returns the names of where the service looks users up: ErrUnsupported
// where the dialect has none.
func (c *Client) Backends(ctx context.Context) ([]string, error) {
	if checker, ok := c.speaker.(dialect.AccessChecker); ok {
		return checker.Backends(ctx)
	}
	return nil, token.Refuse(token.ErrUnsupported, "this dialect has no backends")
}

// ListSessions returns the sessions of the bearer's user, each of which ends with its
// access token. Client is the address that one was made from and Name the program
// that made it, where the service tells. ErrUnsupported where the dialect has none apart from logins.
func (c *Client) ListSessions(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	if keeper, ok := c.speaker.(dialect.SessionKeeper); ok {
		return keeper.ListSessions(ctx, bearer)
	}
	return nil, noSessions()
}

// EndSession ends one session by its ID: ErrUnknown when the bearer has none of it.
func (c *Client) EndSession(ctx context.Context, bearer token.Secret, id string) error {
	if keeper, ok := c.speaker.(dialect.SessionKeeper); ok {
		return keeper.EndSession(ctx, bearer, id)
	}
	return noSessions()
}

func noSessions() error {
	return token.Refuse(token.ErrUnsupported, "this dialect has no sessions apart from logins")
}

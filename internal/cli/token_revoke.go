package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenRevoke() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke TOKEN... | -", Short: "Revoke tokens",
		Long: `Revoke tokens: the server refuses them from now on. With - every line of
standard input is a token. One that cannot be revoked does not keep the others
from it; the exit code is that of the first such. An oauth2 server takes refresh
tokens too, and ends the login with them.`,
		Example: `  ats-auth token revoke "$TOKEN"
  ats-auth token revoke - < tokens.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.runTokenRevoke(c.Context(), args) },
	}
	a.applicationFlags(c)
	return c
}

func (a *app) runTokenRevoke(ctx context.Context, args []string) error {
	if err := a.load(); err != nil {
		return err
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	code := 0
	revoke := func(_ int, raw string) error {
		err := a.revokeOne(ctx, service, raw)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c := a.report(err); c != 0 && code == 0 {
			code = c
		}
		return nil
	}
	if len(args) == 1 && args[0] == "-" {
		err = a.eachLine(revoke)
	} else {
		for i, raw := range args {
			err = errors.Join(err, revoke(i, bare(raw)))
		}
	}
	if err == nil && code != 0 {
		return &reported{code}
	}
	return err
}

func (a *app) revokeOne(ctx context.Context, service *client.Client, raw string) error {
	decoded, err := token.Decode(raw)
	switch {
	case err == nil:
		a.say(levelInfo, "Logging out user %s", safe(decoded.Claims.Subject()))
	case a.dialect() == "ats": // which has no tokens but such
		return err
	}
	if err := service.Revoke(ctx, token.NewSecret(raw)); err != nil {
		return err
	}
	a.say(levelInfo, "Token revoked.")
	return nil
}

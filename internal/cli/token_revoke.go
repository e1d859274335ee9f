package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenRevoke() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use: "revoke TOKEN... | -", Short: "Revoke tokens",
		Long: `Revoke tokens: the server refuses them from now on. With - every line of
standard input is a token. One that cannot be revoked does not keep the others
from it; the exit code is that of the first such. An oauth2 server takes refresh
tokens too, and ends the login with them.

--refresh-token or --refresh-token-file names one in the place of an argument. A
CipherTrust server takes refresh tokens alone, with the --client-id that came with
it, or with --username and the password. A Wazo server takes access tokens; a refresh
token is named by the flags, with its --client-id, or ended by token delete. An AWX server takes tokens of an
application with its --client-id; a personal one it deletes by --id, as token delete
does, and by its value where it is the saved login or the only one of its user.`,
		Example: `  ats-auth token revoke "$TOKEN"
  ats-auth token revoke - < tokens.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case id == "":
				return a.runTokenRevoke(c.Context(), args)
			case len(args) > 0:
				return command.Usage("--id and a token exclude each other")
			}
			return a.runTokenDelete(c.Context(), id)
		},
	}
	a.later(c, func() {
		c.Flags().Var((*once)(&id), "id", "the `ID` that token list shows, instead of the token; awx, ciphertrust and wazo dialects")
		a.applicationFlags(c)
		a.settingFlags(c.Flags(), "refresh_token", "refresh_token_file")
		a.credentialFlags(c.Flags())
	})
	return c
}

func (a *app) runTokenRevoke(ctx context.Context, args []string) error {
	if err := a.load(); err != nil {
		return err
	}
	args, err := a.withGivenRefresh(args)
	if err != nil {
		return err
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	if _, named := a.set["username"]; named {
		return a.revokeWith(ctx, service, args)
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

// refreshNamed reports whether a flag names a refresh token.
func (a *app) refreshNamed() bool {
	_, given := a.set["refresh_token"]
	_, file := a.set["refresh_token_file"]
	return given || file
}

// withGivenRefresh adds the refresh token that a flag names to the arguments.
func (a *app) withGivenRefresh(args []string) ([]string, error) {
	switch {
	case a.refreshNamed():
		refresh, err := a.refreshToken(a.refreshFile())
		if err != nil || len(args) == 0 {
			return []string{refresh.Reveal()}, err
		}
		return nil, command.Usage("--refresh-token and arguments exclude each other")
	case len(args) == 0:
		return nil, &command.UsageError{
			Problem: "an argument is missing; usage: ats-auth token revoke TOKEN... | -", Hint: "ats-auth help token revoke",
		}
	}
	return args, nil
}

// revokeWith revokes a refresh token by the password of its user.
func (a *app) revokeWith(ctx context.Context, service *client.Client, args []string) error {
	if len(args) != 1 || args[0] == "-" {
		return command.Usage("--username goes with one refresh token")
	}
	user, err := a.username("")
	if err != nil {
		return err
	}
	password, err := a.password(ctx, user)
	if err != nil {
		return err
	}
	if err := service.RevokeWith(ctx, token.NewSecret(bare(args[0])), token.Credentials{Username: user, Password: password}); err != nil {
		return err
	}
	a.say(levelInfo, "Token revoked.")
	return nil
}

func (a *app) revokeOne(ctx context.Context, service *client.Client, raw string) error {
	decoded, err := token.Decode(raw)
	switch {
	case err == nil && a.dialect() == "tapis": // where the others of the login stay good
		a.say(levelInfo, "Revoking a token of %s", safe(decoded.Claims.Subject()))
	case err == nil:
		a.say(levelInfo, "Logging out user %s", safe(decoded.Claims.Subject()))
	case a.dialect() == "ats" && !isUUID(raw): // which has no tokens but such, beside those of the wazo door
		return err
	}
	void := a.revokeToken
	if a.refreshNamed() && a.dialect() == "wazo" {
		void = func(ctx context.Context, service *client.Client, raw token.Secret) error {
			return service.RevokeRefresh(ctx, raw)
		}
	}
	if err := void(ctx, service, token.NewSecret(raw)); err != nil {
		return err
	}
	a.say(levelInfo, "Token revoked.")
	return nil
}

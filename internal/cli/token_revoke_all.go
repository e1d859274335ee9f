package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenRevokeAll() *cobra.Command {
	var user string
	c := &cobra.Command{
		Use: "revoke-all", Short: "Revoke all tokens of a user", Args: cobra.NoArgs,
		Long: `Revoke all tokens of a user, after a change of password say. It is done in the
name of ATS_AUTH_TOKEN, else of the saved login, else after a login with the usual
credentials, which may be typed instead; acting for another user needs an admin. In the oauth2 dialect ats-auth-server wants a token
of the scope account.`,
		Example: `  ats-auth token revoke-all --as-user marco
  ats-auth token revoke-all --username admin --as-user marco`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := notEmpty(c, "as-user"); err != nil {
				return err
			}
			return a.runTokenRevokeAll(c.Context(), user)
		},
	}
	a.later(c, func() {
		c.Flags().StringVar(&user, "as-user", "", "the `USER` whose tokens to revoke (default: user in the [session] of the configuration, else yourself)")
		a.credentialFlags(c.Flags())
		a.grantFlags(c)
		a.applicationFlags(c)
	})
	return c
}

func (a *app) runTokenRevokeAll(ctx context.Context, user string) error {
	if err := a.load(); err != nil {
		return err
	}
	service, bearer, err := a.actor(ctx, user)
	if err != nil {
		return err
	}
	if user == "" {
		if user, err = a.ownName(bearer); err != nil {
			return err
		}
	}
	if err := service.RevokeAll(ctx, bearer, user); err != nil {
		return err
	}
	a.say(levelInfo, "All tokens revoked.")
	return nil
}

// actor makes a client and finds the token to act with: ATS_AUTH_TOKEN, else one
// of the saved login, unless credentials were typed, which may be another's, else one
// of a new login. Without another name that is the login of who is acted for. In the awx
// dialect the token is zero where it is name and password that act.
func (a *app) actor(ctx context.Context, user string) (*client.Client, token.Secret, error) {
	if !a.typedCredentials() && (!a.profile.Value("token").IsZero() || a.saved.err == nil && a.profile.LoginFile != "") {
		service, err := a.newClient()
		if err != nil {
			return nil, token.Secret{}, err
		}
		set, err := a.actingToken(ctx)
		return service, set.AccessToken, err
	}
	grant, err := a.chooseGrant()
	if err != nil {
		return nil, token.Secret{}, err
	}
	if a.dialect() == "awx" && grant == token.GrantPassword {
		service, err := a.actAWX(ctx, user)
		return service, token.Secret{}, err
	}
	service, err := a.newClient()
	if err != nil {
		return nil, token.Secret{}, err
	}
	var want token.Request
	switch a.dialect() {
	case "oauth2":
		want = a.wanted()
	case "wazo":
		want.TTL = actingTTL
	}
	set, err := a.obtain(ctx, service, grant, user, want)
	if err == nil && a.dialect() == "wazo" {
		a.acting = func(ctx context.Context) error { return service.Revoke(ctx, set.AccessToken) }
	}
	return service, set.AccessToken, err
}

// typedCredentials reports whether this command line says who is to log in.
func (a *app) typedCredentials() bool {
	for _, name := range []string{"username", "password", "password_file", "password_command", "grant"} {
		if _, typed := a.set[name]; typed {
			return true
		}
	}
	return a.flags.passwordStdin || a.flags.device || a.flags.web
}

// ownName is the user in the configuration, else the one that a token names.
func (a *app) ownName(bearer token.Secret) (string, error) {
	for _, v := range a.profile.Candidates("username") {
		if v.Origin() == profile.File || v.Origin() == profile.FileProfile {
			return v.Reveal(), nil
		}
	}
	decoded, err := token.Decode(bearer.Reveal())
	if err != nil && a.dialect() == "ats" {
		return "", err
	}
	if err != nil {
		return "", nil // the bearer, whoever that is
	}
	return decoded.Claims.Subject(), nil
}

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
name of ATS_AUTH_TOKEN, or after a login with the usual credentials; acting for
another user needs an admin. In the oauth2 dialect ats-auth-server wants a token
of the scope account.`,
		Example: `  ats-auth token revoke-all --as-user marco
  ats-auth token revoke-all --username admin --as-user marco`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runTokenRevokeAll(c.Context(), user) },
	}
	c.Flags().StringVar(&user, "as-user", "", "the `USER` whose tokens to revoke (default: user in the [session] of the configuration, else yourself)")
	a.credentialFlags(c.Flags())
	a.grantFlags(c)
	a.applicationFlags(c)
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
// of a login. Without another name the login is the one of who is acted for.
func (a *app) actor(ctx context.Context, user string) (*client.Client, token.Secret, error) {
	given := a.profile.Value("token")
	grant := ""
	if given.IsZero() {
		var err error
		if grant, err = a.chooseGrant(); err != nil {
			return nil, token.Secret{}, err
		}
	}
	service, err := a.newClient()
	if err != nil {
		return nil, token.Secret{}, err
	}
	if !given.IsZero() {
		return service, token.NewSecret(given.Reveal()), nil
	}
	var want token.Request
	if a.dialect() == "oauth2" {
		want = a.wanted()
	}
	set, err := a.obtain(ctx, service, grant, user, want)
	return service, set.AccessToken, err
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

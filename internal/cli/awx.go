package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// What AWX alone has: tokens that are rows with a number, personal ones too, which
// are a login in themselves.

func descriptionFlag(c *cobra.Command) {
	c.Flags().String("description", "", "what the token is for, in `WORDS`; awx dialect, personal tokens")
}

// wishAWX puts the description into a request, and refuses, before anybody is asked
// for a password, what that dialect cannot be asked for.
func (a *app) wishAWX(c *cobra.Command, want *token.Request) error {
	var err error
	said := c.Flags().Changed("description")
	if want.Description, err = c.Flags().GetString("description"); err != nil {
		return err
	}
	switch {
	case a.dialect() != "awx" && said:
		return token.Refuse(token.ErrUnsupported, "the %s dialect cannot ask for that: --description", safe(a.dialect()))
	case a.dialect() != "awx":
	case want.TTL != 0 || want.RefreshTTL != 0:
		return token.Refuse(token.ErrUnsupported, "an AWX server decides how long a token lives")
	case said && !a.personal():
		return token.Refuse(token.ErrUnsupported, "only a personal token has a --description, not one of an application: token edit gives it one")
	case want.Refresh && a.personal():
		return &configError{problem: "a personal token has no refresh token: give --client-id for one of an application", hint: "ats-auth help dialects"}
	}
	return nil
}

// personal reports whether tokens are asked for that are no application's.
func (a *app) personal() bool { return a.dialect() == "awx" && a.profile.Value("client_id").IsZero() }

// checkAWXGrant refuses a way that no application of AWX is registered for.
func (a *app) checkAWXGrant(grant string) error {
	if grant != token.GrantClientCredentials && grant != token.GrantAuthorizationCode {
		return token.Refuse(token.ErrUnsupported, "the awx dialect knows no way to a token but password, web and client-credentials, not %s", nameOf(grant))
	}
	return nil
}

// checkAWXCheck refuses to demand what an AWX server does not say of a token.
func (a *app) checkAWXCheck(least time.Duration, scopes []string) error {
	if a.dialect() == "awx" && (least != 0 || strings.Join(scopes, "") != "") {
		return token.Refuse(token.ErrUnsupported, "an AWX server does not say the scope or the end of a token by its value: token show --id asks by its id")
	}
	return nil
}

// identifyAWX puts into a client's configuration what that dialect needs.
func (a *app) identifyAWX(c *client.Config) (err error) {
	c.ClientID, c.RedirectPort = a.profile.Value("client_id").Reveal(), a.profile.Value("redirect_port").Port()
	c.ClientSecret, err = a.clientSecret()
	return err
}

// actAWX makes a client that acts by name and password: a token made for one
// command would stay for a thousand years.
func (a *app) actAWX(ctx context.Context, user string) (*client.Client, error) {
	name, err := a.username(user)
	if err != nil {
		return nil, err
	}
	if strings.Contains(name, ":") {
		return nil, token.Refuse(token.ErrUnsupported, "the awx dialect cannot carry a user name with a colon in it")
	}
	password, err := a.password(ctx, name)
	if err != nil {
		return nil, err
	}
	return a.newClientWith(func(c *client.Config) { c.Actor = token.Credentials{Username: name, Password: password} })
}

// keepPersonal puts a personal token where a login is saved: in the place of the
// refresh token that it has not.
func (a *app) keepPersonal(set *token.Set) {
	if a.dialect() == "awx" && set.LoginID != "" {
		set.RefreshToken = set.AccessToken
	}
}

// askPersonal is what a refresh is for a personal token: it stays as it is, and the
// server is asked whether it honours it.
func (a *app) askPersonal(ctx context.Context, service *client.Client, login session.Login, want token.Request) (token.Set, error) {
	if want.Scope != "" || want.Refresh {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "a personal token cannot be traded for another: token create makes one")
	}
	a.say(levelStory, "Asking whether the token is honoured...")
	if _, err := service.Check(ctx, login.RefreshToken); err != nil {
		return token.Set{}, a.ended(err)
	}
	set := token.Set{AccessToken: login.RefreshToken, TokenType: "Bearer", LoginID: login.LoginID}
	if set.ExpiresAt = login.ExpiresAt; !set.ExpiresAt.IsZero() {
		set.ExpiresIn = max(0, secondsUntil(set.ExpiresAt, a.Now()))
	}
	a.cache(login, set)
	return set, nil
}

// endPersonal has a personal token delete itself.
func (a *app) endPersonal(ctx context.Context, service *client.Client, login session.Login) error {
	err := service.EndLogin(ctx, login.RefreshToken, login.LoginID)
	if errors.Is(err, token.ErrDenied) {
		return &hinted{
			token.Refuse(token.ErrUnsupported, "a token that may not write cannot delete itself"),
			"ats-auth token revoke --id " + safe(login.LoginID) + " --username NAME",
		}
	}
	return err
}

// revokeToken revokes a token by its value, and the saved one by its number.
func (a *app) revokeToken(ctx context.Context, service *client.Client, raw token.Secret) error {
	if l := a.saved.login; l.LoginID != "" && l.RefreshToken.Reveal() == raw.Reveal() && a.bound(l) == nil {
		return a.endPersonal(ctx, service, l)
	}
	return service.Revoke(ctx, raw)
}

// controllerHost is the server as the awx command wants it.
func (a *app) controllerHost() string {
	return strings.TrimSuffix(strings.TrimRight(a.profile.Value(a.address()).Reveal(), "/"), "/api")
}

// checkID refuses what cannot be the id of a token of AWX.
func (a *app) checkID(id string) error {
	if a.dialect() == "awx" && strings.Trim(id, "0123456789") != "" {
		return command.Usage("--id is a number in the awx dialect: token list shows it")
	}
	return nil
}

// tokenRecord is a token that is a row.
func tokenRecord(l token.Login) record {
	return record{
		{"id", l.ID},
		{"user", l.User},
		{"application", l.Client},
		{"description", l.Name},
		{"scope", l.Scope},
		{"created_at", stamp(l.CreatedAt)},
		{"expires_at", stamp(l.ExpiresAt)},
	}
}

func tokenColumns() []string {
	var names []string
	for _, f := range tokenRecord(token.Login{}) {
		names = append(names, f.name)
	}
	return names
}

// printTokenTable prints what a person wants to know.
func (a *app) printTokenTable(tokens []token.Login) error {
	list := make([]record, len(tokens))
	for i, t := range tokens {
		r := tokenRecord(t)
		list[i] = append(r[:5:5], field{"created", a.age(t.CreatedAt)}, field{"expires", a.age(t.ExpiresAt)})
	}
	return a.printList(list)
}

func (a *app) tokenEdit() *cobra.Command {
	var id, scope, description string
	c := &cobra.Command{
		Use: "edit --id ID", Short: "Change the scope or the description of a token", Args: cobra.NoArgs,
		Long: `Change the scope or the description of a token, by the id that token list shows.
The token stays the same. It is done in the name of ATS_AUTH_TOKEN, else of the
saved login, else by name and password; a token of the scope read changes nothing.
Only the awx dialect has this.`,
		Example: `  ats-auth token edit --id 4 --scope read
  ats-auth token edit --id 4 --description 'nightly report'`,
		RunE: func(c *cobra.Command, _ []string) error {
			var change token.LoginChange
			if c.Flags().Changed("scope") {
				change.Scope = &scope
			}
			if c.Flags().Changed("description") {
				change.Description = &description
			}
			switch {
			case id == "":
				return command.Usage("--id is missing: token list shows the ids")
			case change == token.LoginChange{}:
				return command.Usage("nothing to change: give --scope or --description")
			}
			return a.runTokenEdit(c.Context(), id, change)
		},
	}
	a.later(c, func() {
		c.Flags().Var((*once)(&id), "id", "the `ID` of the token")
		c.Flags().StringVar(&scope, "scope", "", "`SCOPE` that it is to have, read or write")
		c.Flags().StringVar(&description, "description", "", "what it is for, in `WORDS`")
		a.credentialFlags(c.Flags())
	})
	return c
}

func (a *app) runTokenEdit(ctx context.Context, id string, change token.LoginChange) error {
	if err := a.load(); err != nil {
		return err
	}
	if a.dialect() != "awx" {
		return token.Refuse(token.ErrUnsupported, "the %s dialect cannot change a token", safe(a.dialect()))
	}
	if err := a.checkID(id); err != nil {
		return err
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	if _, err := service.EditLogin(ctx, bearer, id, change); err != nil {
		return err
	}
	a.say(levelInfo, "Token %s changed.", safe(id))
	return nil
}

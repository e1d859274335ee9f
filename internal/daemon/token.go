package daemon

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Make tokens for users"}
	c.AddCommand(a.tokenCreate())
	return c
}

// tokenFlags are what a personal token is made from.
type tokenFlags struct {
	user, tenant string
	scopes       []string
	description  string
}

func (a *app) tokenCreate() *cobra.Command {
	var f tokenFlags
	c := a.formatFlag(&cobra.Command{
		Use: "create --user NAME", Short: "Make a personal token of a user for the awx door, and print it",
		Long: `Make a personal token of a user for the awx door, which must be one of [server]
dialects, and print its value, this once. What the user may do there, whoever
has it may: with the scope write, or with the scope read no more than look. The
user's password is not asked for. revoke --user, and the user's own clients,
void it.`,
		Example: "  ats-auth-server token create --user marco --scope read --description 'for the dashboard'",
		RunE: func(c *cobra.Command, _ []string) error {
			if f.user == "" {
				return command.Usage("token create: whose? --user NAME")
			}
			return a.with(c.Context(), func(s *server.Server) error { return a.createToken(c.Context(), s, f) })
		},
	})
	c.Flags().StringVar(&f.user, "user", "", "the user's `NAME`")
	a.runAsFlag(c)
	c.Flags().StringVar(&f.tenant, "tenant", store.DefaultTenant, "the `TENANT` of the user")
	c.Flags().StringArrayVar(&f.scopes, "scope", []string{"write"}, "allow a `SCOPE`: read, or write, which holds read")
	c.Flags().StringVar(&f.description, "description", "", "say what it is for, a `TEXT` of up to 200 characters")
	return c
}

func (a *app) createToken(ctx context.Context, s *server.Server, f tokenFlags) error {
	if err := users().known(ctx, s, f.tenant, f.user); err != nil {
		return err
	}
	scope := strings.Join(strings.Fields(strings.Join(f.scopes, " ")), " ")
	value, err := s.CreatePersonalToken(ctx, f.tenant, f.user, scope, f.description)
	if errors.Is(err, server.ErrValue) {
		return &command.UsageError{Problem: err.Error()}
	}
	if err != nil {
		return err
	}
	a.say("a personal token of %s; its value is shown this once: keep it", f.user)
	object := struct {
		Token string `json:"token"`
		User  string `json:"user"`
		Scope string `json:"scope"`
	}{value.Reveal(), f.user, scope}
	return a.answer(object, value.Reveal()+"\n")
}

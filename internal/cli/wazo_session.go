package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) sessionCommand() *cobra.Command {
	c := &cobra.Command{Use: "session", Aliases: []string{"sessions"}, Short: "List and revoke the sessions of a Wazo server"}
	list := &cobra.Command{
		Use: "list", Short: "List your sessions", Args: cobra.NoArgs,
		Long: `List your sessions, each of which is an access token that lives. It is done in the
name of ATS_AUTH_TOKEN, else of the saved login, else by name and password. The
columns for -c are:

  ` + strings.Join(sessionColumns(), ", ") + `

Only the wazo dialect has sessions apart from logins.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runSessionList(c.Context()) },
	}
	revoke := &cobra.Command{
		Use: "revoke UUID...", Short: "Revoke sessions", Args: cobra.MinimumNArgs(1),
		Long: `Revoke sessions by the UUIDs that session list shows: the server refuses their access
tokens from now on. A refresh token is ended by token delete. It is done in the name
of ATS_AUTH_TOKEN, else of the saved login, else by name and password. Only the wazo
dialect has sessions apart from logins.`,
		RunE: func(c *cobra.Command, args []string) error { return a.runSessionRevoke(c.Context(), args) },
	}
	c.AddCommand(list, revoke)
	a.later(revoke, func() { a.credentialFlags(revoke.Flags()) })
	a.later(list, func() {
		a.credentialFlags(list.Flags())
		list.Flags().StringVarP(&a.flags.format, "format", "f", "", "how to print the list: "+strings.Join(listFormats(), ", "))
		list.Flags().StringArrayVarP(&a.flags.columns, "column", "c", nil, "print this `NAME` only; may be given again")
	})
	return c
}

func (a *app) runSessionList(ctx context.Context) error {
	if err := a.load(); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains(listFormats(), f) {
		return command.Usage("a list cannot be printed as %s, only as %s", f, strings.Join(listFormats(), ", "))
	}
	if err := a.checkColumns(sessionColumns()...); err != nil {
		return err
	}
	service, bearer, err := a.sessionActor(ctx)
	if err != nil {
		return err
	}
	sessions, err := service.ListSessions(ctx, bearer)
	if err != nil {
		return err
	}
	list := make([]record, len(sessions))
	for i, s := range sessions {
		list[i] = sessionRecord(s)
	}
	return a.printList(list)
}

// runSessionRevoke goes on where one cannot be revoked: the exit code is that of the
// first such.
func (a *app) runSessionRevoke(ctx context.Context, ids []string) error {
	if err := a.load(); err != nil {
		return err
	}
	service, bearer, err := a.sessionActor(ctx)
	if err != nil {
		return err
	}
	code := 0
	for _, id := range ids {
		err := service.EndSession(ctx, bearer, id)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c := a.report(err); c != 0 && code == 0 {
			code = c
		}
		if err == nil {
			a.say(levelInfo, "Session %s revoked.", safe(id))
		}
	}
	if code != 0 {
		return &reported{code}
	}
	return nil
}

// sessionActor is actor, in the wazo dialect alone.
func (a *app) sessionActor(ctx context.Context) (*client.Client, token.Secret, error) {
	if a.dialect() != "wazo" {
		return nil, token.Secret{}, of("wazo", "the %s dialect has no sessions apart from logins: token list", safe(a.dialect()))
	}
	return a.actor(ctx, "")
}

func sessionColumns() []string {
	var names []string
	for _, f := range sessionRecord(token.Login{}) {
		names = append(names, f.name)
	}
	return names
}

func sessionRecord(s token.Login) record {
	return record{
		{"id", s.ID},
		{"user", s.User},
		{"mobile", slices.Contains(s.Labels, "mobile")},
		{"created_at", stamp(s.CreatedAt)},
		{"expires_at", stamp(s.ExpiresAt)},
		{"current", s.Current},
	}
}

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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

  ` + fold(strings.Join(sessionColumns(), ", "), 78, "  ") + `

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
	table := (a.flags.format == "" || a.flags.format == "table") && len(a.flags.columns) == 0
	list := make([]record, len(sessions))
	for i, s := range sessions {
		if list[i] = sessionRecord(s); table {
			list[i] = a.sessionRow(s)
		}
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
		if err == nil {
			a.say(levelInfo, "Session %s revoked.", safe(id))
		} else if c := a.report(fmt.Errorf("session %s: %w", id, err)); code == 0 {
			code = c
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
		{"remote_addr", s.Client},
		{"user_agent", s.Name},
	}
}

// sessionRow is what a person knows a session by, on a line of a terminal.
func (a *app) sessionRow(s token.Login) record {
	program, _, _ := strings.Cut(s.Name, "/")
	if slices.Contains(s.Labels, "mobile") {
		program += " (mobile)"
	}
	return record{
		{"id", s.ID},
		{"current", mark(s.Current)},
		{"age", a.shortly(s.CreatedAt, -1)},
		{"left", a.shortly(s.ExpiresAt, 1)},
		{"from", s.Client},
		{"by", program},
	}
}

// shortly is how long it is to a time, or by -1 since one; nothing of one that is not
// known.
func (a *app) shortly(t time.Time, way int64) string {
	if t.IsZero() {
		return ""
	}
	return shortSpan(max(1, way*secondsUntil(t, a.Now())))
}

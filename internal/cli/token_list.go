package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenList() *cobra.Command {
	var query token.LoginQuery
	c := &cobra.Command{
		Use: "list", Short: "List the logins the server holds for you", Args: cobra.NoArgs,
		Long: `List the logins that the server holds for you, with all the tokens that hang on
them. It is done in the name of ATS_AUTH_TOKEN, else of the saved login, else after
a login with the usual credentials; in the oauth2 dialect ats-auth-server wants a token of the scope account. The columns for
-c are:

  ` + fold(strings.Join(loginColumns(), ", "), 78, "  ") + `

In the wazo dialect they are refresh tokens, one for a client id, which is its id;
session list is of the access tokens. In the awx dialect they are the tokens that you may see, personal ones and those of
applications, and the columns are:

  ` + strings.Join(tokenColumns(), ", "),
		Example: `  ats-auth token list
  ats-auth token list -f json | jq -r '.[] | select(.current | not).id'`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runTokenList(c.Context(), query) },
	}
	a.later(c, func() {
		queryFlags(c, &query)
		a.credentialFlags(c.Flags())
		a.grantFlags(c)
		a.applicationFlags(c)
		c.Flags().StringVarP(&a.flags.format, "format", "f", "", "how to print the list: "+strings.Join(listFormats(), ", "))
		c.Flags().StringArrayVarP(&a.flags.columns, "column", "c", nil, "print this `NAME` only; may be given again")
	})
	return c
}

func loginColumns() []string {
	var names []string
	for _, f := range loginRecord(token.Login{}) {
		names = append(names, f.name)
	}
	return names
}

func (a *app) runTokenList(ctx context.Context, query token.LoginQuery) error {
	if err := a.load(); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains(listFormats(), f) {
		return command.Usage("a list cannot be printed as %s, only as %s", f, strings.Join(listFormats(), ", "))
	}
	if err := a.checkColumns(a.columnsOfLogins()...); err != nil {
		return err
	}
	if err := a.checkQuery(query); err != nil {
		return err
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	if a.dialect() != "ciphertrust" {
		logins, err := service.List(ctx, bearer)
		if err != nil {
			return err
		}
		a.markSaved(logins)
		return a.printLogins(logins)
	}
	logins, total, err := service.FindLogins(ctx, bearer, query)
	if err != nil {
		return err
	}
	if end := query.Skip + len(logins); end < total {
		a.say(levelInfo, "%d to %d of %d", query.Skip+1, end, total)
	}
	return a.printLogins(logins)
}

func (a *app) printLogins(logins []token.Login) error {
	table := a.flags.format == "" || a.flags.format == "table"
	if table && len(logins) == 0 {
		a.say(levelInfo, "No %s.", map[bool]string{true: "tokens", false: "logins"}[a.dialect() == "awx"])
		return nil
	}
	if table && len(a.flags.columns) == 0 {
		return a.printLoginTable(logins)
	}
	list := make([]record, len(logins))
	for i, login := range logins {
		list[i] = a.recordOf(login)
	}
	return a.printList(list)
}

// printLoginTable prints what a person wants to know.
func (a *app) printLoginTable(logins []token.Login) error {
	if a.dialect() == "awx" {
		return a.printTokenTable(logins)
	}
	var list []record
	for _, l := range logins {
		if a.dialect() == "wazo" {
			list = append(list, a.refreshTokenRow(l))
			continue
		}
		name := l.Name
		if name == "" {
			name = l.Client
		}
		if l.Current {
			name += " (this one)"
		}
		list = append(list, record{
			{"id", l.ID},
			{"client", name},
			{"dialect", l.Door},
			{"scope", l.Scope},
			{"created", a.age(l.CreatedAt)},
			{"last_used", a.age(l.LastUsedAt)},
			{"expires", a.age(l.ExpiresAt)},
		})
	}
	return a.printList(list)
}

// age tells a time for a person; nothing of one that is not known.
func (a *app) age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return relative(t, a.Now())
}

// recordOf is a login, or a token that is a row, for a program.
func (a *app) recordOf(l token.Login) record {
	if a.dialect() == "awx" {
		return tokenRecord(l)
	}
	return loginRecord(l)
}

// columnsOfLogins are the names in recordOf.
func (a *app) columnsOfLogins() []string {
	if a.dialect() == "awx" {
		return tokenColumns()
	}
	return loginColumns()
}

// stamp is a time for a program; nothing of one that is not known.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func loginRecord(l token.Login) record {
	return record{
		{"id", l.ID},
		{"client", l.Client},
		{"name", l.Name},
		{"dialect", l.Door},
		{"scope", l.Scope},
		{"labels", strings.Join(l.Labels, ",")},
		{"created_at", stamp(l.CreatedAt)},
		{"last_used_at", stamp(l.LastUsedAt)},
		{"expires_at", stamp(l.ExpiresAt)},
		{"current", l.Current},
	}
}

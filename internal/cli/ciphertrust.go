package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The flags and the answers that ksctl has, in its dialect.

// refreshWish is what ksctl can ask for of a refresh token.
type refreshWish struct {
	life, unused int64 // minutes
	labels       []string
}

func (a *app) refreshWishFlags(c *cobra.Command, w *refreshWish) {
	f := c.Flags()
	f.Int64Var(&w.life, "rt-life", 0, "with --issue-rt: how many `MINUTES` the refresh token is to live")
	f.Int64Var(&w.unused, "rt-unused-life", 0, "with --issue-rt: how many `MINUTES` it may lie unused")
	f.StringSliceVar(&w.labels, "labels", nil, "with --issue-rt: `WORDS` to find it by, as a,b")
}

// maxMinutes is a hundred years.
const maxMinutes = maxDays * 24 * 60

// apply puts the wish into a request, or says why it cannot be had.
func (w refreshWish) apply(a *app, c *cobra.Command, want *token.Request) error {
	for _, name := range []string{"rt-life", "rt-unused-life", "labels"} {
		switch {
		case !c.Flags().Changed(name):
		case !want.Refresh:
			return command.Usage("--%s goes with --issue-rt", name)
		case name != "rt-life" && a.dialect() != "ciphertrust":
			return of("ciphertrust", "the %s dialect cannot ask for that: --%s", safe(a.dialect()), name)
		case a.dialect() == "oauth2":
			return token.Refuse(token.ErrUnsupported, "the %s dialect cannot ask for that: --%s", safe(a.dialect()), name)
		}
	}
	for _, minutes := range []int64{w.life, w.unused} {
		if minutes < 0 || minutes > maxMinutes {
			return command.Usage("--rt-life and --rt-unused-life are minutes, at most %d", maxMinutes)
		}
	}
	if slices.Contains(w.labels, "") {
		return command.Usage("--labels: a label is empty")
	}
	want.RefreshTTL, want.RefreshIdle, want.Labels = w.life*60, w.unused*60, w.labels
	return nil
}

// asKsctl reports whether a set is printed as ksctl prints it.
func (a *app) asKsctl() bool {
	return a.dialect() == "ciphertrust" && len(a.flags.columns) == 0 && slices.Contains([]string{"", "json", "yaml"}, a.flags.format)
}

// printIssued prints what token create was given: in ksctl's dialect its object,
// with a refresh token only where one was asked for.
func (a *app) printIssued(set token.Set, refresh bool) error {
	if !refresh && a.dialect() == "ciphertrust" {
		set.RefreshToken = token.Secret{}
	}
	if !a.asKsctl() {
		return a.printSet(set)
	}
	r := record{{"jwt", set.AccessToken.Reveal()}, {"duration", set.ExpiresIn}, {"token_type", set.TokenType}}
	if !set.RefreshToken.IsZero() {
		r = append(r, field{"refresh_token", set.RefreshToken.Reveal()})
	}
	format := a.flags.format
	if format == "" && a.profile.Value("format").Reveal() == "yaml" {
		format = "yaml" // KSCTL_RESP of the saved login
	}
	if format == "yaml" {
		a.flags.format = format
		return a.print(r)
	}
	text, err := r.json()
	if err != nil {
		return err
	}
	return a.printJSON(text)
}

// trade says where a refresh token for token create comes from.
type trade int

const (
	noTrade    trade = iota // credentials are traded
	givenTrade              // a refresh token that was given
	savedTrade              // that of the saved login
)

// tradeOf decides what token create trades. Only in ksctl's dialect it does so by
// a refresh token that was not typed, as ksctl does.
func (a *app) tradeOf() (trade, error) {
	_, token := a.set["refresh_token"]
	_, file := a.set["refresh_token_file"]
	switch typed := a.typedCredentials() || a.flags.exchanges(); {
	case (token || file) && typed:
		return noTrade, command.Usage("a refresh token and other credentials exclude each other")
	case token || file:
		return givenTrade, nil
	case typed || a.dialect() != "ciphertrust" || a.profile.Strongest("password", "password_file", "password_command") != "":
		return noTrade, nil
	case a.profile.Strongest("refresh_token_file", "refresh_token") != "":
		return givenTrade, nil
	case a.saved.err == nil && a.profile.LoginFile != "":
		return savedTrade, nil
	}
	return noTrade, nil
}

// queryFlags are ksctl's, to choose among the logins.
func queryFlags(c *cobra.Command, q *token.LoginQuery) {
	f := c.Flags()
	f.BoolVar(&q.Expired, "expired", false, "those that have ended by themselves too; ciphertrust dialect")
	f.BoolVar(&q.Revoked, "revoked", false, "those that were revoked too; ciphertrust dialect")
	f.StringSliceVar(&q.Labels, "labels", nil, "those with all of these `WORDS`, as a,b; ciphertrust dialect")
	f.StringVar(&q.User, "user-id", "", "those of a `USER`, by the server's id; ciphertrust dialect")
	f.IntVar(&q.Skip, "skip", 0, "leave out `N` at the beginning; ciphertrust dialect")
	f.IntVar(&q.Limit, "limit", 0, "at most `N`; ciphertrust dialect")
}

// checkQuery refuses a query that makes no sense, or that a dialect has not.
func (a *app) checkQuery(q token.LoginQuery) error {
	if q.Skip < 0 || q.Limit < 0 {
		return command.Usage("--skip and --limit are numbers from 0")
	}
	chosen := q.Expired || q.Revoked || len(q.Labels) > 0 || q.User != "" || q.Skip > 0 || q.Limit > 0
	if chosen && a.dialect() != "ciphertrust" {
		return of("ciphertrust", "the %s dialect cannot choose among logins", safe(a.dialect()))
	}
	return nil
}

func (a *app) tokenDelete() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use: "delete --id ID", Short: "End a login by its id", Args: cobra.NoArgs,
		Long: `End a login by the id that token list shows: its refresh token is void from now
on. In the awx dialect it is a token that is deleted, in the wazo dialect the refresh
token of a client id. No other dialect has this.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if id == "" {
				return command.Usage("--id is missing: token list shows the ids")
			}
			return a.runTokenDelete(c.Context(), id)
		},
	}
	a.later(c, func() {
		c.Flags().Var((*once)(&id), "id", "the `ID` of the login")
		a.credentialFlags(c.Flags())
	})
	return c
}

func (a *app) runTokenDelete(ctx context.Context, id string) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkID(id); err != nil {
		return err
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	if err := service.EndLogin(ctx, bearer, id); err != nil {
		return err
	}
	if a.dialect() == "awx" {
		a.say(levelInfo, "Token %s deleted.", safe(id))
		return nil
	}
	a.say(levelInfo, "Login %s ended.", safe(id))
	return nil
}

// runLoginShow prints one login, as token get --id of ksctl.
func (a *app) runLoginShow(ctx context.Context, id string) error {
	if err := a.load(); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains(listFormats(), f) {
		return command.Usage("a login cannot be printed as %s, only as %s", f, strings.Join(listFormats(), ", "))
	}
	if err := a.checkID(id); err != nil {
		return err
	}
	if err := a.checkColumns(a.columnsOfLogins()...); err != nil {
		return err
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	login, err := service.GetLogin(ctx, bearer, id)
	if err != nil {
		return err
	}
	return a.printLogins([]token.Login{login})
}

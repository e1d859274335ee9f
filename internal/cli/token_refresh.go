package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refreshFlags say where the next refresh token goes.
type refreshFlags struct {
	save   string
	noSave bool
}

func (a *app) tokenRefresh() *cobra.Command {
	var flags refreshFlags
	c := &cobra.Command{
		Use: "refresh", Short: "Trade a refresh token for a new access token", Args: cobra.NoArgs,
		Long: `Trade a refresh token for a new access token, and print that. The refresh token
comes from --refresh-token-file, --refresh-token - (standard input), or
ATS_AUTH_REFRESH_TOKEN; without any it is that of the saved login, which stays in
its file.

Most servers give a new refresh token with it and void the old one. It is
written back to --refresh-token-file, or to --save-refresh-token, before anything
is printed; else only -f json and -c refresh_token show it. Processes that
refresh by one file take turns.`,
		Example: `  ats-auth token refresh --refresh-token-file rt.txt
  ats-auth token create --issue-rt -c refresh_token | ats-auth token refresh --refresh-token - -f json`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runTokenRefresh(c, flags) },
	}
	a.later(c, func() {
		f := c.Flags()
		a.settingFlags(f, "refresh_token", "refresh_token_file", "scope", "resource")
		f.StringVar(&flags.save, "save-refresh-token", "", "keep the refresh token that is good from now on in `FILE`")
		f.BoolVar(&flags.noSave, "no-save", false, "do not write to --refresh-token-file")
		a.keyFlags(f)
		a.applicationFlags(c)
		a.formatFlags(f)
	})
	return c
}

// runTokenRefresh makes room for the next refresh token before it spends the old
// one, and keeps it before it does anything else.
func (a *app) runTokenRefresh(c *cobra.Command, flags refreshFlags) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkColumns(setColumns...); err != nil {
		return err
	}
	judge, err := a.newTokenJudge("")
	if err != nil {
		return err
	}
	defer judge.close()
	print := func(set token.Set, _ bool) error { return a.printSet(set) }
	if a.profile.Strongest("refresh_token_file", "refresh_token") != "" {
		return a.tradeGiven(c.Context(), judge, flags, a.narrowed(), print)
	}
	if flags.save != "" || flags.noSave {
		return command.Usage("--save-refresh-token and --no-save go with a refresh token, not with the saved login")
	}
	return a.tradeSaved(c.Context(), judge, a.narrowed(), func(set token.Set, _ bool) error { return a.printAccess(set) })
}

// printer prints a set, with the refresh token if one was asked for.
type printer func(set token.Set, refresh bool) error

// tradeGiven trades a refresh token that was given.
func (a *app) tradeGiven(ctx context.Context, judge *judge, flags refreshFlags, want token.Request, print printer) error {
	service, err := a.newClient()
	if err != nil {
		return err
	}
	file := a.refreshFile()
	unlock, err := lockBeside(ctx, file, a.profile.Value("timeout").Duration())
	if err != nil {
		return err
	}
	defer unlock()
	refresh, err := a.refreshToken(file)
	if err != nil {
		return err
	}
	kept, err := a.makeRoom(flags, file)
	if err != nil {
		return err
	}
	defer kept.drop()
	a.say(levelStory, "Requesting new token...")
	set, err := service.Refresh(ctx, refresh, want)
	if err != nil {
		return err
	}
	if err := a.keep(kept, refresh, set, want.Refresh); err != nil {
		return err
	}
	if err := a.describe(ctx, judge, service, set.AccessToken.Reveal()); err != nil {
		return err
	}
	return print(set, want.Refresh)
}

// tradeSaved refreshes the saved login, whatever is in the cache. Its refresh
// token stays in its file.
func (a *app) tradeSaved(ctx context.Context, judge *judge, want token.Request, print printer) error {
	if _, err := a.savedLogin(); errors.Is(err, session.ErrNoLogin) {
		return &configError{
			problem: "no refresh token: give --refresh-token-file, --refresh-token - or ATS_AUTH_REFRESH_TOKEN, or log in",
			hint:    a.loginHint(), cause: err,
		}
	} else if err != nil {
		return err
	}
	set, err := a.refreshLogin(ctx, want, nil)
	if err != nil {
		return err
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	if err := a.describe(ctx, judge, service, set.AccessToken.Reveal()); err != nil {
		return err
	}
	return print(set, want.Refresh)
}

// refreshFile is the file that the refresh token stands in; "" where it is given
// in another way.
func (a *app) refreshFile() string {
	if name := a.profile.Strongest("refresh_token_file", "refresh_token"); name == "refresh_token_file" {
		return a.profile.Value(name).Reveal()
	}
	return ""
}

// refreshToken finds the refresh token, in that file unless it is "".
func (a *app) refreshToken(file string) (refresh token.Secret, err error) {
	value := a.profile.Value("refresh_token")
	var text string
	switch {
	case file != "":
		text, err = inifile.ReadSecretFile(file)
	case value.Reveal() == "-":
		text, err = a.secretFromStdin("--refresh-token -", "refresh token")
	default:
		if text = value.Reveal(); value.Origin() == profile.Flag {
			a.warn("--refresh-token can be seen by other users of this machine; --refresh-token-file and --refresh-token - cannot")
		}
	}
	if text = bare(text); err == nil && text == "" {
		err = command.Usage("the refresh token is empty")
	}
	return token.NewSecret(text), err
}

// narrowed is what a refresh asks for: a scope narrows the login, so only one that
// was typed counts.
func (a *app) narrowed() token.Request {
	var want token.Request
	if v := a.profile.Value("scope"); v.Origin() == profile.Flag {
		want.Scope = v.Reveal()
	}
	if v := a.profile.Value("resource"); v.Origin() == profile.Flag {
		want.Resources = v.List()
	}
	return want
}

// narrowing is narrowed for who asks for more.
func (a *app) narrowing(want token.Request) token.Request {
	narrow := a.narrowed()
	want.Scope, want.Resources = narrow.Scope, narrow.Resources
	return want
}

// makeRoom makes room where the next refresh token is to be kept; nil where it is
// not.
func (a *app) makeRoom(flags refreshFlags, file string) (*room, error) {
	switch {
	case flags.save != "":
		return newRoom(under(a.WorkDir, flags.save), true)
	case file != "" && !flags.noSave:
		return newRoom(file, false)
	}
	return nil, nil
}

// keep keeps the refresh token that is good from now on, or says that nothing
// does.
func (a *app) keep(r *room, old token.Secret, set token.Set, issued bool) error {
	next := set.RefreshToken
	rotated := !next.IsZero() && next.Reveal() != old.Reveal()
	switch {
	case r == nil && rotated && !a.shows("refresh_token") && !(issued && a.asKsctl()) && a.dialect() != "tapis": // where the old one stays good
		a.warn("the server has given a new refresh token, and the old one is void: only -f json, -c refresh_token and --save-refresh-token FILE keep it")
		return nil
	case r == nil:
		return nil
	case !rotated && r.foreign:
		return r.save(old)
	case !rotated:
		return nil
	}
	if err := r.save(next); err != nil {
		return err
	}
	a.say(levelStory, "The new refresh token is in %s", inifile.ShowName(r.path))
	return nil
}

// shows reports whether the chosen format prints a column.
func (a *app) shows(column string) bool {
	switch a.flags.format {
	case "curl", "header":
		return false
	case "", "value":
		return slices.Contains(a.flags.columns, column)
	}
	return len(a.flags.columns) == 0 || slices.Contains(a.flags.columns, column)
}

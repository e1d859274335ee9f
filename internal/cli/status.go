package cli

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
)

var statusColumns = []string{
	"profile", "dialect", "server", "server_from", "user", "user_from", "tenant", "backend", "login", "login_file", "login_expires_at", "login_expires_in",
	"token_expires_at", "token_expires_in", "acting_as", "config_file",
}

func (a *app) statusCommand() *cobra.Command {
	var short bool
	c := &cobra.Command{
		Use: "status", Short: "Show who is logged in where, and for how long", Args: cobra.NoArgs,
		Long: `Show which profile, server and user are in use, where each comes from, and what
is left of the login. Nothing is asked of the server. The exit code is 3 where
nobody is logged in, and where the server has refused the login when last asked.

--short is for the prompt of a shell: user@host and what is left, or nothing.`,
		Example: `  PS1='$(ats-auth status --short)\$ '
  ats-auth status -f value -c login_expires_in`,
		RunE: func(*cobra.Command, []string) error { return a.runStatus(short) },
	}
	a.later(c, func() {
		c.Flags().BoolVar(&short, "short", false, "one line for the prompt of a shell")
		a.formatFlags(c.Flags())
	})
	return c
}

func (a *app) runStatus(short bool) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkColumns(statusColumns...); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains([]string{"table", "json", "yaml", "value"}, f) {
		return command.Usage("status is no token, so it is printed as table, json, yaml or value, not as %s", f)
	}
	login, err := a.savedLogin()
	if err == nil && a.refused(login) {
		err = &configError{problem: "the server has refused the login in " + a.loginFile(), hint: a.loginHint()}
	}
	var config *configError
	if err != nil && !errors.As(err, &config) {
		return err
	}
	if short {
		return a.shortStatus(login, err)
	}
	if a.flags.format == "" && len(a.flags.columns) == 0 {
		a.flags.format = "table"
	}
	if err := a.print(a.status(login, err)); err != nil {
		return err
	}
	return err
}

// shortStatus is for a prompt: it says nothing where there is nothing to say.
func (a *app) shortStatus(login session.Login, err error) error {
	if err != nil {
		return &reported{exitConfig}
	}
	text := safe(login.Username)
	if u, err := url.Parse(login.URL); err == nil {
		text += "@" + safe(u.Hostname())
	}
	if a.profile.Name != profile.DefaultName {
		text = a.profile.Name + ":" + text
	}
	if !login.ExpiresAt.IsZero() {
		text += " " + shortSpan(secondsUntil(login.ExpiresAt, a.Now()))
	}
	_, err = fmt.Fprintln(a.Stdout, text)
	return err
}

// shortSpan is a time in its largest unit: 29d, 5h, 12m.
func shortSpan(seconds int64) string {
	switch {
	case seconds <= 0:
		return "expired"
	case seconds >= 86400:
		return fmt.Sprintf("%dd", seconds/86400)
	case seconds >= 3600:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dm", seconds/60)
}

// status is all there is to know without asking anybody. err is why there is no
// login.
func (a *app) status(login session.Login, err error) record {
	address, user := a.profile.Value(a.address()), a.profile.Value("username")
	state := "logged in"
	switch {
	case err != nil:
		state = err.Error()
	case a.endless(login) && a.flags.format == "table":
		state += "; " + noEnd
	}
	r := record{
		{"profile", a.profile.Name},
		{"dialect", a.dialect()},
		{"server", address.Reveal()},
		{"server_from", address.Source()},
		{"user", user.Reveal()},
		{"user_from", user.Source()},
		{"login", state},
		{"login_file", a.profile.LoginFile},
	}
	for _, name := range []string{"tenant", "backend"} {
		if v := a.profile.Value(name); !v.IsZero() {
			r = append(r, field{name, v.Reveal()})
		}
	}
	if err == nil && !login.ExpiresAt.IsZero() {
		r = append(r, field{"login_expires_at", login.ExpiresAt.UTC().Format(time.RFC3339)}, field{"login_expires_in", a.left(login.ExpiresAt)})
	}
	if set, _, ok := a.peek(login); err == nil && ok && !set.ExpiresAt.IsZero() {
		r = append(r, field{"token_expires_at", set.ExpiresAt.UTC().Format(time.RFC3339)}, field{"token_expires_in", a.left(set.ExpiresAt)})
	}
	if given := a.profile.Value("token"); !given.IsZero() {
		r = append(r, field{"acting_as", "the bearer of " + given.Source() + ", whatever login is saved"})
	}
	if a.profile.File != "" {
		r = append(r, field{"config_file", a.profile.File})
	}
	return r
}

// left is how long something lasts: seconds for a program, words for a person.
func (a *app) left(end time.Time) any {
	seconds := max(secondsUntil(end, a.Now()), 0)
	if a.flags.format == "table" {
		return spanOf(seconds)
	}
	return seconds
}

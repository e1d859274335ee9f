package cli

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// setColumns are what a token set prints, the first by default.
var setColumns = []string{"access_token", "token_type", "expires_at", "expires_in", "scope", "refresh_token"}

func (a *app) tokenCreate() *cobra.Command {
	var want token.Request
	c := &cobra.Command{
		Use: "create", Short: "Trade a user name and a password for a token", Args: cobra.NoArgs,
		Long: `Trade a user name and a password for a token, and print the token.

The password comes from --password-stdin, --password-file, --password,
OS_PASSWORD, password_command, or the terminal. With --verbose the token's
header and claims are shown on stderr; with jwt_secret configured they are
verified first, and a token that is not genuine is not printed.`,
		Example: `  ats-auth token create --username marco
  TOKEN=$(ats-auth token create -v 2>log)
  eval "$(ats-auth token create -f export)"
  ats-auth token create -f curl | curl -K - https://api.example.org/`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runTokenCreate(c, want) },
	}
	a.credentialFlags(c.Flags())
	a.keyFlags(c.Flags())
	a.formatFlags(c.Flags())
	c.Flags().BoolVar(&want.Refresh, "issue-rt", false, "also issue a refresh token")
	c.Flags().Var((*seconds)(&want.TTL), "ttl", "lifetime to ask for, in seconds or as 5m")
	return c
}

// runTokenCreate checks all that can fail without a password before it asks for
// one.
func (a *app) runTokenCreate(c *cobra.Command, want token.Request) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkColumns(setColumns...); err != nil {
		return err
	}
	// The token is a moment old: where the clocks differ, its signature counts.
	judge, err := a.newJudge(false, func(v *verifier.Config) { v.Leeway, v.AnyAudience = verifier.MaxLeeway, v.Audience == "" })
	if err != nil {
		return err
	}
	defer judge.close()
	service, err := a.newClient()
	if err != nil {
		return err
	}
	who := token.Credentials{}
	if who.Username, err = a.username(""); err != nil {
		return err
	}
	if who.Password, err = a.password(c.Context(), who.Username); err != nil {
		return err
	}
	a.say(levelStory, "Requesting new token...")
	a.say(levelStory, "username: %s", safe(who.Username))
	set, err := service.Login(c.Context(), who, want)
	if err != nil {
		return err
	}
	if err := a.describe(c, judge, set.AccessToken.Reveal()); err != nil {
		return err
	}
	return a.printSet(set)
}

// describe tells what a new token says, after verifying it if that is possible.
func (a *app) describe(c *cobra.Command, judge *judge, raw string) error {
	decoded, err := token.Decode(raw)
	if err != nil {
		return err
	}
	label := "UNVERIFIED claims"
	if judge != nil {
		if _, err := judge.Verify(c.Context(), raw); err != nil {
			return err
		}
		label = "claims"
	}
	a.say(levelStory, "header: %s", decoded.Header.JSON())
	a.say(levelStory, "%s: %s", label, decoded.Claims.JSON())
	return nil
}

func (a *app) printSet(set token.Set) error {
	r := record{{"access_token", set.AccessToken.Reveal()}, {"token_type", set.TokenType}}
	// An original service does not say, but its tokens do.
	if decoded, err := token.Decode(set.AccessToken.Reveal()); err == nil && set.ExpiresAt.IsZero() {
		if exp, ok, err := decoded.Claims.NumericDate("exp"); ok && err == nil {
			set.ExpiresAt = time.UnixMicro(exp)
			set.ExpiresIn = max(0, int64(set.ExpiresAt.Sub(a.Now()).Seconds()))
		}
	}
	if !set.ExpiresAt.IsZero() {
		r = append(r, field{"expires_at", set.ExpiresAt.UTC().Format(time.RFC3339)}, field{"expires_in", set.ExpiresIn})
	}
	if set.Scope != "" {
		r = append(r, field{"scope", set.Scope})
	}
	if !set.RefreshToken.IsZero() {
		r = append(r, field{"refresh_token", set.RefreshToken.Reveal()})
	}
	return a.print(r)
}

// seconds is a flag that is a lifetime: seconds, or a Go duration of whole ones.
type seconds int64

func (s *seconds) String() string { return "" }
func (s *seconds) Type() string   { return "TIME" }
func (s *seconds) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if d, durationErr := time.ParseDuration(text); err != nil && durationErr == nil && d%time.Second == 0 {
		n, err = int64(d/time.Second), nil
	}
	if err != nil || n < 1 {
		return errors.New("not a number of seconds above 0, or a time like 5m")
	}
	*s = seconds(n)
	return nil
}

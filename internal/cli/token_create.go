package cli

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// setColumns are what a token set prints, the first by default.
var setColumns = []string{"access_token", "token_type", "expires_at", "expires_in", "scope", "refresh_token", "id_token", "id", "session_uuid"}

func (a *app) tokenCreate() *cobra.Command {
	var want token.Request
	var wish refreshWish
	var mint mintWish
	c := &cobra.Command{
		Use: "create", Short: "Trade credentials for a token", Args: cobra.NoArgs,
		Long: `Trade credentials for a token, and print the token: a user name and a password,
or in the oauth2 dialect whatever --grant names. Without it a user name means
password, a secret or key of the application client-credentials, a display web,
and anything else device (help dialects tells more).

The password comes from --password-stdin, --password-file, --password,
OS_PASSWORD, password_command, or the terminal. With --verbose the token's
header and claims are shown on stderr; with jwt_secret or jwks_url configured
they are verified first, and a token that is not genuine is not printed.

In the tapis dialect a token is minted, for a user who need not be there, with
any of --account-type service, --as-user, --delegate-as, --target-site and --claims.
ATS_AUTH_TOKEN asks for it, unless credentials are typed.

In the awx dialect it is a personal token, which lives for very long and has no
refresh token, or with --client-id a token of that application. --scope is read or
write (default write), --description says what a personal one is for.

In the wazo dialect the token is opaque, for a user of --backend, and lives for
--expiration; --issue-rt gives the refresh token of the --client-id. With --verbose
it is the server that says what the token is.

With --refresh-token that is traded instead. In the ciphertrust dialect the
result is ksctl's JSON object, jwt, duration, token_type and with --issue-rt
refresh_token; --issue-rt of a refresh token renews it, which voids the old one.
Nothing is saved: login does that.`,
		Example: `  ats-auth token create --username marco
  TOKEN=$(ats-auth token create -v 2>log)
  eval "$(ats-auth token create -f export)"
  ats-auth token create -f curl | curl -K - https://api.example.org/
  ats-auth token create --dialect oauth2 --issuer https://id.example.org --client-id app --device
  ats-auth token create --dialect ciphertrust --refresh-token - < rt.txt | jq -r .jwt
  ats-auth token create --dialect tapis --tenant dev --username files --account-type service --as-user jstubbs --claims '{"scope": "dev"}'
  ats-auth token create --dialect awx --username marco --scope read --description 'nightly report'
  ats-auth token create --dialect wazo --username alice --backend xivo_user --expiration 10m
  ats-auth token create --subject-token-file token.txt --resource https://api.example.org`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runTokenCreate(c, want, wish, mint) },
	}
	a.later(c, func() {
		a.credentialFlags(c.Flags())
		a.grantFlags(c)
		a.exchangeFlags(c)
		a.keyFlags(c.Flags())
		a.applicationFlags(c)
		a.formatFlags(c.Flags())
		c.Flags().BoolVar(&want.Refresh, "issue-rt", false, "also issue a refresh token")
		c.Flags().BoolVar(&want.Refresh, "generate-refresh-token", false, "same as --issue-rt")
		a.settingFlags(c.Flags(), "refresh_token", "refresh_token_file")
		a.refreshWishFlags(c, &wish)
		a.mintFlags(c, &mint)
		descriptionFlag(c)
		c.Flags().Var((*seconds)(&want.TTL), "ttl", "lifetime to ask for, in seconds or as 5m or 30d")
		c.Flags().Var((*seconds)(&want.TTL), "expiration", "same as --ttl")
	})
	return c
}

// runTokenCreate checks all that can fail without a password before it asks for
// one.
func (a *app) runTokenCreate(c *cobra.Command, want token.Request, wish refreshWish, mint mintWish) error {
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
	if err := wish.apply(a, c, &want); err != nil {
		return err
	}
	if err := mint.apply(a, c, &want); err != nil {
		return err
	}
	switch trade, err := a.tradeOf(); {
	case err != nil:
		return err
	case trade == givenTrade:
		return a.tradeGiven(c.Context(), judge, refreshFlags{}, a.narrowing(want), a.printIssued)
	case trade == savedTrade:
		return a.tradeSaved(c.Context(), judge, a.narrowing(want), a.printIssued)
	}
	grant, err := a.chooseGrant()
	if err != nil {
		return err
	}
	if want.TTL != 0 && a.dialect() == "oauth2" {
		return token.Refuse(token.ErrUnsupported, "the oauth2 dialect cannot ask for a lifetime: --ttl")
	}
	if err := a.checkTapisLogin(want); err != nil {
		return err
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	asked := a.wanted()
	want.Scope, want.Resources = asked.Scope, asked.Resources
	if err := cmp.Or(a.wishAWX(c, &want), a.wishWazo(want)); err != nil {
		return err
	}
	set, err := a.obtain(c.Context(), service, grant, "", want)
	if err != nil {
		return err
	}
	if err := a.describe(c.Context(), judge, service, set.AccessToken.Reveal()); err != nil {
		return err
	}
	return a.printIssued(set, want.Refresh)
}

// newTokenJudge makes the verifier of a token that is a moment old: where the
// clocks differ, its signature counts.
func (a *app) newTokenJudge(publisher string) (*judge, error) {
	return a.newJudge(publisher, a.fresh)
}

func (a *app) fresh(v *verifier.Config) {
	v.Leeway, v.AnyAudience, v.Rule = verifier.MaxLeeway, v.Audience == "", a.dialectRule()
}

// describe tells what a new token says, after verifying it if that is possible.
// One that cannot be read is nobody's business but its server's, unless keys are
// configured or the dialect has no such tokens.
func (a *app) describe(ctx context.Context, judge *judge, service *client.Client, raw string) error {
	decoded, err := token.Decode(raw)
	switch {
	case err != nil && (judge != nil || a.dialect() == "ats"):
		return err
	case err != nil:
		a.say(levelStory, "opaque token")
		a.tellData(ctx, service, raw)
		return nil
	}
	label := "UNVERIFIED claims"
	switch {
	case judge != nil:
		if _, err := judge.Verify(ctx, raw); err != nil {
			return err
		}
		label = "claims"
	case a.published(ctx, service, decoded, raw):
		label = "claims"
	}
	a.say(levelStory, "header: %s", decoded.Header.JSON())
	a.say(levelStory, "%s: %s", label, decoded.Claims.JSON())
	return nil
}

// published reports whether a token is genuine by the keys that its issuer
// publishes. They are asked for only where somebody is told: the token came from
// that issuer, and many sign access tokens in ways that are not ours to judge.
func (a *app) published(ctx context.Context, service *client.Client, decoded *token.Token, raw string) bool {
	issuer, _ := decoded.Claims.String("iss")
	tapis := a.dialect() == "tapis" && !service.Exposed()
	if a.level() < levelStory && a.log == nil || !tapis && (issuer == "" || issuer != service.Issuer()) {
		return false
	}
	var judge *judge
	var err error
	if tapis {
		judge = a.tenantJudgeOf(service, a.fresh)
	} else {
		judge, err = a.newTokenJudge(issuer)
	}
	if err == nil {
		defer judge.close()
		_, err = judge.Verify(ctx, raw)
	}
	if err != nil {
		a.say(levelStory, "not verified: %s", safe(err.Error()))
		if h := (*hinted)(nil); errors.As(err, &h) {
			a.say(levelStory, "hint: %s", h.hint)
		}
	}
	return err == nil
}

// printSet prints all that a service gave.
func (a *app) printSet(set token.Set) error {
	r := a.accessRecord(set)
	if set.RefreshToken.IsZero() && slices.Contains(a.flags.columns, "refresh_token") {
		a.warn("no refresh token was given: token create --issue-rt asks for one")
	}
	if !set.RefreshToken.IsZero() {
		r = append(r, field{"refresh_token", set.RefreshToken.Reveal()})
	}
	if !set.IDToken.IsZero() {
		r = append(r, field{"id_token", set.IDToken.Reveal()})
	}
	return a.print(r)
}

// printAccess prints an access token and nothing that outlives it.
func (a *app) printAccess(set token.Set) error { return a.print(a.accessRecord(set)) }

func (a *app) accessRecord(set token.Set) record {
	r := record{{"access_token", set.AccessToken.Reveal()}}
	if set.TokenType != "" {
		r = append(r, field{"token_type", set.TokenType})
	}
	// An original service does not say when a token ends, but the token does.
	if set = a.withExpiry(set); !set.ExpiresAt.IsZero() {
		r = append(r, field{"expires_at", set.ExpiresAt.UTC().Format(time.RFC3339)}, field{"expires_in", set.ExpiresIn})
	}
	if set.Scope != "" {
		r = append(r, field{"scope", set.Scope})
	}
	if set.LoginID != "" && a.dialect() == "awx" {
		r = append(r, field{"id", set.LoginID})
	}
	if set.LoginID != "" && a.dialect() == "wazo" {
		r = append(r, field{"session_uuid", set.LoginID})
	}
	return r
}

// once is a flag that names one thing: a second one would silently be in the place
// of the first.
type once string

func (o *once) String() string { return string(*o) }
func (o *once) Type() string   { return "string" }
func (o *once) Set(text string) error {
	if *o != "" {
		return errors.New("it can be given once")
	}
	*o = once(text)
	return nil
}

// seconds is a flag that is a lifetime: seconds, a Go duration of whole ones, or a
// number of days or weeks, 30d say.
type seconds int64

func (s *seconds) String() string { return "" }
func (s *seconds) Type() string   { return "TIME" }
func (s *seconds) Set(text string) error {
	number, unit := text, int64(1)
	if last := len(text) - 1; last > 0 && (text[last] == 'd' || text[last] == 'w') {
		number, unit = text[:last], map[byte]int64{'d': 86400, 'w': 7 * 86400}[text[last]]
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if d, durationErr := time.ParseDuration(text); err != nil && durationErr == nil && d%time.Second == 0 {
		n, err = int64(d/time.Second), nil
	}
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return errors.New("not a number of seconds above 0, or a time like 5m or 30d")
	}
	*s = seconds(n * unit)
	return nil
}

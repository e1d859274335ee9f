package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// What Tapis alone has: tenants, and tokens that are minted for others.

// mintWish is what a token is to be minted as.
type mintWish struct {
	account, user, delegate, site, claims string
	refreshTTL                            int64 // seconds
}

func (a *app) mintFlags(c *cobra.Command, w *mintWish) {
	f := c.Flags()
	f.StringVar(&w.account, "account-type", "user", "`user|service`: service mints for a service account; tapis dialect")
	f.StringVar(&w.user, "as-user", "", "mint a token for this `USER[@TENANT]` (default the one who asks, in --tenant); tapis dialect")
	f.StringVar(&w.delegate, "delegate-as", "", "mint a token by which `USER@TENANT` acts for its user; tapis dialect")
	f.StringVar(&w.site, "target-site", "", "mint a service's token for this `SITE`; tapis dialect")
	f.StringVar(&w.claims, "claims", "", "mint a token with more claims: a `JSON` object, @FILE, or - for standard input; tapis dialect")
	f.Var((*seconds)(&w.refreshTTL), "refresh-ttl", "with --issue-rt: lifetime of the refresh token, in seconds or as 5m or 30d")
}

// apply puts the wish into a request, or says why it cannot be had.
func (w mintWish) apply(a *app, c *cobra.Command, want *token.Request) error {
	minted := w.account == "service"
	for _, name := range []string{"account-type", "as-user", "delegate-as", "target-site", "claims"} {
		switch {
		case !c.Flags().Changed(name):
		case a.dialect() != "tapis":
			return of("tapis", "the %s dialect cannot ask for that: --%s", safe(a.dialect()), name)
		case name != "account-type":
			minted = true
		case w.account != "user" && w.account != "service":
			return command.Usage("--account-type is user or service")
		}
	}
	if c.Flags().Changed("refresh-ttl") {
		switch {
		case !want.Refresh:
			return command.Usage("--refresh-ttl goes with --issue-rt")
		case want.RefreshTTL != 0:
			return command.Usage("--refresh-ttl and --rt-life exclude each other")
		case a.dialect() == "oauth2":
			return token.Refuse(token.ErrUnsupported, "the oauth2 dialect cannot ask for that: --refresh-ttl")
		}
		want.RefreshTTL = w.refreshTTL
	}
	if !minted {
		return nil
	}
	return w.mint(a, want)
}

func (w mintWish) mint(a *app, want *token.Request) error {
	for _, name := range []string{"refresh_token", "refresh_token_file"} {
		if _, given := a.set[name]; given {
			return command.Usage("a refresh token gives what was minted once: it goes with none of --account-type, --as-user, --delegate-as, --target-site and --claims")
		}
	}
	m := &token.Mint{Username: w.user, Service: w.account == "service", Delegate: w.delegate}
	if at := strings.LastIndexByte(w.user, '@'); at >= 0 {
		m.Username, m.Tenant = w.user[:at], w.user[at+1:]
	}
	if w.user != "" && m.Username == "" || strings.HasSuffix(w.user, "@") {
		return command.Usage("--as-user is USER, or USER@TENANT")
	}
	if err := m.Check(); err != nil {
		return command.Usage("--delegate-as: %v", err)
	}
	var err error
	if m.Claims, err = w.readClaims(a); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return command.Usage("--claims: %v", err)
	}
	m.TargetSite, want.Mint = w.site, m
	if m.Tenant == "" && a.profile.Value("tenant").IsZero() {
		return &configError{
			problem: "no tenant to mint a token in: give --tenant, ATS_AUTH_TENANT, or tenant in the [client] of ats-auth-client.ini",
			hint:    "ats-auth help dialects",
		}
	}
	return nil
}

// readClaims is the JSON that --claims means.
func (w mintWish) readClaims(a *app) (string, error) {
	name, isFile := strings.CutPrefix(w.claims, "@")
	switch {
	case w.claims == "-" && a.flags.passwordStdin:
		return "", command.Usage("only one of --claims and --password-stdin can come from standard input")
	case w.claims == "-":
		return a.secretFromStdin("--claims -", "claims")
	case !isFile:
		return strings.TrimSpace(w.claims), nil
	}
	name = under(a.WorkDir, name)
	f, err := os.Open(name)
	if err != nil {
		return "", inifile.FileError(name, err)
	}
	defer f.Close()
	text, err := inifile.ReadBounded(f, name, inifile.MaxSecret)
	if err == nil && len(strings.TrimSpace(string(text))) == 0 {
		err = &configError{problem: inifile.ShowName(name) + " is empty", cause: io.ErrUnexpectedEOF}
	}
	return strings.TrimSpace(string(text)), err
}

// checkTapisLogin refuses, before anybody is asked, what a login of that dialect
// cannot be asked for.
func (a *app) checkTapisLogin(want token.Request) error {
	switch {
	case a.dialect() != "tapis" || want.Mint != nil:
		return nil
	case want.TTL != 0 || want.RefreshTTL != 0:
		return token.Refuse(token.ErrUnsupported, "a Tapis server decides how long a login lasts; only what is minted can be asked for with a lifetime, by --as-user say")
	case want.Refresh && (a.clientProof() == "" || a.profile.Value("client_id").IsZero()):
		return &configError{
			problem: "a Tapis server gives a refresh token only to a client that proves itself: give --client-id and --client-secret-file",
			hint:    "ats-auth-server application add NAME --tenant T --grant password --grant refresh_token makes one",
		}
	}
	return nil
}

// clientProof is the setting that holds the client's secret; "" when none does.
func (a *app) clientProof() string {
	if name := a.proof(); name != "client_key" {
		return name
	}
	return ""
}

// identifyTapis puts into a client's configuration what that dialect needs.
func (a *app) identifyTapis(c *client.Config) (err error) {
	c.Tenant, c.ClientID = a.profile.Value("tenant").Reveal(), a.profile.Value("client_id").Reveal()
	c.ClientSecret, err = a.clientSecret()
	return err
}

// mint asks for a token in the name of ATS_AUTH_TOKEN's bearer, else by user name
// and password. A server on this machine is asked without a password first, if
// none is configured: one in development mints for everybody.
func (a *app) mint(ctx context.Context, service *client.Client, want token.Request) (token.Set, error) {
	if given := a.profile.Value("token"); !given.IsZero() && !a.typedCredentials() {
		bearer := *want.Mint
		bearer.Bearer = token.NewSecret(given.Reveal())
		want.Mint = &bearer
		user, err := a.username(cmp.Or(bearer.Username, nameOfBearer(bearer.Bearer)))
		if err != nil {
			return token.Set{}, err
		}
		a.say(levelStory, "Requesting new token...")
		a.say(levelStory, "asking as the bearer of %s", given.Source())
		return service.Login(ctx, token.Credentials{Username: user}, want)
	}
	user, err := a.username(want.Mint.Username)
	if err != nil {
		return token.Set{}, err
	}
	who := token.Credentials{Username: user}
	if service.Loopback() && a.profile.Strongest("password", "password_file", "password_command") == "" && !a.flags.passwordStdin {
		a.say(levelStory, "Requesting new token, without a password...")
		set, err := service.Login(ctx, who, want)
		if !errors.Is(err, token.ErrCredentials) {
			return set, err
		}
	}
	if who.Password, err = a.password(ctx, user); err != nil {
		return token.Set{}, err
	}
	a.say(levelStory, "Requesting new token...")
	a.say(levelStory, "username: %s", safe(user))
	return service.Login(ctx, who, want)
}

// nameOfBearer is the user that a token names; empty when it names none.
func nameOfBearer(raw token.Secret) string {
	decoded, err := token.Decode(raw.Reveal())
	if err != nil {
		return ""
	}
	name, _ := decoded.Claims.String("tapis/username")
	return name
}

// tapisSays is what a token of that dialect is, in words; empty for any other.
func tapisSays(c *token.Claims) record {
	var r record
	kind, ok := c.String("tapis/token_type")
	if !ok {
		return nil
	}
	says := &c.Object
	if inner, ok := c.Member("tapis/access_token"); ok && kind == "refresh" {
		if o, err := token.ParseObject(inner); err == nil {
			says = o
		}
	}
	text := func(name string) string { s, _ := says.String(name); return safe(s) }
	r = append(r, field{"tenant", text("tapis/tenant_id")}, field{"token_type", safe(kind)})
	if account := text("tapis/account_type"); account != "" {
		r = append(r, field{"account", account + " " + text("tapis/username")})
	}
	if site := text("tapis/target_site"); site != "" {
		r = append(r, field{"target_site", site})
	}
	if delegated, _ := says.Member("tapis/delegation"); delegated == "true" {
		who := text("tapis/delegation_sub")
		if who == "" {
			who = "somebody who is not named"
		}
		r = append(r, field{"delegation", who + " acts for " + text("sub")})
	}
	return r
}

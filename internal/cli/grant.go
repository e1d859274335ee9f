package cli

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// grants are the ways to a token by the names that --grant takes; their
// registered grant_type is taken too.
func grants() []grantName {
	return []grantName{
		{"password", token.GrantPassword, "a user's name and password, where it still takes them"},
		{"client-credentials", token.GrantClientCredentials, "the application's own secret or key, no user"},
		{"device", token.GrantDeviceCode, "a code to type in a browser, on this machine or another"},
		{"web", token.GrantAuthorizationCode, "a browser on this machine"},
		{"token-exchange", token.GrantTokenExchange, "another token: --subject-token, --actor-token"},
	}
}

type grantName struct{ name, grant, help string }

// grantNamed finds the way that a text names; "" when there is none. The short
// names by which ats-auth-server registers applications name it too.
func grantNamed(text string) string {
	short := map[string]string{"code": "web", "device_code": "device", "token_exchange": "token-exchange"}[text]
	for _, g := range grants() {
		if text == g.name || text == g.grant || short == g.name {
			return g.grant
		}
	}
	return ""
}

func grantNames() []string {
	var names []string
	for _, g := range grants() {
		names = append(names, g.name)
	}
	return names
}

// nameOf is the name of a way for a person.
func nameOf(grant string) string {
	i := slices.IndexFunc(grants(), func(g grantName) bool { return g.grant == grant })
	return grants()[i].name
}

// grantFlags choose the way to a token.
func (a *app) grantFlags(c *cobra.Command) {
	a.settingFlags(c.Flags(), "grant", "scope", "resource", "redirect_port")
	c.Flags().BoolVar(&a.flags.device, "device", false, "same as --grant device")
	c.Flags().BoolVar(&a.flags.web, "web", false, "same as --grant web")
	_ = c.RegisterFlagCompletionFunc("grant", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var list []string
		for _, g := range grants() {
			list = append(list, g.name+"\t"+g.help)
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	})
}

// exchangeFlags are the tokens to exchange for another.
func (a *app) exchangeFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.flags.subject.value, "subject-token", "", "exchange this `TOKEN`, - for standard input; on a command line other users can see it")
	f.StringVar(&a.flags.subject.file, "subject-token-file", "", "exchange the token in `FILE`")
	f.StringVar(&a.flags.actor.value, "actor-token", "", "the `TOKEN` of who is to act for the subject, - for standard input")
	f.StringVar(&a.flags.actor.file, "actor-token-file", "", "the same in `FILE`")
}

// exchanges reports whether there are tokens to exchange.
func (f flags) exchanges() bool { return f.subject != tokenFlag{} || f.actor != tokenFlag{} }

// chooseGrant decides which way to a token is gone, a token.Grant value. It asks
// nobody.
func (a *app) chooseGrant() (string, error) {
	grant, err := a.namedGrant()
	if err != nil {
		return "", err
	}
	oauth2 := a.dialect() == "oauth2"
	switch {
	case a.dialect() == "awx" && grant != "" && grant != token.GrantPassword:
		if err := a.checkAWXGrant(grant); err != nil {
			return "", err
		}
	case grant != "" && grant != token.GrantPassword && !oauth2:
		return "", of("oauth2", "the %s dialect knows no way to a token but a user's password, not %s", safe(a.dialect()), nameOf(grant))
	case grant != "":
	case !oauth2, a.profile.Value("username").Origin() > profile.Saved:
		grant = token.GrantPassword
	case a.proof() != "":
		grant = token.GrantClientCredentials
	case hasDisplay(runtime.GOOS, a.LookupEnv):
		grant = token.GrantAuthorizationCode
	default:
		grant = token.GrantDeviceCode
	}
	return grant, a.checkGrant(grant)
}

// namedGrant is the way that flags name, else the configuration; "" when nothing
// does.
func (a *app) namedGrant() (string, error) {
	setting := a.profile.Value("grant")
	named := grantNamed(setting.Reveal())
	if !setting.IsZero() && named == "" {
		problem := fmt.Sprintf("%s: %q is not one of %s", setting.Source(), safe(setting.Reveal()), strings.Join(grantNames(), ", "))
		if setting.Origin() == profile.Flag {
			return "", command.Usage("%s", problem)
		}
		return "", &configError{problem: problem}
	}
	flags := make(map[string]string)
	if a.flags.device {
		flags[token.GrantDeviceCode] = "--device"
	}
	if a.flags.web {
		flags[token.GrantAuthorizationCode] = "--web"
	}
	if a.flags.exchanges() {
		flags[token.GrantTokenExchange] = "a token to exchange"
	}
	if setting.Origin() == profile.Flag {
		flags[named] = "--grant " + nameOf(named)
	}
	if len(flags) > 1 {
		var list []string
		for _, g := range grants() {
			if said, ok := flags[g.grant]; ok {
				list = append(list, said)
			}
		}
		return "", command.Usage("%s exclude each other", strings.Join(list, " and "))
	}
	for grant := range flags {
		named = grant
	}
	return named, nil
}

// checkGrant refuses what cannot go together, and a way for which something is
// missing that nobody can be asked for.
func (a *app) checkGrant(grant string) error {
	if grant != token.GrantPassword {
		for _, name := range []string{"username", "password", "password_file", "password_command"} {
			if _, given := a.set[name]; given {
				return command.Usage("--%s goes with --grant password, not with %s", strings.ReplaceAll(name, "_", "-"), nameOf(grant))
			}
		}
		if a.flags.passwordStdin {
			return command.Usage("--password-stdin goes with --grant password, not with %s", nameOf(grant))
		}
	}
	if _, given := a.set["resource"]; given && a.dialect() != "oauth2" {
		return of("oauth2", "the %s dialect cannot ask for a token for one resource", safe(a.dialect()))
	}
	if a.flags.subject.value == "-" && a.flags.actor.value == "-" {
		return command.Usage("only one token can come from standard input")
	}
	switch grant {
	case token.GrantClientCredentials:
		if a.proof() == "" && a.profile.Value("cert").IsZero() {
			return &configError{
				problem: "client-credentials needs a secret or key of the application: give --client-secret-file, ATS_AUTH_CLIENT_SECRET or --client-key",
				hint:    "ats-auth help dialects",
			}
		}
		return a.needClientID()
	case token.GrantAuthorizationCode, token.GrantDeviceCode:
		return a.needClientID()
	}
	return nil
}

// obtain gets a token the chosen way. instead is the user who logs in where none
// is configured.
func (a *app) obtain(ctx context.Context, service *client.Client, grant, instead string, want token.Request) (token.Set, error) {
	if want.Mint != nil {
		return a.mint(ctx, service, want)
	}
	g, err := a.prepare(ctx, grant, instead)
	if err != nil {
		return token.Set{}, err
	}
	a.say(levelStory, "Requesting new token...")
	if grant == token.GrantPassword {
		a.say(levelStory, "username: %s", safe(g.Credentials.Username))
	} else {
		a.say(levelStory, "grant: %s", nameOf(grant))
	}
	return service.Grant(ctx, g, want)
}

// prepare gathers what a way needs, asking for a password if need be.
func (a *app) prepare(ctx context.Context, grant, instead string) (token.Grant, error) {
	g := token.Grant{Type: grant, ShowDevice: a.showDevice, OpenBrowser: a.openBrowser}
	var err error
	switch grant {
	case token.GrantPassword:
		if g.Credentials.Username, err = a.username(instead); err == nil {
			g.Credentials.Password, err = a.password(ctx, g.Credentials.Username)
		}
	case token.GrantTokenExchange:
		if g.Subject, err = a.subject(); err == nil {
			g.Actor, err = a.readToken("actor-token", a.flags.actor)
		}
	}
	return g, err
}

// subject is the token to exchange: the flags', else ATS_AUTH_TOKEN.
func (a *app) subject() (token.Secret, error) {
	subject, err := a.readToken("subject-token", a.flags.subject)
	if err != nil || !subject.IsZero() {
		return subject, err
	}
	if given := a.profile.Value("token"); !given.IsZero() {
		return token.NewSecret(given.Reveal()), nil
	}
	return token.Secret{}, &configError{
		problem: "no token to exchange: give --subject-token-file, --subject-token - or ATS_AUTH_TOKEN",
	}
}

// showDevice asks a person to let this program in. It is a prompt: it stands on
// stderr whatever is to be told, and in no log.
func (a *app) showDevice(d token.DeviceCode) {
	fmt.Fprintf(a.Stderr, "Open %s in a browser and type the code %s\n", safe(d.URL), safe(d.UserCode))
	if d.Complete != "" {
		fmt.Fprintf(a.Stderr, "or open %s\n", safe(d.Complete))
	}
	if d.Expires.IsZero() {
		a.say(levelInfo, "waiting")
		return
	}
	a.say(levelInfo, "waiting; the code is good for %s", span(d.Expires.Sub(a.Now()).Round(time.Minute)))
}

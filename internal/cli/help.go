package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/pkg/client"
)

// topics are pages of help that belong to no command.
func topics() []topic {
	return []topic{
		{"environment", "where settings come from", environmentTopic},
		{"exit-codes", "what the exit codes mean", exitCodesTopic},
		{"formats", "how results can be printed", formatsTopic},
		{"dialects", "which services can be talked to", dialectsTopic},
	}
}

type topic struct {
	name, short string
	text        func(root *cobra.Command) string
}

func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	var b strings.Builder
	b.WriteString("Help about a command or a topic. The topics:\n\n")
	for _, t := range topics() {
		fmt.Fprintf(&b, "  %-12s  %s\n", t.name, t.short)
	}
	return &cobra.Command{
		Use: "help [COMMAND|TOPIC]", Short: "Help about a command or a topic", Long: strings.TrimSuffix(b.String(), "\n"),
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var list []string
			for _, t := range topics() {
				list = append(list, t.name+"\t"+t.short)
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.runHelp(root, args) },
	}
}

func (a *app) runHelp(root *cobra.Command, args []string) error {
	if len(args) == 1 {
		for _, t := range topics() {
			if t.name == args[0] {
				_, err := fmt.Fprint(a.Stdout, t.text(root))
				return err
			}
		}
	}
	return command.Help(root, args)
}

// collectFlags finds the flags that some command has.
func collectFlags(c *cobra.Command, into map[string]bool) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { into[f.Name] = true })
	for _, sub := range c.Commands() {
		collectFlags(sub, into)
	}
}

func environmentTopic(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(foldText(`A setting comes from a flag, else from the environment, else from the ini file,
else from the saved login, else it has a default. The ini file is --config, else
ATS_AUTH_CONFIG, else the first there is of ./ats-auth-client.ini,
./auth-client.ini, $XDG_CONFIG_HOME/ats-auth/client.ini and
/etc/ats-auth/client.ini.

The saved login is config.yaml in $XDG_CONFIG_HOME/ats-auth, in profiles/NAME there
for another profile, ~/.ksctl/config.yaml for the default profile of the
ciphertrust dialect, or --configfile. What stands in it counts for the server that
it names, and for no other. Access tokens are cached in $XDG_STATE_HOME/ats-auth.

Variables that begin with KSCTL_ count in the ciphertrust dialect only.

OS_USERNAME and OS_PASSWORD of an OpenStack RC file are read. OS_AUTH_URL and
OS_CACERT are not: they are Keystone's, and a password must not go there by
accident.

The password comes from --password-stdin, --password-file, --password,
OS_PASSWORD, password_command, or the terminal, in that order.

In an ini file found in the current directory password_command,
client_secret_file, client_key, dpop_key, credential_helper and credential_host
are refused, whatever server it names:
the file may have come with somebody else's repository, which must not choose
what is run or which secret is proven to whom.

`))
	flags := make(map[string]bool)
	collectFlags(root, flags)
	for _, s := range profile.Settings() {
		if !flags[s.Flag] {
			s.Flag = ""
		}
		b.WriteString(describeSetting(s))
	}
	b.WriteString(`ATS_AUTH_TRACE_SECRETS
    1: --debug shows secrets too
`)
	return b.String()
}

func describeSetting(s profile.Setting) string {
	var ways []string
	if s.Flag != "" {
		ways = append(ways, "--"+s.Flag)
	}
	ways = append(ways, s.Env...)
	if s.Key != "" {
		ways = append(ways, fmt.Sprintf("[%s] %s", s.Section, s.Key))
	}
	text := s.Help
	if s.Default != "" {
		text += " (default " + s.Default + ")"
	}
	return fmt.Sprintf("%s\n    %s\n", fold(strings.Join(ways, ", "), 80, ""), fold(text, 76, "    "))
}

// flagWidth is what a line of 80 has left behind the longest name of a flag.
const flagWidth = 44

// foldText folds the paragraphs of a text for a terminal of 80; one with a line that is
// indented stays.
func foldText(text string) string {
	list := strings.Split(text, "\n\n")
	for i, paragraph := range list {
		if !strings.Contains("\n"+paragraph, "\n ") {
			list[i] = fold(paragraph, 80, "")
		}
	}
	return strings.Join(list, "\n\n")
}

// fold breaks a text at blanks, so that no line is longer than width but for one word
// that is; indent goes before each line but the first.
func fold(text string, width int, indent string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
		case utf8.RuneCountInString(line)+utf8.RuneCountInString(word) < width:
			word = line + " " + word
		default:
			lines = append(lines, line)
		}
		line = word
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

func exitCodesTopic(*cobra.Command) string {
	var b strings.Builder
	for _, e := range exits() {
		fmt.Fprintf(&b, "%3d  %-13s  %s\n", e.code, e.word, fold(e.meaning, 60, strings.Repeat(" ", 20)))
	}
	return b.String()
}

func formatsTopic(*cobra.Command) string {
	var b strings.Builder
	for _, f := range formats() {
		fmt.Fprintf(&b, "-f %-10s  %s\n", f.name, fold(f.help, 64, strings.Repeat(" ", 15)))
	}
	b.WriteString("\n-c NAME picks columns. The formats for shells are safe to eval whatever the\nvalues hold; --prefix changes what their variable names begin with.\n")
	return b.String()
}

func dialectsTopic(*cobra.Command) string {
	var b strings.Builder
	b.WriteString("--dialect, ATS_AUTH_DIALECT or [client] dialect names what the server speaks:\n\n")
	for _, name := range client.Dialects() {
		fmt.Fprintf(&b, "  %-11s %s\n", name, dialectHelp(name))
	}
	b.WriteString(`
oauth2 takes the issuer (--issuer), where every address of the server is found,
and nearly always the name the application is registered by (--client-id). The
way to a token is --grant:

`)
	for _, g := range grants() {
		fmt.Fprintf(&b, "  %-19s %s\n", g.name, g.help)
	}
	b.WriteString(`
Without it a token to exchange means token-exchange, a user name password, a
secret or key of the application client-credentials, a display web, and anything
else, ssh included, device. The address for the browser is always printed too;
BROWSER names another browser than the system's.

The application proves itself by --client-secret-file, ATS_AUTH_CLIENT_SECRET or
--client-key. --dpop-key binds tokens to a key (RFC 9449): whoever takes the token
alone cannot use it. --resource asks for a token for one service (RFC 8707).

ciphertrust has access tokens of 300 seconds, and refresh tokens that have an end
and may be renewed. It is the dialect of a config.yaml that ksctl wrote, and of this
program when it is called as ksctl. --rt-life, --rt-unused-life and --labels are
its own, and so are token delete, token get --id and property.

tapis logs users in, or mints tokens for them where one of --account-type service,
--as-user, --delegate-as, --target-site and --claims says so; --tenant is where. A login
gives a refresh token to a client only: --client-id and --client-secret-file. Who may
mint is a service by its name and password, or the bearer of ATS_AUTH_TOKEN. A server
on this machine is first asked without a password if none is configured. Revoking one
token leaves the others that came with it.

awx makes a personal token by a user name and a password, or with --client-id a
token of that application. --scope is read or write. Nothing but its id, which token
create -f json prints, names a personal token afterwards: token list, token show --id,
token edit --id and token revoke --id are of it. application is its own. The URL may
be given with or without /api. Without a token to act with, name and password act.

wazo has opaque tokens, which go in the header X-Auth-Token: token check asks whether
one is honoured, and with --scope whether it gives that access; token show asks what
it is. --backend is where the server looks the user up (servers of 2017 want one),
--expiration how long the token is to live. A refresh token is kept for each user and
--client-id (default ats-auth) and has no end: who logs in again by the same client id
gets the same one, and a logout ends it for all who share it. token list and token
delete --id are of refresh tokens, session is of access tokens. The URL may be given
with what stands before /0.1, /api/auth say.

An access token is its server's business. One that is no JWT is printed as it is
and called opaque; claims are verified by jwks_url or jwt_secret if configured,
else, where they are shown, by the keys that the issuer publishes.`)
	return foldText(b.String()) + "\n"
}

func dialectHelp(name string) string {
	switch name {
	case "ats":
		return "ats.auth, and ats-auth-server's own: a user name and a password"
	case "oauth2":
		return "any OAuth 2.0 or OpenID Connect provider, ats-auth-server too"
	case "tapis":
		return "Tapis v3: a user name and a password, or services that mint"
	case "awx":
		return "AWX and Tower: personal tokens, and tokens of applications"
	case "wazo":
		return "Wazo and XiVO: opaque tokens, for users of several backends"
	case "ciphertrust":
		return "CipherTrust Manager, as ksctl: a user name and a password"
	}
	return ""
}

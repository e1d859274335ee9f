package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{Use: "token", Aliases: []string{"tokens"}, Short: "Create, get, refresh, show, verify, check, list, edit and revoke tokens"}
	c.AddCommand(a.tokenCreate(), a.tokenGet(), a.tokenRefresh(), a.tokenShow(), a.tokenVerify(), a.tokenCheck(), a.tokenList(), a.tokenEdit(), a.tokenRevoke(), a.tokenRevokeAll(), a.tokenDelete())
	return c
}

// load reads the profile and tells which file it stands on.
func (a *app) load() error {
	p, err := profile.Load(profile.Config{
		Flags: a.set, LookupEnv: a.LookupEnv, WorkDir: a.WorkDir, HomeDir: a.HomeDir, Program: a.Args[0],
		Profiles: a.profiles, Saved: a.readSaved, NoLocal: a.noLocal,
	})
	if err != nil {
		return err
	}
	a.profile = p
	if err := a.checkDialect(); err != nil {
		return err
	}
	a.readSecret()
	if p.Value("verbose").Bool() && a.flags.verbose == 0 {
		a.flags.verbose = 1
	}
	if p.File != "" {
		a.say(levelStory, "Configuration file: %s", safe(p.File))
	}
	// What a login saved is for ksctl's commands, which ask for it: others would
	// print no bare token any more.
	if v := p.Value("format"); a.flags.format == "" && v.Origin() > profile.Saved {
		a.flags.format = v.Reveal()
	}
	return a.checkFormat()
}

// checkDialect refuses a dialect that there is not, before anything hangs on it.
func (a *app) checkDialect() error {
	v := a.profile.Value("dialect")
	if v.IsZero() || slices.Contains(client.Dialects(), v.Reveal()) {
		return nil
	}
	problem := fmt.Sprintf("dialect %q is not one of %s; it comes from %s", safe(v.Reveal()), strings.Join(client.Dialects(), ", "), v.Source())
	if v.Origin() == profile.Flag {
		return &command.UsageError{Problem: problem, Hint: "ats-auth help dialects"}
	}
	return &configError{problem: problem, hint: "ats-auth help dialects"}
}

// newClient makes the client of the configured service.
func (a *app) newClient() (*client.Client, error) { return a.newClientWith(func(*client.Config) {}) }

// newClientAs is newClient for what is known to the service by another client id;
// "" for the configured one.
func (a *app) newClientAs(clientID string) (*client.Client, error) {
	return a.newClientWith(func(c *client.Config) {
		if clientID != "" {
			c.ClientID = clientID
		}
	})
}

// newClientWith is newClient with a change to its configuration.
func (a *app) newClientWith(change func(*client.Config)) (*client.Client, error) {
	if a.profile.Value(a.address()).IsZero() {
		return nil, a.noAddress()
	}
	config := a.clientConfig()
	if err := a.identify(&config); err != nil {
		return nil, err
	}
	change(&config)
	return a.openClient(config)
}

// clientConfig is how a service is reached.
func (a *app) clientConfig() client.Config {
	value := func(name string) string { return a.profile.Value(name).Reveal() }
	trace, _ := a.LookupEnv("ATS_AUTH_TRACE_SECRETS")
	return client.Config{
		URL: value("url"), Dialect: value("dialect"), CACert: value("cacert"), Cert: value("cert"), Key: value("key"),
		Insecure: a.profile.Value("insecure").Bool(), Timeout: a.profile.Value("timeout").Duration(),
		TraceSecrets: trace == "1", UserAgent: "ats-auth/" + a.Version,
	}
}

func (a *app) openClient(config client.Config) (*client.Client, error) {
	if a.flags.debug {
		config.Trace = func(line string) { a.tell(levelDebug, safe(line)) }
	}
	first := !a.asks
	a.asks = true
	c, err := client.New(config)
	if err != nil {
		return nil, &configError{problem: err.Error(), cause: err}
	}
	if c.Exposed() && first {
		a.warn("%s is not encrypted: what is sent can be read on the way", c.URL())
	}
	return c, nil
}

// noAddress says how to say where the service is.
func (a *app) noAddress() error {
	if a.saved.err != nil && !errors.Is(a.saved.err, session.ErrNoLogin) {
		return a.saved.err // it might have said
	}
	if a.dialect() == "oauth2" {
		return &configError{
			problem: "no issuer: give --issuer, ATS_AUTH_ISSUER, or issuer in the [client] of ats-auth-client.ini",
			hint:    "export ATS_AUTH_ISSUER=https://…",
		}
	}
	return &configError{
		problem: "no server URL: give --url, ATS_AUTH_URL, or server_url in the [session] of ats-auth-client.ini",
		hint:    "export ATS_AUTH_URL=https://…",
	}
}

// wanted is what is asked for beside the token itself.
func (a *app) wanted() token.Request {
	return token.Request{Scope: a.profile.Value("scope").Reveal(), Resources: a.profile.Value("resource").List()}
}

// oneToken is the token that a command is about: its argument, standard input
// for -, else ATS_AUTH_TOKEN, else standard input where that is no terminal.
func (a *app) oneToken(args []string) (string, error) {
	switch {
	case len(args) == 1 && args[0] != "-":
		return bare(args[0]), nil
	case len(args) == 0 && !a.profile.Value("token").IsZero():
		return a.profile.Value("token").Reveal(), nil
	case len(args) == 0 && a.terminalStdin:
		return "", command.Usage("no token: give it as an argument, in ATS_AUTH_TOKEN, or on standard input with -")
	}
	text, err := io.ReadAll(io.LimitReader(a.Stdin, maxLine))
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", command.Usage("no token on standard input")
	}
	return bare(string(text)), nil
}

// bare takes off what tokens are often wrapped in: blanks, Bearer, quotes.
func bare(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "Bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return s
}

// eachLine calls use for every line of standard input that holds something. A
// line over maxLine is cut there, which makes it a token too long.
func (a *app) eachLine(use func(number int, line string) error) error {
	r := bufio.NewReaderSize(a.Stdin, 64<<10)
	for number := 1; ; number++ {
		var line []byte
		for {
			part, prefix, err := r.ReadLine()
			if errors.Is(err, io.EOF) && len(line) == 0 {
				return nil
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if len(line) <= maxLine {
				line = append(line, part...)
			}
			if !prefix {
				break
			}
		}
		if text := bare(string(line)); text != "" {
			if err := use(number, text); err != nil {
				return err
			}
		}
	}
}

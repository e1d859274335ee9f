package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) applicationCommand() *cobra.Command {
	c := &cobra.Command{Use: "application", Short: "Manage the applications, the clients of OAuth 2.0"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the application")
	c.AddCommand(
		a.applicationAdd(&tenant), a.applicationList(&tenant), a.applicationShow(&tenant),
		a.applicationDelete(&tenant), a.applicationSecret(&tenant),
	)
	return c
}

// applicationFlags are what an application is made from.
type applicationFlags struct {
	made   store.Application
	public bool
	jwks   string // file
	// organisation is the name of the one it is made for; empty: none.
	organisation string
}

func (f *applicationFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.made.ID, "client-id", "", "its client_id `ID`; default: a random one")
	flags.BoolVar(&f.public, "public", false, "it can keep no secret: a program on a person's device, a page in a browser")
	flags.StringArrayVar(&f.made.Grants, "grant", nil, "allow a `GRANT` by its grant_type; code, device_code and token_exchange are short for theirs")
	flags.StringArrayVar(&f.made.RedirectURIs, "redirect-uri", nil, "send codes to `URI`, compared character for character but for the port of a loopback address")
	flags.StringArrayVar(&f.made.Scopes, "scope", nil, "allow a `SCOPE`")
	flags.StringArrayVar(&f.made.Audiences, "audience", nil, "allow tokens for the service at `URI`")
	flags.StringVar(&f.made.AuthMethod, "auth-method", "", "prove who it is by `METHOD` alone: client_secret_basic, client_secret_post or private_key_jwt; default: its secret, in the header or the body")
	flags.StringVar(&f.jwks, "jwks", "", "`FILE` of its public keys, a JWK set, for private_key_jwt")
	flags.BoolVar(&f.made.Introspect, "introspect", false, "let it introspect every token, not only its own")
	flags.BoolVar(&f.made.PKCEOptional, "pkce-optional", false, "let it ask for codes without PKCE (RFC 7636), which it does not know; never with --public")
	flags.BoolVar(&f.made.SkipConsent, "skip-consent", false, "ask nobody to consent: it belongs to the house")
	flags.Func("organisation", "make it for the awx door: one of the organisation `NAME`", func(name string) error {
		f.organisation = name
		return namesOrganisation(name)
	})
	flags.StringVar(&f.made.Description, "description", "", "say what it is for, a `TEXT`")
	flags.BoolVar(&f.made.Implicit, "implicit", false, "let it ask for a token in the place of a code (RFC 6749 section 4.2), which whoever sees its address may take; with --organisation alone")
}

// application is what the flags say, for the service to judge.
func (f *applicationFlags) application(tenant, name string) (store.Application, error) {
	a := f.made
	a.Tenant, a.Name = tenant, name
	switch {
	case len(a.Grants) == 0 && !a.Implicit:
		return a, command.Usage("application add: which grants? --grant client_credentials, say")
	case a.Implicit && f.organisation == "":
		return a, command.Usage("--implicit is for an application of the awx door: --organisation NAME")
	}
	a.Grants = slices.Clone(a.Grants)
	for i, g := range a.Grants {
		a.Grants[i] = grantType(g)
	}
	a.Scopes = strings.Fields(strings.Join(a.Scopes, " "))
	if f.public {
		if a.AuthMethod != "" && a.AuthMethod != "none" {
			return a, command.Usage("--public and --auth-method %s exclude each other", a.AuthMethod)
		}
		a.AuthMethod = "none"
	}
	if f.jwks == "" {
		return a, nil
	}
	text, err := readPublicFile(f.jwks)
	a.JWKS = string(text)
	return a, err
}

// belong makes an application one of the awx door, where an organisation is named:
// with its words as scopes, and a client_id of letters and digits as its clients
// know it, unless others are given.
func (f *applicationFlags) belong(ctx context.Context, s *server.Server, a *store.Application) error {
	if f.organisation == "" {
		return nil
	}
	o, err := knownOrganisation(ctx, s, a.Tenant, f.organisation)
	if err != nil {
		return err
	}
	a.Organisation = o.Number
	if len(a.Scopes) == 0 {
		a.Scopes = []string{"read", "write"}
	}
	if a.ID == "" {
		a.ID = (rand.Text() + rand.Text())[:40]
	}
	return nil
}

// grantType is the registered value that a short name stands for.
func grantType(name string) string {
	switch name {
	case "code":
		return token.GrantAuthorizationCode
	case "device_code":
		return token.GrantDeviceCode
	case "token_exchange", "token-exchange":
		return token.GrantTokenExchange
	}
	return name
}

// readPublicFile reads what anybody may know.
func readPublicFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, inifile.FileError(name, err)
	}
	defer f.Close()
	return inifile.ReadBounded(f, name, inifile.MaxSecret)
}

func (a *app) applicationAdd(tenant *string) *cobra.Command {
	var f applicationFlags
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add an application, and print its client_id and client_secret", Args: cobra.ExactArgs(1),
		Long: `Add an application, and print its client_id and, this once, its client_secret.

With --organisation it is one of the awx door: it may ask for the scopes read and
write, its client_id is 40 letters and digits, its client_secret 128, and plain
http will do for its redirect URIs, compared character for character. That door
knows an application by one grant, code, password or client_credentials, or by
--implicit, and by refresh_token besides the first two.`,
		Example: "  ats-auth-server application add Billing --grant client_credentials --scope read\n" +
			"  ats-auth-server application add Notes --public --grant code --grant refresh_token --redirect-uri http://127.0.0.1/callback\n" +
			"  ats-auth-server application add Deploy --organisation Default --grant password --grant refresh_token",
		RunE: func(c *cobra.Command, args []string) error {
			wanted, err := f.application(*tenant, args[0])
			if err != nil {
				return err
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			return a.withStore(c.Context(), config, func(s *server.Server) error {
				if err := f.belong(c.Context(), s, &wanted); err != nil {
					return err
				}
				return a.addApplication(c.Context(), s, wanted)
			})
		},
	})
	f.add(c)
	return c
}

func (a *app) addApplication(ctx context.Context, s *server.Server, wanted store.Application) error {
	made, secret, err := s.AddApplication(ctx, wanted)
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("there is an application or a user %q already", wanted.ID)
	}
	if err != nil {
		return err
	}
	if slices.Contains(made.Grants, token.GrantPassword) {
		a.say("warning: with the password grant people tell the application their password: RFC 9700 section 2.4 forbids it, for others' applications above all")
	}
	a.say("application %s added", made.Name)
	return a.answerCredentials(made, secret)
}

// answerCredentials prints what an application logs in with, its secret the only
// time.
func (a *app) answerCredentials(made store.Application, secret token.Secret) error {
	rows := [][2]string{{"name", made.Name}, {"client_id", made.ID}}
	if !secret.IsZero() {
		rows = append(rows, [2]string{"client_secret", secret.Reveal()})
		a.say("its client_secret is shown this once: keep it")
	}
	object := make(map[string]string)
	for _, r := range rows {
		object[r[0]] = r[1]
	}
	return a.answer(object, aligned(rows))
}

// aligned prints names and values in two columns.
func aligned(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %s\n", width, r[0], r[1])
	}
	return b.String()
}

// allApplications are those of a tenant, by ID.
func allApplications(ctx context.Context, s *server.Server, tenant string) ([]store.Application, error) {
	return paged(func(after string, limit int) ([]store.Application, error) {
		return s.ListApplications(ctx, tenant, after, limit)
	}, func(a store.Application) string { return a.ID })
}

// knownApplication is an application that there is: by its client_id, else by
// its name where no other has it.
func knownApplication(ctx context.Context, s *server.Server, tenant, id string) (store.Application, error) {
	found, err := s.Application(ctx, tenant, id)
	if !errors.Is(err, store.ErrNotFound) {
		return found, err
	}
	all, err := allApplications(ctx, s, tenant)
	if err != nil {
		return found, err
	}
	var ids []string
	for _, a := range all {
		if a.Name == id {
			found, ids = a, append(ids, a.ID)
		}
	}
	switch len(ids) {
	case 0:
		return found, fmt.Errorf("there is no application %q", id)
	case 1:
		return found, nil
	}
	return found, fmt.Errorf("%d applications are called %q: say which by its client_id: %s", len(ids), id, strings.Join(ids, ", "))
}

// applicationChange is a command that does one thing to an application.
func (a *app) applicationChange(tenant *string, use, short string, change func(context.Context, *server.Server, store.Application) error) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		Long: short + ". ID is its client_id,\nor its name where no other application has that.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				known, err := knownApplication(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				return change(c.Context(), s, known)
			})
		},
	})
}

func (a *app) applicationDelete(tenant *string) *cobra.Command {
	return a.applicationChange(tenant, "delete ID", "Delete an application; its tokens and logins are void then",
		func(ctx context.Context, s *server.Server, known store.Application) error {
			if err := s.DeleteApplication(ctx, known.Tenant, known.ID); err != nil {
				return err
			}
			a.say("application %s (%s) deleted; all its tokens and logins are void", known.Name, known.ID)
			return a.answer(map[string]string{"name": known.Name, "client_id": known.ID}, "")
		})
}

func (a *app) applicationSecret(tenant *string) *cobra.Command {
	return a.applicationChange(tenant, "secret ID", "Give an application a new client_secret; the old is void",
		func(ctx context.Context, s *server.Server, known store.Application) error {
			secret, err := s.SetApplicationSecret(ctx, known.Tenant, known.ID)
			if err != nil {
				return err
			}
			a.say("application %s has a new client_secret; the old one is void, its tokens stay good", known.Name)
			return a.answerCredentials(known, secret)
		})
}

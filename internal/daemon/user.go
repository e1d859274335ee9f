package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Manage the users who log in with a password"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the user")
	c.AddCommand(
		a.userAdd(&tenant), a.userList(&tenant), a.userShow(&tenant), a.userPasswd(&tenant),
		a.userChange(&tenant, "disable NAME", "Disable a user; the user's tokens and logins are void then", "user %s disabled; all the user's tokens and logins are void",
			func(ctx context.Context, s *server.Server, name string) error {
				return s.SetDisabled(ctx, tenant, name, true)
			}),
		a.userChange(&tenant, "enable NAME", "Enable a disabled user", "user %s enabled",
			func(ctx context.Context, s *server.Server, name string) error {
				return s.SetDisabled(ctx, tenant, name, false)
			}),
		a.userChange(&tenant, "delete NAME", "Delete a user; the user's tokens and logins are void then", "user %s deleted; all the user's tokens and logins are void",
			func(ctx context.Context, s *server.Server, name string) error {
				return s.DeleteUser(ctx, tenant, name)
			}),
	)
	return c
}

// passwordFlags are the ways to give a new password, none of them an argument.
type passwordFlags struct {
	stdin    bool
	file     string
	generate bool
}

func (p *passwordFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input")
	c.Flags().StringVar(&p.file, "password-file", "", "read the password from `FILE`")
	c.Flags().BoolVar(&p.generate, "generate", false, "make a password and print it on stdout")
}

// check refuses two ways at once.
func (p *passwordFlags) check() error {
	if p.stdin && p.file != "" || p.generate && (p.stdin || p.file != "") {
		return command.Usage("of --password-stdin, --password-file and --generate only one can be meant")
	}
	return nil
}

// readPassword returns the new password, from the terminal where nothing else is said.
func (a *app) readPassword(ctx context.Context, p passwordFlags, name string) (token.Secret, error) {
	var text string
	var err error
	switch {
	case p.generate:
		text = strings.ToLower(rand.Text())
	case p.stdin:
		text, err = a.secretFromStdin(ctx)
	case p.file != "":
		text, err = inifile.ReadSecretFile(p.file)
	default:
		text, err = a.askPassword(ctx, name)
	}
	return token.NewPassword(text), err
}

// secretFromStdin reads all of standard input, less one newline, or until ctx
// ends: SIGINT does not interrupt a read by itself.
func (a *app) secretFromStdin(ctx context.Context) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := inifile.ReadBounded(a.Stdin, "standard input", inifile.MaxSecret)
		read <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-read:
		secret := inifile.DropNewline(string(r.text))
		if r.err == nil && secret == "" {
			return "", command.Usage("nothing came on standard input")
		}
		return secret, r.err
	}
}

func (a *app) askPassword(ctx context.Context, name string) (string, error) {
	first, err := a.ReadPassword(ctx, fmt.Sprintf("New password for user %s: ", name))
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &command.UsageError{
			Problem: fmt.Sprintf("no password: give --password-stdin, --password-file or --generate (%v)", err),
		}
	}
	if first == "" {
		return "", errors.New("the password is empty; nothing was changed")
	}
	again, err := a.ReadPassword(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func (a *app) userAdd(tenant *string) *cobra.Command {
	var p passwordFlags
	var roles []string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add a user", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server user add marco --generate\n  ats-auth-server user add admin --role admin --password-file admin.txt",
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), checkRoles(roles)); err != nil {
				return err
			}
			if args[0] == "" {
				return command.Usage("the user name is empty")
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			return a.withStore(c.Context(), config, func(s *server.Server) error {
				_, err := s.User(c.Context(), *tenant, args[0])
				if err == nil {
					return fmt.Errorf("there is a user %q already", args[0])
				} else if !errors.Is(err, store.ErrNotFound) {
					return err
				}
				password, err := a.readPassword(c.Context(), p, args[0])
				if err != nil {
					return err
				}
				u := store.User{Tenant: *tenant, Name: args[0], Roles: roles}
				if err := s.AddUser(c.Context(), u, password); errors.Is(err, store.ErrExists) {
					return fmt.Errorf("there is an application or a user %q already", args[0])
				} else if err != nil {
					return err
				}
				a.say("user %s added", args[0])
				return a.answerGenerated(p, args[0], password)
			})
		},
	})
	p.add(c)
	c.Flags().StringArrayVar(&roles, "role", nil, "give the user a `ROLE`: admin or auditor")
	return c
}

func checkRoles(roles []string) error {
	for _, role := range roles {
		if role != store.RoleAdmin && role != store.RoleAuditor {
			return command.Usage("role %q is neither %s nor %s", role, store.RoleAdmin, store.RoleAuditor)
		}
	}
	return nil
}

// knownUser is a user that there is.
func knownUser(ctx context.Context, s *server.Server, tenant, name string) (store.User, error) {
	u, err := s.User(ctx, tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return u, fmt.Errorf("there is no user %q", name)
	}
	return u, err
}

// answerGenerated prints a password that was made, the only time.
func (a *app) answerGenerated(p passwordFlags, name string, password token.Secret) error {
	object := map[string]string{"name": name}
	table := ""
	if p.generate {
		object["password"] = password.Reveal()
		table = password.Reveal() + "\n"
	}
	return a.answer(object, table)
}

func (a *app) userPasswd(tenant *string) *cobra.Command {
	var p passwordFlags
	var keep bool
	c := a.formatFlag(&cobra.Command{
		Use: "passwd NAME", Short: "Change a password; the user's tokens and logins are void then", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if _, err := knownUser(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				password, err := a.readPassword(c.Context(), p, args[0])
				if err != nil {
					return err
				}
				if err := s.SetPassword(c.Context(), *tenant, args[0], password, keep); err != nil {
					return err
				}
				if keep {
					a.say("password of %s changed; tokens and logins stay good", args[0])
				} else {
					a.say("password of %s changed; all the user's tokens and logins are void", args[0])
				}
				return a.answerGenerated(p, args[0], password)
			})
		},
	})
	p.add(c)
	c.Flags().BoolVar(&keep, "keep-tokens", false, "spare the user's tokens and logins")
	return c
}

// userChange is a command that does one thing to a user.
func (a *app) userChange(tenant *string, use, short, done string, change func(context.Context, *server.Server, string) error) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				if _, err := knownUser(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				if err := change(c.Context(), s, args[0]); err != nil {
					return err
				}
				a.say(done, args[0])
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	})
}

// userView is what is shown of a user.
type userView struct {
	Name     string   `json:"name"`
	Tenant   string   `json:"tenant"`
	Roles    []string `json:"roles"`
	Disabled bool     `json:"disabled"`
	Created  string   `json:"created_at"`
	Updated  string   `json:"updated_at"`
}

func viewUser(u store.User) userView {
	return userView{u.Name, u.Tenant, append([]string{}, u.Roles...), u.Disabled, stamp(u.CreatedAt), stamp(u.UpdatedAt)}
}

func stamp(microseconds int64) string {
	if microseconds == 0 {
		return ""
	}
	return time.UnixMicro(microseconds).UTC().Format(time.RFC3339)
}

// orDash keeps the columns of a table apart.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func userTable(users []userView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLES\tSTATE\tCREATED")
	for _, u := range users {
		state := "enabled"
		if u.Disabled {
			state = "disabled"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, orDash(strings.Join(u.Roles, ",")), state, u.Created)
	}
	w.Flush()
	return b.String()
}

func (a *app) userList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the users",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				const page = 1000
				views := []userView{}
				for after := ""; ; {
					users, err := s.ListUsers(c.Context(), *tenant, after, page)
					if err != nil {
						return err
					}
					for _, u := range users {
						views = append(views, viewUser(u))
						after = u.Name
					}
					if len(users) < page {
						return a.answer(views, userTable(views))
					}
				}
			})
		},
	})
}

func (a *app) userShow(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a user", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				u, err := knownUser(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				v := viewUser(u)
				return a.answer(v, userTable([]userView{v}))
			})
		},
	})
}

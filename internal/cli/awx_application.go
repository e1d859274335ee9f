package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// applicationVerb is what is done with applications, in the name of the bearer. The
// text is the command's argument.
type applicationVerb func(ctx context.Context, s *client.Client, bearer token.Secret, text string) ([]*token.Application, error)

func (a *app) applicationCommand() *cobra.Command {
	c := &cobra.Command{Use: "application", Aliases: []string{"applications"}, Short: "List, create, show and delete the applications of an AWX server"}
	c.AddCommand(
		a.applicationVerb("list", "List the applications that you may see", func(ctx context.Context, s *client.Client, bearer token.Secret, _ string) ([]*token.Application, error) {
			return s.ListApplications(ctx, bearer)
		}),
		a.applicationCreate(),
		a.applicationVerb("show ID", "Show an application", func(ctx context.Context, s *client.Client, bearer token.Secret, id string) ([]*token.Application, error) {
			found, err := s.GetApplication(ctx, bearer, id)
			return []*token.Application{found}, err
		}),
		a.applicationVerb("delete ID", "Delete an application, and all tokens that it has", func(ctx context.Context, s *client.Client, bearer token.Secret, id string) ([]*token.Application, error) {
			if err := s.DeleteApplication(ctx, bearer, id); err != nil {
				return nil, err
			}
			a.say(levelInfo, "Application %s deleted, and its tokens.", safe(id))
			return nil, nil
		}),
	)
	return c
}

// applicationVerb makes one of the commands; show and delete take an ID.
func (a *app) applicationVerb(use, short string, do applicationVerb) *cobra.Command {
	name, _, one := strings.Cut(use, " ")
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		Long: short + `. It is done in the name of ATS_AUTH_TOKEN, else of
the saved login, else by name and password. Only the awx dialect has applications.`,
		RunE: func(c *cobra.Command, args []string) error {
			if one && strings.Trim(args[0], "0123456789") != "" {
				return command.Usage("an application's ID is a number: application list shows it")
			}
			return a.runApplications(c.Context(), func(ctx context.Context, s *client.Client, bearer token.Secret) error {
				list, err := do(ctx, s, bearer, strings.Join(args, ""))
				if err != nil || name == "delete" {
					return err
				}
				return a.printApplications(list, name == "list")
			})
		},
	}
	if one {
		c.Args = cobra.ExactArgs(1)
	}
	a.later(c, func() { a.applicationListFlags(c) })
	return c
}

func (a *app) applicationListFlags(c *cobra.Command) {
	a.credentialFlags(c.Flags())
	c.Flags().StringVarP(&a.flags.format, "format", "f", "", "how to print: "+strings.Join(listFormats(), ", "))
	c.Flags().StringArrayVarP(&a.flags.columns, "column", "c", nil, "print this `NAME` only: "+strings.Join(applicationColumns(), ", "))
}

func (a *app) applicationCreate() *cobra.Command {
	var wanted token.Application
	c := &cobra.Command{
		Use: "create NAME", Short: "Create an application, and print its client_id and, this once, its client_secret", Args: cobra.ExactArgs(1),
		Long: `Create an application, and print its client_id and, this once, its client_secret.
It is done in the name of ATS_AUTH_TOKEN, else of the saved login, else by name and
password, of an administrator of the organization. Only the awx dialect has
applications.`,
		Example: `  ats-auth application create report --organization Default
  ats-auth application create portal --organization 1 --grant authorization-code --redirect-uri https://portal.example.org/callback`,
		RunE: func(c *cobra.Command, args []string) error {
			wanted.Name = args[0]
			return a.runApplications(c.Context(), func(ctx context.Context, s *client.Client, bearer token.Secret) error {
				made, err := s.CreateApplication(ctx, bearer, &wanted)
				if err != nil {
					return err
				}
				if !made.ClientSecret.IsZero() {
					a.say(levelInfo, "Its client_secret is shown this once: keep it.")
				}
				return a.printApplications([]*token.Application{made}, false)
			})
		},
	}
	a.later(c, func() {
		f := c.Flags()
		f.StringVar(&wanted.Organization, "organization", "", "`ORGANIZATION` that it belongs to, by its name or number")
		f.StringVar(&wanted.ClientType, "client-type", "confidential", "`TYPE`: confidential, or public for one that can keep no secret")
		f.StringVar(&wanted.Grant, "grant", "password", "`WAY` to its tokens: password, authorization-code, implicit or client-credentials")
		f.StringVar(&wanted.RedirectURIs, "redirect-uri", "", "`URI` that a browser may come back to; several separated by blanks")
		f.StringVar(&wanted.Description, "description", "", "what it is for, in `WORDS`")
		a.applicationListFlags(c)
	})
	return c
}

// runApplications does something in the awx dialect alone.
func (a *app) runApplications(ctx context.Context, do func(context.Context, *client.Client, token.Secret) error) error {
	if err := a.load(); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains(listFormats(), f) {
		return command.Usage("applications cannot be printed as %s, only as %s", f, strings.Join(listFormats(), ", "))
	}
	if err := a.checkColumns(applicationColumns()...); err != nil {
		return err
	}
	if a.dialect() != "awx" {
		return token.Refuse(token.ErrUnsupported, "the %s dialect has no applications to manage", safe(a.dialect()))
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	err = do(ctx, service, bearer)
	// What is not known with a reason is the application, unless it is the bearer.
	if refusal := (*token.Refusal)(nil); errors.As(err, &refusal) && errors.Is(err, token.ErrUnknown) && strings.HasPrefix(refusal.Reason, "the server has no such thing") {
		return token.Refuse(token.ErrDenied, "%s", refusal.Reason)
	}
	return err
}

func applicationColumns() []string {
	var names []string
	for _, f := range applicationRecord(new(token.Application)) {
		names = append(names, f.name)
	}
	return names
}

func applicationRecord(p *token.Application) record {
	return record{
		{"client_id", p.ClientID},
		{"client_secret", p.ClientSecret.Reveal()},
		{"id", p.ID},
		{"name", p.Name},
		{"organization", p.Organization},
		{"client_type", p.ClientType},
		{"grant", p.Grant},
		{"redirect_uris", p.RedirectURIs},
		{"description", p.Description},
		{"created_at", stamp(p.CreatedAt)},
	}
}

// printApplications prints a list, or one application for itself.
func (a *app) printApplications(list []*token.Application, many bool) error {
	table := a.flags.format == "" || a.flags.format == "table"
	if many && table && len(list) == 0 {
		a.say(levelInfo, "No applications.")
		return nil
	}
	records := make([]record, len(list))
	for i, p := range list {
		records[i] = applicationRecord(p)
		if p.ClientSecret.IsZero() && !slices.Contains(a.flags.columns, "client_secret") {
			records[i] = slices.Delete(records[i], 1, 2)
		}
	}
	if many {
		if table && len(a.flags.columns) == 0 {
			for i, r := range records {
				records[i] = record{r[1], r[2], r[3], r[4], r[5], r[0]}
			}
		}
		return a.printList(records)
	}
	if a.flags.format == "" && len(a.flags.columns) == 0 {
		a.flags.format = "table"
	}
	return a.print(records[0])
}

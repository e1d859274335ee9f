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

var propertyColumns = []string{"name", "value", "description"}

// propertyArgs are a property's name and value, which ksctl takes as flags.
type propertyArgs struct{ name, value string }

// propertyVerb is what is done, in the name of the bearer.
type propertyVerb func(ctx context.Context, service *client.Client, bearer token.Secret, p propertyArgs) ([]token.Property, error)

func one(p token.Property, err error) ([]token.Property, error) { return []token.Property{p}, err }

func (a *app) propertyCommand() *cobra.Command {
	c := &cobra.Command{Use: "property", Aliases: []string{"properties"}, Short: "List, get, set and reset the system properties of a CipherTrust server"}
	c.AddCommand(
		a.propertyVerb("list", "List the system properties", nil, 0,
			func(ctx context.Context, s *client.Client, bearer token.Secret, _ propertyArgs) ([]token.Property, error) {
				return s.ListProperties(ctx, bearer)
			}),
		a.propertyVerb("get NAME", "Show a system property", nil, 1,
			func(ctx context.Context, s *client.Client, bearer token.Secret, p propertyArgs) ([]token.Property, error) {
				return one(s.GetProperty(ctx, bearer, p.name))
			}),
		a.propertyVerb("set NAME VALUE", "Set a system property", []string{"modify"}, 2,
			func(ctx context.Context, s *client.Client, bearer token.Secret, p propertyArgs) ([]token.Property, error) {
				return one(s.SetProperty(ctx, bearer, p.name, p.value))
			}),
		a.propertyVerb("reset NAME", "Make a system property one that is not set", nil, 1,
			func(ctx context.Context, s *client.Client, bearer token.Secret, p propertyArgs) ([]token.Property, error) {
				return one(s.ResetProperty(ctx, bearer, p.name))
			}),
	)
	return c
}

// propertyVerb makes one of the commands, which takes so many arguments.
func (a *app) propertyVerb(use, short string, aliases []string, count int, do propertyVerb) *cobra.Command {
	var given propertyArgs
	c := &cobra.Command{
		Use: use, Aliases: aliases, Short: short, Args: cobra.MaximumNArgs(count),
		Long: short + `, in the name of an admin: of ATS_AUTH_TOKEN, else of the saved
login, else after a login with the usual credentials. Only the ciphertrust
dialect has system properties.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := given.fill(c, args, count); err != nil {
				return err
			}
			return a.runProperty(c.Context(), do, given)
		},
	}
	a.later(c, func() {
		if count > 0 {
			c.Flags().StringVar(&given.name, "name", "", "the `NAME`, instead of the argument")
		}
		if count > 1 {
			c.Flags().StringVar(&given.value, "value", "", "the `VALUE`, instead of the argument")
		}
		a.credentialFlags(c.Flags())
		c.Flags().StringVarP(&a.flags.format, "format", "f", "", "how to print: "+strings.Join(listFormats(), ", "))
		c.Flags().StringArrayVarP(&a.flags.columns, "column", "c", nil, "print this `NAME` only: "+strings.Join(propertyColumns, ", "))
	})
	return c
}

// fill takes from the arguments what flags have not said.
func (p *propertyArgs) fill(c *cobra.Command, args []string, count int) error {
	for i, into := range []*string{&p.name, &p.value}[:count] {
		name := []string{"name", "value"}[i]
		if c.Flags().Changed(name) {
			continue
		}
		if len(args) == 0 {
			return command.Usage("the property's %s is missing; usage: %s", name, strings.TrimSuffix(c.UseLine(), " [flags]"))
		}
		*into, args = args[0], args[1:]
	}
	if len(args) > 0 {
		return command.Usage("too many arguments; usage: %s", strings.TrimSuffix(c.UseLine(), " [flags]"))
	}
	return nil
}

func (a *app) runProperty(ctx context.Context, do propertyVerb, given propertyArgs) error {
	if err := a.load(); err != nil {
		return err
	}
	if f := a.flags.format; f != "" && !slices.Contains(listFormats(), f) {
		return command.Usage("properties cannot be printed as %s, only as %s", f, strings.Join(listFormats(), ", "))
	}
	if err := a.checkColumns(propertyColumns...); err != nil {
		return err
	}
	if a.dialect() != "ciphertrust" {
		return of("ciphertrust", "the %s dialect has no system properties", safe(a.dialect()))
	}
	service, bearer, err := a.actor(ctx, "")
	if err != nil {
		return err
	}
	properties, err := do(ctx, service, bearer, given)
	// What is not known with a reason is the name, not the bearer.
	if refusal := (*token.Refusal)(nil); errors.As(err, &refusal) && errors.Is(err, token.ErrUnknown) {
		return token.Refuse(token.ErrDenied, "%s", refusal.Reason)
	}
	if err != nil {
		return err
	}
	list := make([]record, len(properties))
	for i, p := range properties {
		list[i] = record{{"name", p.Name}, {"value", p.Value}, {"description", p.Description}}
	}
	return a.printList(list)
}

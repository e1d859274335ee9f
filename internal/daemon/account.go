package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// accounts are those who log in with a password, users or service accounts, and
// what is done to both alike.
type accounts struct {
	what        string // "user"
	whose, void string // "the user's", "tokens and logins"
	find        func(ctx context.Context, s *server.Server, tenant, name string) error
	setPassword func(s *server.Server, ctx context.Context, tenant, name string, password token.Secret, keepTokens bool) error
	setDisabled func(s *server.Server, ctx context.Context, tenant, name string, disabled bool) error
	remove      func(s *server.Server, ctx context.Context, tenant, name string) error
}

// known refuses a name that there is not.
func (all accounts) known(ctx context.Context, s *server.Server, tenant, name string) error {
	err := all.find(ctx, s, tenant, name)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := s.Tenant(ctx, tenant); err != nil {
		return err
	}
	return fmt.Errorf("there is no %s %q", all.what, name)
}

// free refuses a name that is taken, and a tenant that there is not, before
// anybody is asked for a password.
func (all accounts) free(ctx context.Context, s *server.Server, tenant, name string) error {
	if _, err := s.Tenant(ctx, tenant); err != nil {
		return err
	}
	switch err := all.find(ctx, s, tenant, name); {
	case err == nil:
		return fmt.Errorf("there is a %s %q already", all.what, name)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

// commands are passwd, disable, enable and delete.
func (all accounts) commands(a *app, tenant *string) []*cobra.Command {
	void := fmt.Sprintf("%s %s are void", all.whose, all.void)
	disable := func(disabled bool) func(context.Context, *server.Server, string) error {
		return func(ctx context.Context, s *server.Server, name string) error {
			return all.setDisabled(s, ctx, *tenant, name, disabled)
		}
	}
	remove := func(ctx context.Context, s *server.Server, name string) error {
		return all.remove(s, ctx, *tenant, name)
	}
	return []*cobra.Command{
		all.passwd(a, tenant),
		all.change(a, tenant, "disable NAME", "Disable a "+all.what+"; "+void+" then", "disabled; all "+void, disable(true)),
		all.change(a, tenant, "enable NAME", "Enable a disabled "+all.what, "enabled", disable(false)),
		all.change(a, tenant, "delete NAME", "Delete a "+all.what+"; "+void+" then", "deleted; all "+void, remove),
	}
}

func (all accounts) passwd(a *app, tenant *string) *cobra.Command {
	var p passwordFlags
	var keep bool
	c := a.formatFlag(&cobra.Command{
		Use: "passwd NAME", Short: fmt.Sprintf("Change a password; %s %s are void then", all.whose, all.void), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if err := all.known(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				password, err := a.readPassword(c.Context(), p, all.what+" "+args[0])
				if err != nil {
					return err
				}
				if err := all.setPassword(s, c.Context(), *tenant, args[0], password, keep); err != nil {
					return err
				}
				if keep {
					a.say("password of %s changed; %s stay good", args[0], all.void)
				} else {
					a.say("password of %s changed; all %s %s are void", args[0], all.whose, all.void)
				}
				return a.answerGenerated(p, args[0], password)
			})
		},
	})
	p.add(c)
	c.Flags().BoolVar(&keep, "keep-tokens", false, fmt.Sprintf("spare %s %s", all.whose, all.void))
	return c
}

// change is a command that does one thing to an account.
func (all accounts) change(a *app, tenant *string, use, short, done string, change func(context.Context, *server.Server, string) error) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				if err := all.known(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				if err := change(c.Context(), s, args[0]); err != nil {
					return err
				}
				a.say("%s %s %s", all.what, args[0], done)
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	})
}

// inTenant is with for a command that asks about what a tenant holds, which must
// be there: nothing found in a mistyped one is no answer.
func (a *app) inTenant(ctx context.Context, tenant string, use func(*server.Server) error) error {
	return a.with(ctx, func(s *server.Server) error {
		if _, err := s.Tenant(ctx, tenant); err != nil {
			return err
		}
		return use(s)
	})
}

// paged reads all of a list that comes in pages, each after the last one's key.
func paged[T any](read func(after string, limit int) ([]T, error), key func(T) string) ([]T, error) {
	const page = 1000
	var all []T
	for after := ""; ; after = key(all[len(all)-1]) {
		list, err := read(after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if len(list) < page {
			return all, nil
		}
	}
}

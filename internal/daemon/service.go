package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) serviceCommand() *cobra.Command {
	c := &cobra.Command{Use: "service", Short: "Manage the service accounts, which mint tokens at the tapis door"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the service account")
	c.AddCommand(a.serviceAdd(&tenant), a.serviceList(&tenant), a.serviceShow(&tenant), a.serviceSet(&tenant))
	c.AddCommand(services().commands(a, &tenant)...)
	return c
}

// services are no users: one of each may have the same name.
func services() accounts {
	return accounts{
		what: "service account", whose: "its", void: "tokens",
		find: func(ctx context.Context, s *server.Server, tenant, name string) error {
			_, err := s.ServiceAccount(ctx, tenant, name)
			return err
		},
		setPassword: (*server.Server).SetServicePassword, setDisabled: (*server.Server).SetServiceDisabled, remove: (*server.Server).DeleteServiceAccount,
	}
}

// mintFlag names the tenants in which a service account may mint, the empty name none.
func mintFlag(c *cobra.Command, tenants *[]string) {
	c.Flags().StringArrayVar(tenants, "may-mint", nil, "let it mint tokens of anybody in the `TENANT`")
}

// mintIn is what --may-mint names.
func mintIn(tenants []string) []string {
	return slices.DeleteFunc(slices.Clone(tenants), func(name string) bool { return name == "" })
}

func (a *app) serviceAdd(tenant *string) *cobra.Command {
	var p passwordFlags
	var mayMint []string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add a service account", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server service add files --tenant admin --may-mint dev --may-mint tacc --generate",
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if args[0] == "" {
				return command.Usage("the name of the service account is empty")
			}
			if strings.Contains(args[0], ":") {
				return command.Usage("service account %q: a name with a colon cannot log in by HTTP Basic (RFC 7617)", args[0])
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			made := store.ServiceAccount{Tenant: *tenant, Name: args[0], MayMint: mintIn(mayMint)}
			password := a.passwordOnce(c.Context(), p, "service account "+made.Name)
			return a.withNew(c.Context(), config, func(s *server.Server) error {
				return addService(c.Context(), s, made, password)
			}, func(s *server.Server) error {
				a.say("service account %s added", made.Name)
				a.hintClosed(s)
				secret, _ := password() // it was read
				return a.answerGenerated(p, made.Name, secret)
			})
		},
	})
	p.add(c)
	mintFlag(c, &mayMint)
	return c
}

func addService(ctx context.Context, s *server.Server, made store.ServiceAccount, password func() (token.Secret, error)) error {
	if err := services().free(ctx, s, made.Tenant, made.Name); err != nil {
		return err
	}
	for _, tenant := range made.MayMint {
		if _, err := s.Tenant(ctx, tenant); err != nil {
			return err
		}
	}
	secret, err := password()
	if err != nil {
		return err
	}
	if err := s.AddServiceAccount(ctx, made, secret); errors.Is(err, store.ErrExists) {
		return fmt.Errorf("there is a service account %q already", made.Name)
	} else if err != nil {
		return err
	}
	return nil
}

func (a *app) serviceSet(tenant *string) *cobra.Command {
	var mayMint []string
	c := a.formatFlag(&cobra.Command{
		Use: "set NAME --may-mint TENANT", Short: "Change where a service account mints for others", Args: cobra.ExactArgs(1),
		Long: `Change where a service account mints for others: in the tenants that are named
here, and in no other. --may-mint '' alone is nowhere. Its tokens, and those that
it has minted, stay good.`,
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("may-mint") {
				return command.Usage("service set: mint where? --may-mint TENANT, or --may-mint '' for nowhere")
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if err := services().known(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				tenants := mintIn(mayMint)
				if err := s.SetMayMint(c.Context(), *tenant, args[0], tenants); err != nil {
					return err
				}
				a.say("service account %s may mint for others in: %s", args[0], orDash(strings.Join(tenants, ", ")))
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	})
	mintFlag(c, &mayMint)
	return c
}

// serviceView is what is shown of a service account.
type serviceView struct {
	Name     string   `json:"name"`
	Tenant   string   `json:"tenant"`
	MayMint  []string `json:"may_mint"`
	Disabled bool     `json:"disabled"`
	Created  string   `json:"created_at"`
	Updated  string   `json:"updated_at"`
}

func viewService(a store.ServiceAccount) serviceView {
	return serviceView{a.Name, a.Tenant, append([]string{}, a.MayMint...), a.Disabled, stamp(a.CreatedAt), stamp(a.UpdatedAt)}
}

func serviceTable(views []serviceView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTENANT\tMAY MINT IN\tSTATE\tCREATED")
	for _, v := range views {
		fmt.Fprintln(w, strings.Join([]string{v.Name, v.Tenant, orDash(strings.Join(v.MayMint, ",")), enabled(!v.Disabled), v.Created}, "\t"))
	}
	w.Flush()
	return b.String()
}

func (a *app) serviceList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the service accounts of a tenant",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := paged(func(after string, limit int) ([]store.ServiceAccount, error) {
					return s.ListServiceAccounts(c.Context(), *tenant, after, limit)
				}, func(a store.ServiceAccount) string { return a.Name })
				if err != nil {
					return err
				}
				views := make([]serviceView, len(all))
				for i, one := range all {
					views[i] = viewService(one)
				}
				return a.answer(views, serviceTable(views))
			})
		},
	})
}

func (a *app) serviceShow(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a service account", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				if err := services().known(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				found, err := s.ServiceAccount(c.Context(), *tenant, args[0])
				if err != nil {
					return err
				}
				v := viewService(found)
				return a.answer(v, serviceTable([]serviceView{v}))
			})
		},
	})
}

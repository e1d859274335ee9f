package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func (a *app) revokeCommand() *cobra.Command {
	var user, tenant string
	var all bool
	c := a.formatFlag(&cobra.Command{
		Use: "revoke --user NAME | --all", Short: "Void all tokens and logins of a user, or of everybody",
		RunE: func(c *cobra.Command, _ []string) error {
			if (user == "") == !all {
				return command.Usage("revoke: either --user NAME or --all")
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if all {
					if err := s.RevokeEverything(c.Context()); err != nil {
						return err
					}
					a.say("all tokens and logins of everybody are void")
					return a.answer(map[string]bool{"all": true}, "")
				}
				if err := users().known(c.Context(), s, tenant, user); err != nil {
					return err
				}
				if err := s.RevokeUser(c.Context(), tenant, user); err != nil {
					return err
				}
				a.say("all tokens and logins of %s are void", user)
				return a.answer(map[string]string{"name": user}, "")
			})
		},
	})
	c.Flags().StringVar(&user, "user", "", "the user's `NAME`")
	a.runAsFlag(c)
	c.Flags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the user")
	c.Flags().BoolVar(&all, "all", false, "everybody")
	return c
}

// backuper is a store that can copy itself while it is in use.
type backuper interface {
	Backup(ctx context.Context, path string) error
}

func (a *app) backupCommand() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "backup FILE", Short: "Copy the store while it is in use", Args: cobra.ExactArgs(1),
		Long: `Copy the store while it is in use. The master key is not in the copy: keep
master.key too, elsewhere.`,
		RunE: func(c *cobra.Command, args []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			if err := config.haveStore(); err != nil {
				return err
			}
			if err := a.comeToStore(config); err != nil {
				return err
			}
			st, err := openStore(c.Context(), config.store)
			if err != nil {
				return err
			}
			defer st.Close()
			b, ok := st.(backuper)
			if !ok {
				return refuse("[store] url = %s keeps nothing that could be copied", config.store)
			}
			if err := b.Backup(c.Context(), args[0]); err != nil {
				return err
			}
			a.say("%s written; the master key is not in it: keep a copy of that too, elsewhere", args[0])
			return a.answer(map[string]string{"file": args[0]}, "")
		},
	})
}

// checkCommand looks at what would stop a server, without serving and without
// making anything.
func (a *app) checkCommand() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "check", Short: "Check configuration, store, keys and directories, without serving",
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			if config.tls == "files" {
				if _, err := a.certificates(config); err != nil {
					return err
				}
			}
			doubts, err := config.reachBackends(c.Context())
			if err != nil {
				return err
			}
			warnings := append(append([]string{}, config.warnings()...), doubts...)
			if err := config.haveStore(); err != nil {
				return a.answerCheck(config, append(append(warnings, config.strangersToNothing()...), err.Error()))
			}
			if err := a.comeToStore(config); err != nil {
				return err
			}
			return a.over(c.Context(), config, func(s *server.Server) error {
				more, err := config.checkStore(c.Context(), s)
				if err != nil {
					return err
				}
				return a.answerCheck(config, append(warnings, more...))
			})
		},
	})
}

// checkStore looks at what is in the store.
func (c *config) checkStore(ctx context.Context, s *server.Server) (warnings []string, err error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	strangers, strangersErr := c.strangers(ctx, s)
	rights, rightsErr := idleRights(ctx, s)
	empty, emptyErr := nobody(ctx, s)
	if err := errors.Join(strangersErr, rightsErr, emptyErr); err != nil {
		return nil, err
	}
	warnings = slices.Concat(strangers, rights)
	if empty {
		warnings = append(warnings, "there is no user yet: ats-auth-server user add NAME")
	}
	return warnings, nil
}

// nobody reports that no tenant has a user or a service account.
func nobody(ctx context.Context, s *server.Server) (bool, error) {
	tenants, err := tenantNames(ctx, s, "")
	if err != nil {
		return false, err
	}
	for _, tenant := range tenants {
		users, usersErr := s.ListUsers(ctx, tenant, "", 1)
		services, servicesErr := s.ListServiceAccounts(ctx, tenant, "", 1)
		if err := errors.Join(usersErr, servicesErr); err != nil || len(users)+len(services) > 0 {
			return false, err
		}
	}
	return true, nil
}

func (a *app) answerCheck(config *config, warnings []string) error {
	var b strings.Builder
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	backends := []string{}
	for _, p := range config.places {
		if p.ldap != nil {
			backends = append(backends, p.Name)
			fmt.Fprintf(&b, "backend %s can be asked\n", p.Name)
		}
	}
	fmt.Fprintf(&b, "configuration, store (%s) and keys are good\n", maskURL(config.store))
	return a.answer(map[string]any{"ok": true, "store": maskURL(config.store), "reached": backends, "warnings": warnings}, b.String())
}

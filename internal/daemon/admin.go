package daemon

import (
	"context"
	"errors"
	"fmt"
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
			if err := a.checkAudit(config); err != nil {
				return err
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
			more, err := a.checkStore(c.Context(), config)
			if err != nil {
				return err
			}
			return a.answerCheck(config, append(warnings, more...))
		},
	})
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
	fmt.Fprintf(&b, "configuration, store (%s) and keys are good\n", maskStore(config.store))
	return a.answer(map[string]any{"ok": true, "store": maskStore(config.store), "reached": backends, "warnings": warnings}, b.String())
}

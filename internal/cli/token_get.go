package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
)

func (a *app) tokenGet() *cobra.Command {
	var minTTL time.Duration
	var id string
	c := &cobra.Command{
		Use: "get", Short: "Print an access token of the saved login, fresh enough to use", Args: cobra.NoArgs,
		Long: `Print an access token of the saved login that is good for --min-ttl at least:
the one in the cache, else a new one. Of many processes that ask at once one
refreshes, and the others wait for it. Without --min-ttl a token must live for a
minute more, or for half its life if that is less.

With --id it is ksctl's tokens get: what the server says of a login.`,
		Example: `  ats-auth token get -f curl | curl -K - https://api.example.org/
  TOKEN=$(ats-auth token get --min-ttl 5m)`,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("min-ttl") && minTTL <= 0 {
				return command.Usage("--min-ttl is a time above 0, 5m say")
			}
			if id != "" {
				return a.runLoginShow(c.Context(), id)
			}
			return a.runTokenGet(c, minTTL)
		},
	}
	a.later(c, func() {
		c.Flags().DurationVar(&minTTL, "min-ttl", 0, "demand that much life left, 5m say")
		c.Flags().Var((*once)(&id), "id", "show the login of that `ID` instead; ciphertrust dialect")
		a.applicationFlags(c)
		a.formatFlags(c.Flags())
	})
	return c
}

func (a *app) runTokenGet(c *cobra.Command, minTTL time.Duration) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkColumns(setColumns...); err != nil {
		return err
	}
	set, err := a.freshToken(c.Context(), minTTL)
	if err != nil {
		return err
	}
	return a.printAccess(set)
}

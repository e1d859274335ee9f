package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) tokenCheck() *cobra.Command {
	var minTTL time.Duration
	var scopes []string
	c := &cobra.Command{
		Use: "check [TOKEN|-]", Short: "Ask the server whether it still honours a token", Args: cobra.MaximumNArgs(1),
		Long: `Ask the server whether it still honours a token. The exit code answers: 0 yes, 8
expired or too little life left, 9 revoked or unknown. -f json prints what the
server says of the token. An oauth2 server answers applications only: give
--client-id and its secret or key. In the wazo dialect --scope is an access that the
token's ACL must give; without it the code is 4.`,
		Example: `  if ats-auth token check "$TOKEN"; then …; fi
  ats-auth token check --dialect wazo --scope confd.users.read "$TOKEN"`,
		RunE: func(c *cobra.Command, args []string) error { return a.runTokenCheck(c, args, minTTL, scopes) },
	}
	a.later(c, func() {
		a.applicationFlags(c)
		c.Flags().DurationVar(&minTTL, "min-ttl", 0, "demand that much life left, 5m say")
		c.Flags().StringArrayVar(&scopes, "scope", nil, "demand a `SCOPE`, or in the wazo dialect an access, confd.users.read say; may be given again")
		c.Flags().StringVarP(&a.flags.format, "format", "f", "", "json prints the server's answer")
	})
	return c
}

func (a *app) runTokenCheck(c *cobra.Command, args []string, minTTL time.Duration, scopes []string) error {
	if f := a.flags.format; f != "" && f != "json" {
		return command.Usage("token check has no answer to print as %s, only as json", f)
	}
	if err := cmp.Or(notEmpty(c, "scope"), a.load()); err != nil {
		return err
	}
	if a.dialect() == "oauth2" {
		if err := a.needProof(); err != nil {
			return err
		}
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	raw, err := a.oneToken(args)
	if err != nil {
		return err
	}
	if err := a.checkAWXCheck(minTTL, scopes); err != nil {
		return err
	}
	if a.dialect() == "wazo" {
		if done, err := a.checkWazo(c.Context(), service, token.NewSecret(raw), minTTL, scopes); done || err != nil {
			return err
		}
		scopes = nil
	}
	answer, err := service.Check(c.Context(), token.NewSecret(raw))
	if err != nil {
		return err
	}
	if a.flags.format == "json" {
		if _, err := fmt.Fprintln(a.Stdout, answer.JSON()); err != nil {
			return err
		}
	}
	granted, _ := answer.String("scope")
	for _, scope := range scopes {
		if !slices.Contains(strings.Fields(granted), scope) {
			return token.Refuse(token.ErrDenied, "the token has not the scope %q", scope)
		}
	}
	return a.livesFor(answer, minTTL)
}

// livesFor refuses a token with less life left than that.
func (a *app) livesFor(answer *token.Object, least time.Duration) error {
	exp, known, err := answer.NumericDate("exp")
	end := time.UnixMicro(exp)
	if a.dialect() == "wazo" {
		if end, known = endOfWazo(answer); !known && least > 0 {
			return token.Refuse(token.ErrUnavailable, "the server does not say when the token ends")
		}
	}
	if err != nil || !known {
		return err
	}
	if left := end.Sub(a.Now()); least > 0 && left < least {
		return token.Refuse(token.ErrExpired, "the token has %s left, less than %s", span(max(left, 0)), span(least))
	}
	return nil
}

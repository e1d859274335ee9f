package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) credentialGit() *cobra.Command {
	c := &cobra.Command{
		Use: "git get|store|erase", Short: "Speak git's credential protocol", Args: cobra.ExactArgs(1),
		Long: `Speak git's credential protocol (git help credential). The token is given to the
host of the saved login's own service and to those that credential_host or --host
names, HOST or HOST:PORT by https, or http://HOST, and to no other. For any other
host nothing is printed, and git asks elsewhere.

git 2.46 and later is given a bearer token where it says that it can take one and
the host does not ask for something else; otherwise the login's user name, with
the token as password. store does nothing; erase forgets the cached access token
that was refused, not the login. Operations that there may be one day are ignored,
as git wants it.`,
		Example: `  git config --global credential.https://git.example.org.helper '!ats-auth credential git --host git.example.org'
  git config --global credential.helper ats-auth    # where git-credential-ats-auth is in PATH`,
		ValidArgs: []string{"get", "store", "erase"},
		RunE:      func(c *cobra.Command, args []string) error { return a.runCredentialGit(c.Context(), args[0]) },
	}
	a.later(c, func() { a.settingFlags(c.Flags(), "credential_host") })
	return c
}

func (a *app) runCredentialGit(ctx context.Context, action string) error {
	asked, err := readAttributes(a.Stdin)
	if err != nil || action != "get" && action != "erase" {
		return err
	}
	if err := a.loadForTool(); err != nil {
		return err
	}
	login, places, err := a.toolLogin()
	if err != nil || !asked.allowed(places) {
		return err
	}
	if name := asked.one("username"); name != "" && login.Username != "" && name != login.Username {
		return nil // somebody else is wanted
	}
	if action == "erase" {
		a.forgetIf(login, asked.one("password")+asked.one("credential"))
		return nil
	}
	set, err := a.freshToken(ctx, 0)
	if err == nil {
		err = bearerOnly(set)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Stdout, asked.answer(login, set))
	return err
}

// allowed reports whether the host that asks may have the token.
func (a attributes) allowed(places []place) bool {
	protocol, host := a.one("protocol"), a.one("host")
	return protocol != "" && host != "" && !strings.ContainsAny(host, "/@?#") && mayHave(places, protocol+"://"+host)
}

// answer is a set of tokens as git takes it.
func (a attributes) answer(login session.Login, set token.Set) string {
	var b strings.Builder
	if a.wantsBearer() {
		fmt.Fprintf(&b, "capability[]=authtype\nauthtype=Bearer\ncredential=%s\nephemeral=1\n", set.AccessToken.Reveal())
	} else {
		name := a.one("username")
		if name == "" {
			name = toolUser(login, set.AccessToken)
		}
		fmt.Fprintf(&b, "username=%s\npassword=%s\n", safe(name), set.AccessToken.Reveal())
	}
	if !set.ExpiresAt.IsZero() {
		fmt.Fprintf(&b, "password_expiry_utc=%d\n", set.ExpiresAt.Unix())
	}
	return b.String()
}

// wantsBearer reports whether git can send a bearer token, and the host, where it
// has said what it takes, takes one.
func (a attributes) wantsBearer() bool {
	if !slices.Contains(a["capability[]"], "authtype") {
		return false
	}
	challenges := a["wwwauth[]"]
	return len(challenges) == 0 || slices.ContainsFunc(challenges, func(c string) bool {
		scheme, _, _ := strings.Cut(strings.TrimSpace(c), " ")
		return strings.EqualFold(scheme, "Bearer")
	})
}

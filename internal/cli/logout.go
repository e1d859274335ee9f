package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) logoutCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "logout", Short: "Revoke the saved login, and forget it", Args: cobra.NoArgs,
		Long: `Revoke the saved login at its server, and forget it: its refresh token, and the
access token in the cache. What the server could not be told of is kept, to try
again. The rest of the file stays, so that login needs no more than a password.

A token in the environment is not the file's, and is left alone.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runLogout(c.Context()) },
	}
	a.later(c, func() {
		a.applicationFlags(c)
	})
	return c
}

// runLogout revokes first, under the lock, so that what is revoked is what is
// forgotten.
func (a *app) runLogout(ctx context.Context) error {
	if err := a.load(); err != nil {
		return err
	}
	a.nameForeignTokens()
	if _, err := a.savedLogin(); errors.Is(err, session.ErrNoLogin) {
		return a.noLoginToken(err)
	} else if a.saved.err != nil {
		return a.saved.err
	}
	var told, unsaved error
	err := a.sessionFile(a.profile.LoginFile).Update(ctx, func(l session.Login) (session.Login, error) {
		if l.RefreshToken.IsZero() || l.ClientID == "" && l.Dialect == "ciphertrust" {
			return l, a.noLoginToken(a.notLoggedIn("no login is saved in " + a.loginFile()))
		}
		var keep error
		if l, keep, told = a.endLogin(ctx, l); keep != nil {
			unsaved = keep
			return l, nil
		}
		l.RefreshToken, l.LoginID, l.ExpiresAt = token.Secret{}, "", time.Time{}
		if l.Dialect == "ciphertrust" {
			l.ClientID = ""
		}
		return l, nil
	})
	return cmp.Or(err, unsaved, told)
}

// nameForeignTokens tells of tokens that a logout does not end.
func (a *app) nameForeignTokens() {
	for _, name := range []string{"token", "refresh_token"} {
		if v := a.profile.Value(name); v.Origin() == profile.Environment {
			a.say(levelInfo, "%s is set: that token is not revoked, unset %[1]s to stop using it", v.Source())
		}
	}
}

// noLoginToken is ksctl's own sentence, in its dialect.
func (a *app) noLoginToken(err error) error {
	if a.dialect() == "ciphertrust" {
		err = &configError{problem: "login token and client id must exist in ksctl configuration file", bare: true}
	}
	return err
}

// endLogin revokes what a login holds. keep is why it must be kept, as it is
// returned; told is what is to be said of one that is forgotten all the same.
func (a *app) endLogin(ctx context.Context, l session.Login) (left session.Login, keep, told error) {
	service, err := a.clientOf(l)
	if err != nil {
		return l, err, nil
	}
	access, _, cached := a.peek(l)
	left, err = a.revokeLogin(ctx, service, l)
	switch {
	case err == nil:
		a.say(levelInfo, "login revoked")
	case alreadyGone(err):
		a.say(levelInfo, "the login was gone already: %v", err)
	case errors.Is(err, token.ErrUnsupported):
		told = fmt.Errorf("the login is forgotten, but not revoked: %w", err)
	default:
		return left, fmt.Errorf("the login is kept in %s: %w", a.loginFile(), err), nil
	}
	if cached {
		a.endAccess(ctx, service, access)
	}
	a.forget(l)
	a.forget(left)
	return left, nil, told
}

// revokeLogin revokes a login at its service. The ats dialect revokes by access
// tokens alone, and a login with any of them: where there is none it makes one,
// which may change the login that is left if the rest fails.
func (a *app) revokeLogin(ctx context.Context, service *client.Client, l session.Login) (session.Login, error) {
	if l.LoginID != "" {
		return l, a.endPersonal(ctx, service, l)
	}
	if l.Dialect != "ats" {
		return l, service.RevokeRefresh(ctx, l.RefreshToken)
	}
	set, _, ok := a.peek(l)
	if !ok || set.ExpiresAt.Sub(a.Now()) < patience {
		var err error
		if set, l, err = a.spend(ctx, service, l, token.Request{}); err != nil {
			return l, err
		}
	}
	return l, service.Revoke(ctx, set.AccessToken)
}

// endAccess revokes an access token where ending its login need not have done it
// (RFC 7009 section 2.1), and in Tapis and Wazo does not.
func (a *app) endAccess(ctx context.Context, service *client.Client, access token.Set) {
	if !slices.Contains([]string{"oauth2", "tapis", "wazo"}, a.dialect()) || !access.ExpiresAt.IsZero() && !access.ExpiresAt.After(a.Now()) {
		return
	}
	if err := service.Revoke(ctx, access.AccessToken); err != nil && !alreadyGone(err) {
		a.warn("the access token could not be revoked: %v", err)
	}
}

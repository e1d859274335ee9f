package cli

import (
	"context"
	"errors"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// loginFile is a saved login whose refresh token a helper keeps where one is
// configured; the file then holds the rest, and its lock is the helper's too.
type loginFile struct {
	*session.File
	app *app
}

// readSecret completes what readSaved found: which helper there is was not known
// then.
func (a *app) readSecret() {
	if errors.Is(a.saved.err, session.ErrNoLogin) && a.profile.LoginFile != "" && hasAddress(a.saved.login) {
		a.saved.login, a.saved.err = a.sessionFile(a.profile.LoginFile).Read()
	}
}

// hasAddress reports whether somebody has logged in: the file says where.
func hasAddress(login session.Login) bool { return login.URL != "" || login.Issuer != "" }

// helps reports whether a helper is configured.
func (f loginFile) helps() bool {
	return f.app.profile != nil && !f.app.profile.Value("credential_helper").IsZero()
}

// Read is the File's, with the helper's refresh token.
func (f loginFile) Read() (session.Login, error) {
	login, err := f.File.Read()
	if !errors.Is(err, session.ErrNoLogin) || !f.helps() || !hasAddress(login) {
		return login, err
	}
	refresh, failed := f.get(context.Background(), login)
	switch {
	case failed != nil:
		return login, failed
	case refresh.IsZero():
		return login, err
	}
	login.RefreshToken = refresh
	return login, nil
}

func (f loginFile) get(ctx context.Context, login session.Login) (token.Secret, error) {
	r, err := f.app.refreshSecret(login)
	if err != nil {
		return token.Secret{}, err
	}
	return r.get(ctx)
}

// Update is the File's; the helper is asked and told under its lock.
func (f loginFile) Update(ctx context.Context, change func(session.Login) (session.Login, error)) error {
	return f.File.Update(ctx, f.through(ctx, change))
}

// Replace is the File's; the helper is asked and told under its lock.
func (f loginFile) Replace(ctx context.Context, change func(session.Login) (session.Login, error)) (string, error) {
	return f.File.Replace(ctx, f.through(ctx, change))
}

func (f loginFile) erase(ctx context.Context, login session.Login) error {
	r, err := f.app.refreshSecret(login)
	if err != nil {
		return err
	}
	return r.erase(ctx)
}

// through lets change see the helper's refresh token, and gives the helper the
// one that change returns.
func (f loginFile) through(ctx context.Context, change func(session.Login) (session.Login, error)) func(session.Login) (session.Login, error) {
	if !f.helps() {
		return change
	}
	return func(old session.Login) (session.Login, error) {
		inFile := !old.RefreshToken.IsZero()
		if !inFile && hasAddress(old) {
			var err error
			if old.RefreshToken, err = f.get(ctx, old); err != nil {
				return old, err
			}
		}
		next, err := change(old)
		if err != nil {
			return old, err
		}
		return f.settle(context.WithoutCancel(ctx), old, next, inFile)
	}
}

// settle puts the refresh token where it belongs, and returns the login as it is
// to be in the file.
func (f loginFile) settle(ctx context.Context, old, next session.Login, inFile bool) (session.Login, error) {
	if sameSecret(old, next) && !inFile {
		next.RefreshToken = token.Secret{}
		return next, nil
	}
	if !next.RefreshToken.IsZero() {
		r, err := f.app.refreshSecret(next)
		if err == nil {
			err = r.store(ctx, next.RefreshToken)
		}
		if err != nil { // the old one may be void: better here than lost
			f.app.warn("the refresh token is kept in %s, since the helper did not take it: %v", f.app.loginFile(), err)
			return next, nil
		}
	}
	if hasAddress(old) && !old.RefreshToken.IsZero() && !inFile && (next.RefreshToken.IsZero() || !sameOwner(old, next)) {
		if err := f.erase(ctx, old); err != nil {
			return old, err
		}
	}
	next.RefreshToken = token.Secret{}
	return next, nil
}

// sameOwner reports whether a helper calls two logins the same.
func sameOwner(a, b session.Login) bool {
	return a.URL == b.URL && (a.URL != "" || a.Issuer == b.Issuer) && a.Username == b.Username
}

func sameSecret(a, b session.Login) bool {
	return sameOwner(a, b) && a.RefreshToken.Reveal() == b.RefreshToken.Reveal()
}

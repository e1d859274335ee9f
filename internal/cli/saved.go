package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// saved is the config.yaml of the profile in use, as it was found.
type saved struct {
	login session.Login
	err   error // why there is no login in it; nil: there is
}

// readSaved gives the profile what a login has saved beside its token. What is
// wrong with the file is told where the login is needed.
func (a *app) readSaved(file string) map[string]string {
	a.saved.login, a.saved.err = a.sessionFile(file).Read()
	l := a.saved.login
	truth := map[bool]string{true: "true"}
	return map[string]string{
		"url": l.URL, "username": l.Username, "client_id": l.ClientID, "insecure": truth[l.NoSSLVerify],
		"verbose": truth[l.Verbosity], "format": l.Resp, "dialect": l.Dialect, "tenant": l.Tenant, "backend": l.Backend, "issuer": l.Issuer,
		"scope": l.Scope, "resource": l.Resource, "auth_method": l.AuthMethod, "client_key_id": l.ClientKeyID,
		"client_secret_file": l.ClientSecretFile, "client_key": l.ClientKey, "dpop_key": l.DPoPKey,
		"cacert": l.CACert, "cert": l.Cert, "key": l.Key,
	}
}

// patience is how much longer than one exchange a lock is waited for.
const patience = 5 * time.Second

func (a *app) sessionFile(name string) loginFile {
	wait := patience
	if a.profile != nil {
		wait += a.profile.Value("timeout").Duration()
	}
	return loginFile{session.Open(session.Config{File: name, Check: inifile.CheckSecretFile, Wait: wait, Now: a.Now}), a}
}

// savedLogin is the login of the profile in use. There must be one, and it must
// be for the service in use: exit code 3.
func (a *app) savedLogin() (session.Login, error) {
	switch {
	case a.profile.LoginFile == "":
		return session.Login{}, a.notLoggedIn("there is no home directory to keep a login in")
	case errors.Is(a.saved.err, session.ErrNoLogin):
		return session.Login{}, a.notLoggedIn(a.saved.err.Error())
	case a.saved.err != nil:
		return session.Login{}, a.saved.err
	}
	return a.saved.login, a.bound(a.saved.login)
}

// notLoggedIn says how to log in.
func (a *app) notLoggedIn(why string) error {
	return &configError{problem: "not logged in: " + why, hint: a.loginHint(), cause: session.ErrNoLogin}
}

func (a *app) loginHint() string {
	hint := "ats-auth login"
	if a.dialect() != "oauth2" && a.profile.Value("username").IsZero() {
		hint += " --user NAME"
	}
	if a.profile.Name != profile.DefaultName {
		hint += " --profile " + a.profile.Name
	}
	return hint
}

// bound refuses to send what is saved for one service to another.
func (a *app) bound(login session.Login) error {
	if login.URL == "" && login.Issuer == "" {
		return &configError{problem: fmt.Sprintf("%s does not say which server the login is for", a.loginFile()), hint: "ats-auth login"}
	}
	name := a.address()
	inUse, home := a.profile.Value(name), login.URL
	if name == "issuer" && login.Issuer != "" {
		home = login.Issuer
	}
	if !profile.SameAddress(inUse.Reveal(), home) {
		return &configError{
			problem: fmt.Sprintf("the login in %s is for %s, and goes nowhere else: %s says %s", a.loginFile(), safe(home), inUse.Source(), shownAddress(inUse.Reveal())),
			hint:    "ats-auth login --profile NAME keeps one login more",
		}
	}
	if login.Dialect != "" && login.Dialect != a.dialect() {
		return &configError{problem: fmt.Sprintf("the login in %s is for the dialect %s, not %s, which comes from %s",
			a.loginFile(), safe(login.Dialect), safe(a.dialect()), a.profile.Value("dialect").Source())}
	}
	if v := a.profile.Value("tenant"); login.Dialect == "tapis" && v.Reveal() != login.Tenant {
		return &configError{problem: fmt.Sprintf("the login in %s is for the tenant %s, not %s, which comes from %s",
			a.loginFile(), safe(login.Tenant), safe(v.Reveal()), v.Source())}
	}
	return nil
}

// loginFile is the file of the login, for a person.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func (a *app) loginFile() string { return inifile.ShowName(a.profile.LoginFile) }

// freshToken is an access token of the saved login that lives for minTTL at
// least; 0: for the smaller of a minute and half its life. It comes from the
// cache, else it is asked for under a lock: of many processes one asks, and
// what must be kept is on the disk before the token is returned. What even a
// new token cannot meet is ErrExpired; no saved login is exit code 3.
//
// ATS_AUTH_TOKEN is not looked at: it is what exec gives its child, and goes
// stale. actingToken does.
func (a *app) freshToken(ctx context.Context, minTTL time.Duration) (token.Set, error) {
	login, err := a.savedLogin()
	if err != nil {
		return token.Set{}, err
	}
	if set, ok := a.cached(login, minTTL); ok {
		return set, nil
	}
	set, err := a.refreshLogin(ctx, token.Request{}, func(login session.Login) (token.Set, bool) { return a.cached(login, minTTL) })
	if err != nil {
		return token.Set{}, err
	}
	if !a.livesLong(set, a.Now(), minTTL) {
		return token.Set{}, token.Refuse(token.ErrExpired, "a new token lives for %s, less than %s", span(time.Duration(set.ExpiresIn)*time.Second), span(minTTL))
	}
	return set, nil
}

// actingToken is the token to act with: ATS_AUTH_TOKEN, else one of the saved
// login.
func (a *app) actingToken(ctx context.Context) (token.Set, error) {
	if given := a.profile.Value("token"); !given.IsZero() {
		return a.withExpiry(token.Set{AccessToken: token.NewSecret(given.Reveal()), TokenType: "Bearer"}), nil
	}
	return a.freshToken(ctx, 0)
}

// refreshLogin refreshes the saved login under its lock. done looks, after the
// login was read again, whether another process was faster; nil: none can be.
func (a *app) refreshLogin(ctx context.Context, want token.Request, done func(session.Login) (token.Set, bool)) (token.Set, error) {
	service, err := a.clientOf(a.saved.login)
	if err != nil {
		return token.Set{}, err
	}
	var set token.Set
	err = a.sessionFile(a.profile.LoginFile).Update(ctx, func(login session.Login) (session.Login, error) {
		if login.RefreshToken.IsZero() { // a logout was faster
			return login, a.notLoggedIn("no login is saved in " + a.loginFile())
		}
		if err := a.bound(login); err != nil {
			return login, err
		}
		if done != nil {
			var ok bool
			if set, ok = done(login); ok {
				return login, nil
			}
		}
		var err error
		set, login, err = a.spend(ctx, service, login, want)
		return login, err
	})
	return set, err
}

// spend trades the refresh token of a login, and returns the login as it is to
// be saved. The answer may be all there is of it: an interrupt waits.
func (a *app) spend(ctx context.Context, service *client.Client, login session.Login, want token.Request) (token.Set, session.Login, error) {
	if login.LoginID != "" {
		set, err := a.askPersonal(ctx, service, login, want)
		return set, login, err
	}
	a.say(levelStory, "Requesting new token...")
	set, err := service.Refresh(context.WithoutCancel(ctx), login.RefreshToken, want)
	if alreadyGone(err) { // what it gave is not handed out any more either
		a.refuse(login)
	}
	if err != nil {
		return token.Set{}, login, a.ended(err)
	}
	set = a.withExpiry(set)
	next := login
	if !set.RefreshToken.IsZero() {
		next.RefreshToken = set.RefreshToken
	}
	if set.ClientID != "" {
		next.ClientID = set.ClientID
	}
	if want.Scope != "" || len(want.Resources) > 0 {
		return set, next, nil // it is narrower than what others ask for
	}
	if next.RefreshToken.Reveal() != login.RefreshToken.Reveal() {
		a.forget(login)
	}
	// Before the lock is given back, so that those who wait for it find it.
	a.cache(next, set)
	return set, next, nil
}

// ended says what to do about a login that the server does not honour any more.
func (a *app) ended(err error) error {
	for _, kind := range []error{token.ErrRevoked, token.ErrExpired, token.ErrUnknown, token.ErrCredentials} {
		if errors.Is(err, kind) {
			return &hinted{fmt.Errorf("the login in %s is not honoured any more: %w", a.loginFile(), err), a.loginHint()}
		}
	}
	return err
}

// hinted is an error with a command that helps.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }
func (h *hinted) Hint() string  { return h.hint }

// livesLong reports whether a token that was issued then will live for minTTL
// from now; 0: by the default rule. One that does not say how long it lives is
// taken to live for its first minute.
func (a *app) livesLong(set token.Set, issued time.Time, minTTL time.Duration) bool {
	const short = time.Minute
	if set.ExpiresAt.IsZero() {
		return minTTL == 0 && a.Now().Sub(issued) < short
	}
	if minTTL == 0 {
		minTTL = min(short, set.ExpiresAt.Sub(issued)/2)
	}
	left := set.ExpiresAt.Sub(a.Now())
	return left >= minTTL && left > 0
}

// withExpiry fills in when a token ends where the service did not say, but its
// token does.
func (a *app) withExpiry(set token.Set) token.Set {
	if !set.ExpiresAt.IsZero() {
		return set
	}
	if set.ExpiresIn > 0 {
		set.ExpiresAt = a.Now().Add(time.Duration(set.ExpiresIn) * time.Second)
		return set
	}
	decoded, err := token.Decode(set.AccessToken.Reveal())
	if err != nil {
		return set
	}
	if exp, ok, err := decoded.Claims.NumericDate("exp"); ok && err == nil {
		set.ExpiresAt = time.UnixMicro(exp)
		set.ExpiresIn = max(0, int64(set.ExpiresAt.Sub(a.Now()).Seconds()))
	}
	return set
}

// clientOf makes the client of the service that a login is for, whatever else is
// configured.
func (a *app) clientOf(login session.Login) (*client.Client, error) {
	holder := ""
	if login.Dialect == "ciphertrust" || login.Dialect == "wazo" {
		holder = login.ClientID
	}
	if a.bound(login) == nil {
		return a.newClientAs(holder)
	}
	other := *a
	other.set = nil
	p, err := profile.Load(profile.Config{
		HomeDir: a.HomeDir, WorkDir: a.WorkDir, LookupEnv: func(name string) (string, bool) {
			if strings.HasPrefix(name, "XDG_") {
				return a.LookupEnv(name)
			}
			return "", false
		},
		Flags: map[string]string{"configfile": a.profile.LoginFile},
		Saved: other.readSaved,
	})
	if err != nil {
		return nil, err
	}
	other.profile = p
	if err := other.bound(login); err != nil {
		return nil, err
	}
	return other.newClientAs(holder)
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// lifetime is how long a login is to last, as a person says it.
type lifetime struct {
	days, hours int64
	said        bool
}

const (
	defaultDays = 30
	maxDays     = 36500
)

func (l lifetime) seconds() int64 { return l.days*86400 + l.hours*3600 }

// String is the seed's: 30 days, or 10 days, 10 hours.
func (l lifetime) String() string {
	var parts []string
	if l.days > 0 {
		parts = append(parts, plural(l.days, "day"))
	}
	if l.hours > 0 {
		parts = append(parts, plural(l.hours, "hour"))
	}
	return strings.Join(parts, ", ")
}

// check settles the default, and refuses what is no lifetime.
func (l *lifetime) check(c *cobra.Command) error {
	l.said = c.Flags().Changed("days") || c.Flags().Changed("hours")
	switch {
	case !l.said:
		l.days = defaultDays
	case l.days < 0 || l.hours < 0 || l.days+l.hours == 0:
		return command.Usage("--days and --hours are numbers from 0, one of them above 0")
	case l.days > maxDays || l.hours > 24*maxDays:
		return command.Usage("a login lasts for 100 years at most")
	}
	return nil
}

func (a *app) loginCommand() *cobra.Command {
	var life lifetime
	c := &cobra.Command{
		Use: "login", Short: "Log in once, and save a refresh token", Args: cobra.NoArgs,
		Long: `Log in and save a refresh token in config.yaml, from which token get and all
other commands have access tokens from now on. The password is never saved. A
login that was saved before is revoked, once the new one is safe.

The ways to log in are those of token create, but for the application's own: a
user name and a password, in the oauth2 dialect also --device and --web. In the awx
dialect without --client-id there is no refresh token: a personal token is saved in
its place, and deleted by logout.

The file is that of the profile, or --configfile; its service alone will see what
it holds.`,
		Example: `  ats-auth login --user marco --url https://auth.example.org
  ats-auth login --days 10 --hours 10
  ats-auth login --dialect oauth2 --issuer https://id.example.org --client-id app --profile work`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := life.check(c); err != nil {
				return err
			}
			return a.runLogin(c, life)
		},
	}
	a.later(c, func() {
		a.credentialFlags(c.Flags())
		a.grantFlags(c)
		a.applicationFlags(c)
		descriptionFlag(c)
		c.Flags().Int64Var(&life.days, "days", 0, "how many `DAYS` the login is to last (default 30)")
		c.Flags().Int64Var(&life.hours, "hours", 0, "how many `HOURS` it is to last, beside the days")
	})
	return c
}

// runLogin saves the new login before it ends the old one, and looks whether it
// can be saved before it asks for a password.
func (a *app) runLogin(c *cobra.Command, life lifetime) error {
	ctx := c.Context()
	if err := a.loadNamed(); err != nil {
		return err
	}
	grant, err := a.loginGrant()
	if err != nil {
		return err
	}
	if a.profile.LoginFile == "" {
		return a.notLoggedIn("there is no home directory to keep a login in: give --configfile")
	}
	want := a.lasting(life)
	if err := a.checkTapisLogin(want); err != nil {
		return err
	}
	if err := cmp.Or(a.wishAWX(c, &want), a.wishWazo(want)); err != nil {
		return err
	}
	service, err := a.newClient()
	if err != nil {
		return err
	}
	file := a.sessionFile(a.profile.LoginFile)
	unchanged := func(l session.Login) (session.Login, error) { return l, nil }
	if _, err := file.Replace(ctx, unchanged); err != nil {
		return err
	}
	if a.renews(grant) {
		return a.renewLogin(ctx)
	}
	set, err := a.obtain(ctx, service, grant, "", want)
	if err != nil {
		return err
	}
	a.keepPersonal(&set)
	if set.RefreshToken.IsZero() {
		return token.Refuse(token.ErrUnsupported, "the server gave no refresh token: there is nothing to save")
	}
	next := a.newLogin(service, set)
	said := a.lasts(ctx, service, set, life, &next)
	if err := a.saveLogin(ctx, next, set); err != nil {
		return err
	}
	a.cache(next, a.withExpiry(set))
	a.say(levelInfo, "%s", said)
	return nil
}

// loadNamed is load for a profile that there need not be yet.
func (a *app) loadNamed() error {
	name, _ := a.LookupEnv("ATS_AUTH_PROFILE")
	if given, ok := a.set["profile"]; ok {
		name = given
	}
	a.profiles = []string{name}
	return a.load()
}

// loginGrant is chooseGrant for a person: an application's own token is no login.
func (a *app) loginGrant() (string, error) {
	named, err := a.namedGrant()
	if err != nil {
		return "", err
	}
	if named == token.GrantClientCredentials || named == token.GrantTokenExchange {
		return "", token.Refuse(token.ErrUnsupported, "a login is a person's, by a password, --device or --web, not by %s", nameOf(named))
	}
	if named == "" && a.dialect() == "oauth2" && a.profile.Value("username").IsZero() {
		named = token.GrantDeviceCode
		if hasDisplay(runtime.GOOS, a.LookupEnv) {
			named = token.GrantAuthorizationCode
		}
		return named, a.checkGrant(named)
	}
	return a.chooseGrant()
}

// lasting is what a login asks for. Only where somebody said so is a dialect
// asked for an end that it cannot be asked for.
func (a *app) lasting(life lifetime) token.Request {
	want := a.wanted()
	want.Refresh = !a.personal()
	if life.said || !slices.Contains([]string{"oauth2", "tapis", "awx", "wazo"}, a.dialect()) {
		want.RefreshTTL = life.seconds()
	}
	return want
}

// lasts notes when a login ends, and says it: what was granted, which may be less
// than what was asked for.
func (a *app) lasts(ctx context.Context, service *client.Client, set token.Set, life lifetime, next *session.Login) string {
	granted := set.RefreshExpiresIn
	if granted == 0 && a.dialect() == "ats" {
		granted = a.listedEnd(ctx, service, set.AccessToken)
	}
	switch {
	case next.LoginID != "" && !set.ExpiresAt.IsZero():
		next.ExpiresAt = set.ExpiresAt
		return "logged in until " + set.ExpiresAt.UTC().Format(time.DateOnly)
	case granted > 0:
	case a.endless(*next):
		return "logged in; " + noEnd
	case a.dialect() == "oauth2", a.dialect() == "tapis", a.dialect() == "awx":
		return "logged in; how long this login lasts is the server's business"
	default:
		granted = life.seconds()
	}
	next.ExpiresAt = time.Unix(a.Now().Unix()+granted, 0) // a Duration ends after 292 years
	const slack = 60                                      // seconds that an answer may have been on its way
	if short := life.seconds() - granted; short > slack || short < -slack {
		life = lifetime{days: granted / 86400, hours: granted % 86400 / 3600}
	}
	if life.seconds() == 0 {
		return "this login will expire in " + span(time.Duration(granted)*time.Second)
	}
	return "this login will expire in " + life.String()
}

const noEnd = "this login has no end"

// endless reports whether a login lasts until somebody ends it.
func (a *app) endless(l session.Login) bool { return a.dialect() == "wazo" && l.ExpiresAt.IsZero() }

// listedEnd is how many seconds a login lasts by the service's own list; 0: it
// does not say.
func (a *app) listedEnd(ctx context.Context, service *client.Client, access token.Secret) int64 {
	logins, err := service.List(ctx, access)
	i := slices.IndexFunc(logins, func(l token.Login) bool { return l.Current && !l.ExpiresAt.IsZero() })
	if err != nil || i < 0 {
		return 0
	}
	return int64(logins[i].ExpiresAt.Sub(a.Now()).Round(time.Second) / time.Second)
}

// newLogin is what is saved: all that a refresh needs to know, and no password.
func (a *app) newLogin(service *client.Client, set token.Set) session.Login {
	value := func(name string) string { return a.profile.Value(name).Reveal() }
	l := session.Login{
		URL: service.URL(), Username: value("username"), RefreshToken: set.RefreshToken, ClientID: set.ClientID,
		NoSSLVerify: a.profile.Value("insecure").Bool(), Dialect: a.dialect(), Tenant: value("tenant"), Backend: value("backend"),
		CACert: value("cacert"), Cert: value("cert"), Key: value("key"),
		Verbosity: a.saved.login.Verbosity, Resp: a.saved.login.Resp,
	}
	if l.Username == "" {
		l.Username = subjectOf(set)
	}
	switch a.dialect() {
	case "ciphertrust":
		if l.Resp == "" {
			l.Resp = "json"
		}
	case "oauth2":
		l.Issuer, l.ClientID, l.Scope, l.Resource = service.Issuer(), value("client_id"), value("scope"), value("resource")
		l.AuthMethod, l.ClientKeyID, l.DPoPKey = value("auth_method"), value("client_key_id"), value("dpop_key")
		a.keepProof(&l)
	case "awx":
		l.LoginID = set.LoginID
		if l.LoginID == "" {
			l.ClientID = value("client_id")
			a.keepProof(&l)
		}
	case "tapis":
		l.ClientID = value("client_id")
		a.keepProof(&l)
	}
	return l
}

// keepProof notes where that is by which the application proves itself.
func (a *app) keepProof(l *session.Login) {
	switch name := a.proof(); name {
	case "client_secret_file":
		l.ClientSecretFile = a.profile.Value(name).Reveal()
	case "client_key":
		l.ClientKey = a.profile.Value(name).Reveal()
	case "client_secret":
		a.warn("%s is not saved, and is needed at every refresh: --client-secret-file would be", a.profile.Value(name).Source())
	}
}

// subjectOf is who logged in, where no name was typed.
func subjectOf(set token.Set) string {
	for _, raw := range []token.Secret{set.IDToken, set.AccessToken} {
		decoded, err := token.Decode(raw.Reveal())
		if err != nil {
			continue
		}
		if name, ok := decoded.Claims.String("preferred_username"); ok && name != "" {
			return name
		}
		return decoded.Claims.Subject()
	}
	return ""
}

// saveLogin puts a login in the place of another, which it then ends. One that
// cannot be saved is ended itself.
func (a *app) saveLogin(ctx context.Context, next session.Login, set token.Set) error {
	var old session.Login
	var former *client.Client
	aside, err := a.sessionFile(a.profile.LoginFile).Replace(ctx, func(l session.Login) (session.Login, error) {
		old = l
		if !l.RefreshToken.IsZero() && l.RefreshToken.Reveal() != next.RefreshToken.Reveal() {
			var err error
			if former, err = a.clientOf(l); err != nil {
				a.warn("the former login in %s cannot be ended: %v", a.loginFile(), err)
			}
		}
		return next, nil
	})
	if err != nil {
		return errors.Join(err, a.endLost(context.WithoutCancel(ctx), next, set))
	}
	if aside != "" {
		a.warn("%s could not be understood, and is now %s", a.loginFile(), safe(aside))
	}
	a.say(levelStory, "The login is in %s", a.loginFile())
	if former != nil {
		a.endFormer(ctx, former, old)
	}
	return nil
}

// endLost revokes a new login that could not be saved.
func (a *app) endLost(ctx context.Context, next session.Login, set token.Set) error {
	service, err := a.clientOf(next)
	if err != nil {
		return err
	}
	last := set.RefreshToken
	switch {
	case next.LoginID != "":
		err = a.endPersonal(ctx, service, next)
	case a.dialect() == "ats":
		err = service.Revoke(ctx, set.AccessToken)
	case last.Reveal() == a.saved.login.RefreshToken.Reveal(): // it is the former login too
	default:
		err = service.RevokeRefresh(ctx, last)
	}
	if err != nil && !alreadyGone(err) {
		a.warn("the new login, which nobody has now, could not be ended either: %v", err)
	}
	return nil
}

// endFormer revokes a login that another took the place of. It is a promise, but
// the new login is good without it.
func (a *app) endFormer(ctx context.Context, service *client.Client, old session.Login) {
	left, err := a.revokeLogin(ctx, service, old)
	a.forget(old)
	a.forget(left)
	switch {
	case err == nil || alreadyGone(err):
		a.say(levelStory, "The former login is revoked.")
	case old.ExpiresAt.IsZero():
		a.warn("the former login could not be revoked: %v", err)
	default:
		a.warn("the former login could not be revoked, and ends %s: %v", relative(old.ExpiresAt, a.Now()), err)
	}
}

// alreadyGone reports whether a service says that what was to be revoked is void.
func alreadyGone(err error) bool {
	return slices.ContainsFunc([]error{token.ErrRevoked, token.ErrExpired, token.ErrUnknown}, func(kind error) bool { return errors.Is(err, kind) })
}

// renews reports whether a login is made of the one that there is: ksctl does so
// where the file has a refresh token and no user.
func (a *app) renews(grant string) bool {
	return grant == token.GrantPassword && a.dialect() == "ciphertrust" && a.profile.Value("username").IsZero() &&
		a.profile.Strongest("password", "password_file", "password_command") == "" && !a.flags.passwordStdin && a.saved.err == nil
}

// renewLogin trades the saved refresh token for another.
func (a *app) renewLogin(ctx context.Context) error {
	if _, err := a.savedLogin(); err != nil {
		return err
	}
	set, err := a.refreshLogin(ctx, token.Request{Refresh: true}, nil)
	if err != nil {
		return err
	}
	if set.RefreshExpiresIn == 0 {
		a.say(levelInfo, noEnd)
		return nil
	}
	left := time.Duration(set.RefreshExpiresIn) * time.Second
	a.say(levelInfo, "this login will expire in %s", strings.Replace(span(left), "s ", "s, ", 1))
	return nil
}

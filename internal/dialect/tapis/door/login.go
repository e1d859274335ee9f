package door

import (
	"context"
	"errors"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// login is one login under way.
type login struct {
	*call
	body  *body
	at    int64             // an instant from before any record was read
	grant string            // by its registered name
	app   store.Application // zero: the user comes without one
}

// login gives tokens to a user: for a password, a code, a device's code or a
// refresh token.
func (h *Handler) login(c *call) (answer, error) {
	b, err := readEither(c)
	if err != nil {
		return answer{}, err
	}
	if c.tenant, err = h.tenantOf(c.Request); err != nil {
		return answer{}, err
	}
	if c.tenant.Tenant.SiteAdmin {
		return answer{}, bad("%s: the tenant administers a site, and users have no tokens there", tapis.HeaderTenant)
	}
	l := &login{call: c, body: b, at: c.tenant.Door.Tick()}
	serve, err := h.grantOf(l)
	if err != nil {
		return answer{}, err
	}
	if l.app, err = h.application(l); err != nil {
		return answer{}, err
	}
	set, err := serve(l)
	if err != nil {
		return answer{}, err
	}
	return paired(tapis.MessageLogin, set)
}

// grantOf is how a login is served.
func (h *Handler) grantOf(l *login) (serve func(*login) (token.Set, error), err error) {
	l.grant = l.body.need("grant_type")
	switch l.grant {
	case token.GrantPassword:
		serve = h.byUser
	case token.GrantAuthorizationCode:
		serve = h.byCode
	case token.GrantRefreshToken:
		serve = h.byRefresh
	case tapis.GrantDevice, token.GrantDeviceCode:
		l.grant, serve = token.GrantDeviceCode, h.byDevice
	default:
		l.body.wrong("grant_type", "password, authorization_code, refresh_token or device_code")
	}
	return serve, l.body.err
}

// errClient is the one answer to an application that is unknown, and to one that
// has not proved itself.
func errClient() error { return refusal{message: tapis.MessageClient} }

// application finds the one that takes part, and has it proved. A user with a
// password needs none, and a device has a public one that proves nothing.
func (h *Handler) application(l *login) (store.Application, error) {
	_, given, err := header(l.Request, "Authorization")
	named := l.body.text("client_id")
	if err = errors.Join(err, l.body.err); err != nil {
		return store.Application{}, err
	}
	id, secret, basic := l.BasicAuth()
	switch {
	case given && !basic:
		return store.Application{}, bad("Authorization: want Basic, of a client and its key")
	case given && named != "" && named != id:
		return store.Application{}, bad("client_id: want the client of the Authorization header")
	case !given && l.grant == token.GrantPassword:
		return store.Application{}, nil
	case !given && l.grant == token.GrantDeviceCode:
		id = l.body.need("client_id")
	case !given:
		return store.Application{}, bad("Authorization: it is missing: want Basic, of a client and its key")
	}
	if l.body.err != nil {
		return store.Application{}, l.body.err
	}
	app, err := h.registered(l, id)
	if err != nil {
		return app, err
	}
	// In any case, so that an unknown one costs the same.
	right := h.Core.CheckSecret(app, token.NewSecret(secret))
	if given && !(right && hasKey(app)) || !given && app.AuthMethod != authNone {
		return app, errClient()
	}
	if !slices.Contains(app.Grants, l.grant) {
		return app, bad("grant_type: the client is not registered for it")
	}
	return app, nil
}

// registered is the application of an id, the zero one where there is none.
func (h *Handler) registered(l *login, id string) (store.Application, error) {
	if id == "" || len(id) > maxName {
		return store.Application{}, nil
	}
	app, err := h.Core.Application(l.Context(), l.tenant.Tenant.Name, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Application{}, nil
	}
	return app, err
}

// authNone is the method of a public application, which has no key.
const authNone = "none"

// hasKey tells an application that proves itself by Basic.
func hasKey(app store.Application) bool {
	return app.ID != "" && (app.AuthMethod == "" || app.AuthMethod == "client_secret_basic")
}

// order is what all logins order alike. Only an application can have a refresh
// token, and where it is registered for that.
func (l *login) order(subject string) issuer.Order {
	name := l.grant
	if name == token.GrantDeviceCode {
		name = tapis.GrantDevice
	}
	return issuer.Order{
		Subject: subject, Client: l.app.ID, Grant: name, AuthAt: l.at, Mint: &issuer.Mint{},
		Refresh: slices.Contains(l.app.Grants, token.GrantRefreshToken),
	}
}

// byUser is the password grant.
func (h *Handler) byUser(l *login) (token.Set, error) {
	who := token.Credentials{Username: l.body.need("username"), Password: token.NewPassword(l.body.need("password"))}
	if l.body.err != nil {
		return token.Set{}, l.body.err
	}
	door := l.tenant.Door
	at, user, err := door.Authenticate(l.Context(), who, dialect.Source(l.Context()))
	switch {
	case errors.Is(err, token.ErrCredentials):
		return token.Set{}, refusal{message: tapis.MessageLoginFailed}
	case err != nil:
		return token.Set{}, err
	}
	return issue(l.Context(), door, min(at, l.at), l.order(user.Name))
}

// issue tells that a user was disabled since the password was right as the
// password would have been.
func issue(ctx context.Context, door *issuer.Door, at int64, o issuer.Order) (token.Set, error) {
	set, err := door.Issue(ctx, at, o)
	if errors.Is(err, token.ErrDenied) {
		err = refusal{message: tapis.MessageLoginFailed}
	}
	return set, err
}

// byRefresh gives the client that a refresh token was given to a new pair.
func (h *Handler) byRefresh(l *login) (token.Set, error) {
	const field = "refresh_token"
	raw := l.body.need(field)
	if l.body.err != nil {
		return token.Set{}, l.body.err
	}
	set, err := l.tenant.Door.MintAgain(l.Context(), token.NewSecret(raw), l.app.ID)
	if err != nil {
		return set, of(field, err)
	}
	return set, nil
}

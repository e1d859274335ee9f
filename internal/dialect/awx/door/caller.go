package door

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// visit is one request whose sender is known.
type visit struct {
	caller
	book
	w    http.ResponseWriter
	r    *http.Request
	id   string     // what the path names
	user store.User // who asks
	at   int64      // before anything was read that a decision stands on
}

// authenticate finds out who asks: by the Authorization header, else by the cookie
// of a login.
func (h *Handler) authenticate(v *visit) error {
	v.at = h.Door.Tick()
	list := v.r.Header.Values("Authorization")
	if len(list) == 0 {
		return h.bySession(v)
	}
	scheme, raw, _ := strings.Cut(list[0], " ")
	switch raw = strings.TrimSpace(raw); {
	case len(list) > 1:
		return errNobody
	case strings.EqualFold(scheme, "Basic"):
		return h.byPassword(v)
	case strings.EqualFold(scheme, "Bearer") && raw != "":
		return h.byToken(v, raw)
	}
	return errNobody
}

// byPassword takes a name and a password. Browsers keep those too, and send them for
// the pages of any site; programs do not say where they come from.
func (h *Handler) byPassword(v *visit) error {
	if h.isForeign(v.r) {
		return errForeign
	}
	name, pass, ok := v.r.BasicAuth()
	if !ok || name == "" || pass == "" {
		return refusal{status: http.StatusUnauthorized, detail: awx.MessageWrong}
	}
	at, user, err := h.Door.Authenticate(v.r.Context(), token.Credentials{Username: name, Password: token.NewPassword(pass)}, dialect.Source(v.r.Context()))
	if err != nil {
		return err
	}
	v.at, v.read, v.write = at, true, true
	return h.become(v, user)
}

// byToken takes a token of any door, but one that is bound to a key, is for another
// service, or was signed elsewhere.
func (h *Handler) byToken(v *visit, raw string) error {
	live, err := h.Door.Live(v.r.Context(), raw)
	switch {
	case err != nil:
		return err
	case live.Thumbprint() != "":
		return token.Refuse(token.ErrClaims, "the token is bound to a key and was sent as a plain bearer token")
	case live.IsService():
		return token.Refuse(token.ErrClaims, "the token is a service account's")
	case !live.IsSealed():
		return token.Refuse(token.ErrClaims, "the token was signed elsewhere, or given for one that was")
	case !isForUs(live):
		return token.Refuse(token.ErrClaims, "the token is for another resource")
	}
	v.read, v.write = mask(live)
	user, err := h.userNamed(v, live.User)
	if errors.Is(err, store.ErrNotFound) {
		return token.Refuse(token.ErrClaims, "the token is no user's")
	}
	if err != nil {
		return err
	}
	return h.become(v, user)
}

// isForUs reports whether an application's token is for this service (RFC 9068
// section 4): others were sent it to read.
func isForUs(live *issuer.Live) bool {
	if live.Pass != nil { // its access list knows nothing of what is here
		return false
	}
	if live.Row != nil || live.Client == "" {
		return true
	}
	audience, _ := live.Strings("aud")
	return slices.Contains(audience, live.Door.Issuer)
}

// doorOfMinters is the door whose tokens a service makes in the names of others.
const doorOfMinters = "tapis"

// mask is what a token is good for. Those that are no rows count as the user's own
// login where they are no application's; but one that a service may have made, without
// the user, writes nothing.
func mask(live *issuer.Live) (read, write bool) {
	scope, _ := live.String("scope")
	switch {
	case live.Row != nil:
		scope = live.Row.Scope
	case live.Client == "":
		return true, live.Door.Name != doorOfMinters
	}
	words := strings.Fields(scope)
	write = slices.Contains(words, awx.ScopeWrite)
	read = write || slices.Contains(words, awx.ScopeRead)
	return read, write && live.Door.Name != doorOfMinters
}

func (h *Handler) bySession(v *visit) error {
	b, err := h.browser(v.r)
	switch {
	case err != nil:
		return err
	case b.session == nil:
		return errNobody
	}
	if !isSafe(v.r.Method) {
		if err := h.checkCSRF(v.r, b, ""); err != nil {
			return err
		}
	}
	user, err := h.userNamed(v, b.session.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return errInactive
	}
	if err != nil {
		return err
	}
	v.read, v.write = true, true
	return h.become(v, user)
}

// isSafe reports whether a method changes nothing.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// become makes the visit the user's.
func (h *Handler) become(v *visit, user store.User) (err error) {
	if user.Disabled {
		return errInactive
	}
	v.user = user
	v.superuser, v.auditor = slices.Contains(user.Roles, store.RoleAdmin), slices.Contains(user.Roles, store.RoleAuditor)
	v.person, err = h.personOf(v, user)
	return err
}

// book keeps what was looked up during a visit.
type book struct {
	users         map[string]store.User
	apps          map[string]store.Application
	people        map[string]person
	organisations map[int64]store.Organisation
	tokens        map[string][]store.AccessToken // of summaries, by client; nil: not read
}

// keep looks up once, also that there is none: then the value is zero.
func keep[K comparable, V any](known *map[K]V, key K, find func() (V, error)) (V, error) {
	if value, ok := (*known)[key]; ok {
		return value, nil
	}
	value, err := find()
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return value, err
	}
	if *known == nil {
		*known = map[K]V{}
	}
	(*known)[key] = value
	return value, nil
}

// userNamed returns a user: store.ErrNotFound when there is none.
func (h *Handler) userNamed(v *visit, name string) (store.User, error) {
	user, err := keep(&v.users, name, func() (store.User, error) { return h.Core.User(v.r.Context(), h.Door.Tenant, name) })
	if err == nil && user.Name == "" {
		err = store.ErrNotFound
	}
	return user, err
}

// appNamed returns an application by its client_id: store.ErrNotFound when there is
// none, or it is no organisation's.
func (h *Handler) appNamed(v *visit, id string) (store.Application, error) {
	app, err := keep(&v.apps, id, func() (store.Application, error) { return h.Core.Application(v.r.Context(), h.Door.Tenant, id) })
	if err == nil && app.Organisation == 0 {
		err = store.ErrNotFound
	}
	return app, err
}

// orgNumbered returns an organisation: store.ErrNotFound when there is none.
func (h *Handler) orgNumbered(v *visit, number int64) (store.Organisation, error) {
	org, err := keep(&v.organisations, number, func() (store.Organisation, error) {
		return h.Core.Organisation(v.r.Context(), h.Door.Tenant, number)
	})
	if err == nil && org.Number == 0 {
		err = store.ErrNotFound
	}
	return org, err
}

func (h *Handler) personOf(v *visit, user store.User) (person, error) {
	return keep(&v.people, user.Name, func() (person, error) {
		orgs, err := h.orgsOf(v.r.Context(), user.Name)
		return person{name: user.Name, system: len(user.Roles) > 0, orgs: orgs}, err
	})
}

func (h *Handler) orgsOf(ctx context.Context, name string) (map[int64]roles, error) {
	list, err := h.Core.Memberships(ctx, h.Door.Tenant, name)
	orgs := map[int64]roles{}
	for _, m := range list {
		r := orgs[m.Organisation]
		switch m.Role {
		case store.OrganisationMember:
			r.member = true
		case store.OrganisationAdmin:
			r.admin = true
		case store.OrganisationAuditor:
			r.auditor = true
		}
		orgs[m.Organisation] = r
	}
	return orgs, err
}

package door

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (h *Handler) createApplication(v *visit) error {
	return h.newApplication(v, store.Organisation{}, store.User{})
}

func (h *Handler) createUserApplication(v *visit) error {
	user, _, err := h.userOf(v)
	if err != nil {
		return err
	}
	return h.newApplication(v, store.Organisation{}, user)
}

func (h *Handler) createOrganizationApplication(v *visit) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	return h.newApplication(v, o, store.User{})
}

// newApplication makes an application, and tells its secret this once.
func (h *Handler) newApplication(v *visit, o store.Organisation, user store.User) error {
	if !v.administersAny() {
		return errForbidden
	}
	b, err := readBody(v, true)
	if err != nil {
		return err
	}
	app := store.Application{
		Tenant: h.Door.Tenant, ID: (rand.Text() + rand.Text())[:40], Scopes: []string{awx.ScopeRead, awx.ScopeWrite}, Organisation: o.Number,
	}
	kind := ""
	readApplication(b, &app)
	b.choice("authorization_grant_type", &kind, awx.GrantTypes())
	setGrantType(&app, kind)
	if err := h.placeApplication(v, b, &app, user); err != nil {
		return err
	}
	if !v.changesOrganization(app.Organisation) {
		return errForbidden
	}
	_, secret, err := h.Core.AddApplication(v.r.Context(), app)
	if err != nil {
		return applicationRefused(err)
	}
	return h.replyApplication(v, app.ID, secret, http.StatusCreated)
}

// readApplication reads what a body sets, now or later.
func readApplication(b *body, app *store.Application) {
	kind, uris := awx.ClientConfidential, strings.Join(app.RedirectURIs, " ")
	if app.AuthMethod == authNone {
		kind = awx.ClientPublic
	}
	b.text("name", &app.Name, true, awx.MaxName)
	b.text("description", &app.Description, false, maxWords)
	b.choice("client_type", &kind, awx.ClientTypes())
	b.text("redirect_uris", &uris, false, maxURIs)
	b.flag("skip_authorization", &app.SkipConsent)
	app.RedirectURIs, app.AuthMethod = strings.Fields(uris), ""
	if kind == awx.ClientPublic {
		app.AuthMethod = authNone
	}
	app.PKCEOptional = kind != awx.ClientPublic
}

const maxURIs = 32 << 10

// replyApplication answers with an application as it is now, and its secret where
// that has just been made.
func (h *Handler) replyApplication(v *visit, id string, secret token.Secret, status int) error {
	app, err := h.Core.Application(v.r.Context(), h.Door.Tenant, id)
	if err != nil {
		return err
	}
	object, err := h.wireApplication(v, app)
	if err != nil {
		return err
	}
	if !secret.IsZero() {
		object.ClientSecret = secret.Reveal()
	}
	if status == http.StatusCreated {
		created(v, object.URL, object)
		return nil
	}
	reply(v.w, status, object)
	return nil
}

// placeApplication says whose a new application is: the user's of the path, else the
// one's that the body names, else nobody's; and of which organisation, where the path
// does not: the one that the body names, else the user's. What else is wrong with the
// body is told before any is made.
func (h *Handler) placeApplication(v *visit, b *body, app *store.Application, user store.User) (err error) {
	if number := b.number("user", false); number != 0 && user.Name == "" {
		if user, err = h.userAsked(v, b, number); err != nil {
			return err
		}
	}
	app.Owner = user.Name
	if app.Organisation == 0 {
		if app.Organisation, err = h.askedOrganization(v, b); err != nil {
			return err
		}
	}
	if app.Organisation == 0 && app.Owner == "" && len(b.wrong["user"])+len(b.wrong["organization"]) == 0 {
		b.fail("organization", awx.MessageRequired)
	}
	if err := b.err(); err != nil || app.Organisation != 0 {
		return err
	}
	app.Organisation, err = h.defaultOrganization(v, user)
	return err
}

// askedOrganization is the one that a body names; 0: none.
func (h *Handler) askedOrganization(v *visit, b *body) (int64, error) {
	number := b.number("organization", false)
	if number == 0 {
		return 0, nil
	}
	_, err := h.orgNumbered(v, number)
	if errors.Is(err, store.ErrNotFound) || err == nil && !v.readsOrganization(number) {
		raw, _ := b.object.Member("organization")
		b.unknown("organization", raw)
		err = nil
	}
	return number, err
}

func (h *Handler) userAsked(v *visit, b *body, number int64) (store.User, error) {
	user, err := h.Core.Store.UserByNumber(v.r.Context(), h.Door.Tenant, number)
	rule := person{}
	if err == nil {
		rule, err = h.personOf(v, user)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !v.readsUser(rule) {
		raw, _ := b.object.Member("user")
		b.unknown("user", raw)
		return store.User{}, nil
	}
	return user, unavailable(err)
}

// defaultOrganization is the first that a user belongs to where the caller may make
// applications. For a user of none a system admin takes the common one.
func (h *Handler) defaultOrganization(v *visit, user store.User) (int64, error) {
	rule, err := h.personOf(v, user)
	if err != nil {
		return 0, err
	}
	for _, org := range slices.Sorted(maps.Keys(rule.orgs)) {
		if rule.belongs(org) && v.changesOrganization(org) {
			return org, nil
		}
	}
	if !v.rulesOrganizations() {
		return 0, errField("organization", awx.MessageRequired)
	}
	return h.commonOrganization(v)
}

// commonOrganization is the one called awx.DefaultOrganization, made where there is
// none.
func (h *Handler) commonOrganization(v *visit) (int64, error) {
	o, err := h.Core.AddOrganisation(v.r.Context(), store.Organisation{Tenant: h.Door.Tenant, Name: awx.DefaultOrganization})
	if !errors.Is(err, store.ErrExists) {
		return o.Number, err
	}
	list, err := h.Core.Organisations(v.r.Context(), h.Door.Tenant)
	for _, o := range list {
		if o.Name == awx.DefaultOrganization {
			return o.Number, nil
		}
	}
	if err == nil {
		err = errChanged // it has been renamed or deleted since
	}
	return 0, err
}

// isJudgement tells what the issuer says of a value from what went wrong.
func isJudgement(err error) bool {
	_, known := asRefusal(err)
	return !known && !errors.Is(err, token.ErrUnavailable) && !errors.Is(err, store.ErrExists) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// fieldOf finds the field that the issuer's words are about, by how they begin.
func fieldOf(err error) string {
	for _, f := range [][2]string{
		{"redirect URI", "redirect_uris"},
		{"grant", "authorization_grant_type"},
		{"skip consent", "skip_authorization"},
		{"description", "description"},
		{"application name", "name"},
		{"organisation name", "name"},
		{"a list", "redirect_uris"},
	} {
		if strings.HasPrefix(err.Error(), f[0]) {
			return f[1]
		}
	}
	return "__all__"
}

func applicationRefused(err error) error {
	if isJudgement(err) {
		return errField(fieldOf(err), err.Error()+".")
	}
	return err
}

package door

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// authNone is the auth method of an application that keeps no secret.
const authNone = "none"

// grantType is the one word for what an application does.
func grantType(app store.Application) string {
	switch {
	case app.Implicit:
		return awx.GrantImplicit
	case slices.Contains(app.Grants, token.GrantAuthorizationCode):
		return awx.GrantCode
	case slices.Contains(app.Grants, token.GrantClientCredentials):
		return awx.GrantClientCredentials
	}
	return awx.GrantPassword
}

// setGrantType is the other way round.
func setGrantType(app *store.Application, kind string) {
	switch kind {
	case awx.GrantImplicit:
		app.Implicit = true
	case awx.GrantCode:
		app.Grants = []string{token.GrantAuthorizationCode, token.GrantRefreshToken}
	case awx.GrantClientCredentials:
		app.Grants = []string{token.GrantClientCredentials}
	case awx.GrantPassword:
		app.Grants = []string{token.GrantPassword, token.GrantRefreshToken}
	}
}

// programOf is an application as the rules look at one.
func programOf(app store.Application) program {
	return program{owner: app.Owner, org: app.Organisation}
}

// appNumbered returns an application: store.ErrNotFound when there is none, or it
// is no organisation's.
func (h *Handler) appNumbered(v *visit, number int64) (store.Application, error) {
	app, err := h.Core.Store.ApplicationByNumber(v.r.Context(), h.Door.Tenant, number)
	if err == nil && app.Organisation == 0 {
		err = store.ErrNotFound
	}
	return app, unavailable(err)
}

// application returns the one that the path names.
func (h *Handler) application(v *visit) (store.Application, error) {
	number, err := v.number()
	if err != nil {
		return store.Application{}, err
	}
	app, err := h.appNumbered(v, number)
	if err == nil && !v.readsApplication(programOf(app)) {
		err = errForbidden
	}
	return app, err
}

// changeableApplication is application for who may change it.
func (h *Handler) changeableApplication(v *visit) (store.Application, error) {
	app, err := h.application(v)
	if err == nil && !v.changesApplication(programOf(app)) {
		err = errForbidden
	}
	return app, err
}

func (h *Handler) showApplication(v *visit) error {
	app, err := h.application(v)
	if err != nil {
		return err
	}
	object, err := h.wireApplication(v, app)
	if err == nil {
		reply(v.w, http.StatusOK, object)
	}
	return err
}

// mayApplication is what OPTIONS tells.
func (h *Handler) mayApplication(v *visit, _ string) (bool, error) {
	app, err := h.application(v)
	switch {
	case isNotFound(err):
		return v.administersAny(), nil
	case errors.Is(err, errForbidden):
		return false, nil
	}
	return v.changesApplication(programOf(app)), err
}

// allApplications are those of all organisations, by number.
func (h *Handler) allApplications(v *visit) (all []store.Application, err error) {
	const page = 1000
	for after := int64(0); ; {
		rows, err := h.Core.Store.ListApplicationsByNumber(v.r.Context(), h.Door.Tenant, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, app := range rows {
			if after = app.Number; app.Organisation != 0 {
				all = append(all, app)
			}
		}
		if len(rows) < page {
			return all, nil
		}
	}
}

// serveApplications answers with those of a kind that the caller may see.
func (h *Handler) serveApplications(v *visit, meant func(store.Application) bool) error {
	q, err := readQuery(v, "id", "name")
	if err != nil {
		return err
	}
	list, err := h.allApplications(v)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(app store.Application) bool {
		return !v.readsApplication(programOf(app)) || !meant(app) || !q.matches("name", app.Name) || !q.matchesNumber(app.Number)
	})
	return servePage(v, q, inMemory(list, func(app store.Application) int64 { return app.Number }), func(app store.Application) (awx.Application, error) {
		return h.wireApplication(v, app)
	})
}

func (h *Handler) listApplications(v *visit) error {
	return h.serveApplications(v, func(store.Application) bool { return true })
}

func (h *Handler) listUserApplications(v *visit) error {
	user, rule, err := h.userOf(v)
	if err != nil {
		return err
	}
	return h.serveApplications(v, func(app store.Application) bool {
		return app.Owner == user.Name || rule.orgs[app.Organisation].any()
	})
}

func (h *Handler) listOrganizationApplications(v *visit) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	return h.serveApplications(v, func(app store.Application) bool { return app.Organisation == o.Number })
}

// changeApplication sets what may change; all else stays as it is. One that comes
// to have a secret is told it this once.
func (h *Handler) changeApplication(v *visit) error {
	app, err := h.changeableApplication(v)
	if err != nil {
		return err
	}
	b, err := readBody(v, v.r.Method == http.MethodPut)
	if err != nil {
		return err
	}
	before := app
	readApplication(b, &app)
	if err := h.moveApplication(v, b, &app); err != nil {
		return err
	}
	if err := b.err(); err != nil {
		return err
	}
	if leads(before, app) && !v.changesOrganization(before.Organisation) {
		return errForbidden
	}
	if _, err := h.Core.UpdateApplication(v.r.Context(), app); err != nil {
		return applicationRefused(err)
	}
	secret := token.Secret{}
	if before.AuthMethod == authNone && app.AuthMethod != authNone {
		if secret, err = h.Core.SetApplicationSecret(v.r.Context(), h.Door.Tenant, app.ID); err != nil {
			return err
		}
	}
	h.forget(v, app)
	return h.replyApplication(v, app.ID, secret, http.StatusOK)
}

// leads reports whether a change has people's answers go where they did not, and
// nobody asked. Whoever owns an application alone would have the tokens of all.
func leads(before, after store.Application) bool {
	return after.SkipConsent && !(before.SkipConsent && slices.Equal(before.RedirectURIs, after.RedirectURIs))
}

// forget makes a visit read an application anew.
func (h *Handler) forget(v *visit, app store.Application) { delete(v.apps, app.ID) }

// moveApplication gives an application to another organisation. The caller must
// administer both.
func (h *Handler) moveApplication(v *visit, b *body, app *store.Application) error {
	number := b.number("organization", b.all)
	if number = cmp.Or(number, app.Organisation); number == app.Organisation {
		return nil
	}
	_, err := h.orgNumbered(v, number)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !v.readsOrganization(number):
		raw, _ := b.object.Member("organization")
		b.unknown("organization", raw)
		return nil
	case err == nil && !(v.changesOrganization(number) && v.changesOrganization(app.Organisation)):
		return errForbidden
	}
	app.Organisation = number
	return err
}

func (h *Handler) deleteApplication(v *visit) error {
	app, err := h.changeableApplication(v)
	if err != nil {
		return err
	}
	if err := h.Core.DeleteApplication(v.r.Context(), h.Door.Tenant, app.ID); err != nil {
		return err
	}
	done(v.w)
	return nil
}

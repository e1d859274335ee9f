package door

import (
	"errors"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// organization returns the one that the path names.
func (h *Handler) organization(v *visit) (store.Organisation, error) {
	number, err := v.number()
	if err != nil {
		return store.Organisation{}, err
	}
	o, err := h.orgNumbered(v, number)
	if err == nil && !v.readsOrganization(number) {
		err = errForbidden
	}
	return o, err
}

func (h *Handler) showOrganization(v *visit) error {
	o, err := h.organization(v)
	if err == nil {
		reply(v.w, http.StatusOK, h.wireOrganization(v, o))
	}
	return err
}

// mayOrganization is what OPTIONS tells, also of the organisation's applications.
func (h *Handler) mayOrganization(v *visit, method string) (bool, error) {
	number, err := v.number()
	if err != nil {
		return v.caller.may(true), nil
	}
	if method == http.MethodDelete {
		return v.rulesOrganizations(), nil
	}
	return v.changesOrganization(number), nil
}

func (h *Handler) listOrganizations(v *visit) error {
	q, err := readQuery(v, "id", "name")
	if err != nil {
		return err
	}
	list, err := h.Core.Organisations(v.r.Context(), h.Door.Tenant)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(o store.Organisation) bool {
		return !v.readsOrganization(o.Number) || !q.matches("name", o.Name) || !q.matchesNumber(o.Number)
	})
	return servePage(v, q, inMemory(list, func(o store.Organisation) int64 { return o.Number }), func(o store.Organisation) (awx.Organization, error) {
		return h.wireOrganization(v, o), nil
	})
}

// maxWords bounds what people say of an organisation or an application.
const maxWords = 1024

func readOrganization(b *body, o *store.Organisation) error {
	b.text("name", &o.Name, true, awx.MaxName)
	b.text("description", &o.Description, false, maxWords)
	return b.err()
}

func (h *Handler) createOrganization(v *visit) error {
	if !v.rulesOrganizations() {
		return errForbidden
	}
	b, err := readBody(v, true)
	if err != nil {
		return err
	}
	o := store.Organisation{Tenant: h.Door.Tenant}
	if err := readOrganization(b, &o); err != nil {
		return err
	}
	if o, err = h.Core.AddOrganisation(v.r.Context(), o); err != nil {
		return organizationRefused(err)
	}
	object := h.wireOrganization(v, o)
	created(v, object.URL, object)
	return nil
}

// organizationRefused finds the field that the issuer does not take.
func organizationRefused(err error) error {
	switch {
	case errors.Is(err, store.ErrExists):
		return errField("name", "Organization with this Name already exists.")
	case isJudgement(err):
		return errField(fieldOf(err), err.Error()+".")
	}
	return err
}

func (h *Handler) changeOrganization(v *visit) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	if !v.changesOrganization(o.Number) {
		return errForbidden
	}
	b, err := readBody(v, v.r.Method == http.MethodPut)
	if err != nil {
		return err
	}
	if err := readOrganization(b, &o); err != nil {
		return err
	}
	if err := h.Core.UpdateOrganisation(v.r.Context(), o); err != nil {
		return organizationRefused(err)
	}
	if o, err = h.Core.Organisation(v.r.Context(), h.Door.Tenant, o.Number); err != nil {
		return err
	}
	reply(v.w, http.StatusOK, h.wireOrganization(v, o))
	return nil
}

// deleteOrganization removes one that has no application.
func (h *Handler) deleteOrganization(v *visit) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	if !v.rulesOrganizations() {
		return errForbidden
	}
	err = h.Core.DeleteOrganisation(v.r.Context(), h.Door.Tenant, o.Number)
	if errors.Is(err, store.ErrConflict) {
		return refusal{status: http.StatusConflict, detail: "The organization has applications: delete them first."}
	}
	if err == nil {
		done(v.w)
	}
	return err
}

// membersOf is the list of the users who have a role in an organisation. A POST of
// {"id": N} adds one, with "disassociate": true it takes one out.
func (h *Handler) membersOf(name, role string) view {
	return view{
		name: name, about: "The users who have that role in the organization.", fields: userFields(),
		methods: listing(
			func(v *visit) error { return h.listMembers(v, role) },
			func(v *visit) error { return h.setMember(v, role) },
		),
		may: func(v *visit, _ string) (bool, error) { return v.rulesOrganizations(), nil },
	}
}

func (h *Handler) listMembers(v *visit, role string) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	q, err := readQuery(v, "id", "username")
	if err != nil {
		return err
	}
	members, err := h.Core.Members(v.r.Context(), h.Door.Tenant, o.Number)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range members {
		if m.Role == role {
			names = append(names, m.User)
		}
	}
	list, err := h.usersNamed(v, q, names)
	if err != nil {
		return err
	}
	return h.serveUsers(v, q, list)
}

// setMember is for system admins: whoever belongs to an organisation is under its
// admins.
func (h *Handler) setMember(v *visit, role string) error {
	o, err := h.organization(v)
	if err != nil {
		return err
	}
	if !v.rulesOrganizations() {
		return errForbidden
	}
	b, err := readBody(v, true)
	if err != nil {
		return err
	}
	number, remove := b.number("id", true), false
	b.flag("disassociate", &remove)
	user := store.User{}
	if number != 0 {
		user, err = h.Core.Store.UserByNumber(v.r.Context(), h.Door.Tenant, number)
		if errors.Is(err, store.ErrNotFound) {
			raw, _ := b.object.Member("id")
			b.unknown("id", raw)
			err = nil
		}
	}
	if err := errors.Join(unavailable(err), b.err()); err != nil {
		return err
	}
	err = h.Core.SetMember(v.r.Context(), store.Membership{Tenant: h.Door.Tenant, Organisation: o.Number, User: user.Name, Role: role}, !remove)
	if err != nil && !(remove && errors.Is(err, store.ErrNotFound)) {
		return err
	}
	done(v.w)
	return nil
}

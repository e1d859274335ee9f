package door

import (
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// serveTokens answers with a part of a list of tokens.
func (h *Handler) serveTokens(v *visit, f store.AccessTokenFilter, keep func(store.AccessToken) (bool, error)) error {
	q, err := readQuery(v)
	if err != nil {
		return err
	}
	return servePage(v, q, h.tokenSource(v, f, keep), func(t store.AccessToken) (any, error) { return h.wireToken(v, t) })
}

// listTokens tells of all tokens that the caller may see. What the store looks for
// is what readsToken lets see.
func (h *Handler) listTokens(v *visit) error {
	f, err := h.visible(v)
	if err != nil {
		return err
	}
	return h.serveTokens(v, f, nil)
}

// visible is the filter of the tokens that the caller may see.
func (h *Handler) visible(v *visit) (f store.AccessTokenFilter, err error) {
	if v.seesAll() {
		return f, nil
	}
	if f.Subjects, err = h.watched(v); err != nil || !v.overlooksAny() {
		return f, err
	}
	apps, err := h.allApplications(v)
	for _, app := range apps {
		if v.overlooks(app.Organisation) {
			f.Clients = append(f.Clients, app.ID)
		}
	}
	return f, err
}

// watched are the users whose tokens the caller may see: the caller, and those of
// the organisations that the caller looks after.
func (h *Handler) watched(v *visit) ([]string, error) {
	names := []string{v.name}
	for org := range v.orgs {
		if !v.overlooks(org) {
			continue
		}
		list, err := h.Core.Members(v.r.Context(), h.Door.Tenant, org)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if m.Role != store.OrganisationAuditor {
				names = append(names, m.User)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// userTokens is a list of a user's tokens.
func (h *Handler) userTokens(name string, kind tokenKind) view {
	about := map[tokenKind]string{
		anyToken: "The user's tokens that the caller may see.", applicationToken: "Those of applications.", personalToken: "Those of no application.",
	}
	return view{
		name: name, about: about[kind], fields: tokenFields(),
		methods: listing(
			func(v *visit) error { return h.listUserTokens(v, kind) },
			func(v *visit) error {
				owner, _, err := h.userOf(v)
				if err != nil {
					return err
				}
				return h.newToken(v, owner, kind, nil)
			},
		),
		may: func(v *visit, _ string) (bool, error) {
			_, rule, err := h.userOf(v)
			if err == nil {
				err = h.checkGiving(v, rule)
			}
			return err == nil, h.unlessRefused(err)
		},
	}
}

func (h *Handler) listUserTokens(v *visit, kind tokenKind) error {
	owner, rule, err := h.userOf(v)
	if err != nil {
		return err
	}
	f := store.AccessTokenFilter{Subjects: []string{owner.Name}, Personal: kind == personalToken, Application: kind == applicationToken}
	if v.readsToken(held{owner: rule}) { // whatever the application
		return h.serveTokens(v, f, nil)
	}
	return h.serveTokens(v, f, func(t store.AccessToken) (bool, error) {
		one, err := h.heldOf(v, t)
		return v.readsToken(one), err
	})
}

func (h *Handler) listApplicationTokens(v *visit) error {
	app, err := h.application(v)
	if err != nil {
		return err
	}
	f, keep, err := h.visibleOf(v, app)
	if err != nil {
		return err
	}
	return h.serveTokens(v, f, keep)
}

// visibleOf is the filter of the application's tokens that the caller may see.
func (h *Handler) visibleOf(v *visit, app store.Application) (f store.AccessTokenFilter, keep func(store.AccessToken) (bool, error), err error) {
	if v.readsToken(held{org: app.Organisation}) { // whoever the owner
		return store.AccessTokenFilter{Clients: []string{app.ID}}, nil, nil
	}
	// The caller's own are fewer than the application's.
	names, err := h.watched(v)
	f = store.AccessTokenFilter{Subjects: names, Application: true}
	return f, func(t store.AccessToken) (bool, error) { return t.Client == app.ID, nil }, err
}

func (h *Handler) createApplicationToken(v *visit) error {
	app, err := h.application(v)
	if err != nil {
		return err
	}
	return h.newToken(v, v.user, applicationToken, &app)
}

// unlessRefused drops an error that is a refusal: OPTIONS says what may be done, not
// why something may not.
func (h *Handler) unlessRefused(err error) error {
	if _, known := asRefusal(err); known {
		return nil
	}
	return err
}

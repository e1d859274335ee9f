package door

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// userOf returns the user that the path names, by number or by name, and how the
// rules see them. What is a number is never a name.
func (h *Handler) userOf(v *visit) (user store.User, rule person, err error) {
	if number, numbered := v.number(); numbered == nil {
		user, err = h.Core.Store.UserByNumber(v.r.Context(), h.Door.Tenant, number)
		err = unavailable(err)
	} else {
		user, err = h.userNamed(v, v.id)
	}
	if err == nil {
		rule, err = h.personOf(v, user)
	}
	if err == nil && !v.readsUser(rule) {
		err = errForbidden
	}
	return user, rule, err
}

func (h *Handler) showUser(v *visit) error {
	user, _, err := h.userOf(v)
	if err == nil {
		reply(v.w, http.StatusOK, h.wireUser(user))
	}
	return err
}

func (h *Handler) showMe(v *visit) error {
	q, err := readQuery(v)
	if err != nil {
		return err
	}
	return h.serveUsers(v, q, []store.User{v.user})
}

func (h *Handler) serveUsers(v *visit, q query, list []store.User) error {
	slices.SortFunc(list, func(a, b store.User) int { return cmp.Compare(a.Number, b.Number) })
	list = slices.DeleteFunc(list, func(u store.User) bool { return !q.matches("username", u.Name) || !q.matchesNumber(u.Number) })
	return servePage(v, q, inMemory(list, func(u store.User) int64 { return u.Number }), func(u store.User) (awx.User, error) { return h.wireUser(u), nil })
}

// matches reports whether a filter lets a value pass.
func (q query) matches(name, value string) bool {
	return !q.filter.Has(name) || q.filter.Get(name) == value
}

func (q query) matchesNumber(n int64) bool { return q.matches("id", strconv.FormatInt(n, 10)) }

func (h *Handler) listUsers(v *visit) error {
	q, err := readQuery(v, "id", "username")
	if err != nil {
		return err
	}
	list, err := h.visibleUsers(v, q)
	if err != nil {
		return err
	}
	return h.serveUsers(v, q, list)
}

// visibleUsers are those that readsUser lets see, of those that are asked for.
func (h *Handler) visibleUsers(v *visit, q query) ([]store.User, error) {
	switch {
	case v.seesAll() && q.filter.Has("username"):
		return h.usersNamed(v, q, []string{q.filter.Get("username")})
	case v.seesAll():
		return h.allUsers(v)
	}
	names := []string{v.name}
	for org := range v.orgs {
		list, err := h.Core.Members(v.r.Context(), h.Door.Tenant, org)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			names = append(names, m.User)
		}
	}
	return h.usersNamed(v, q, names)
}

// usersNamed looks up those of the names that are asked for, and no others.
func (h *Handler) usersNamed(v *visit, q query, names []string) (list []store.User, err error) {
	names = slices.DeleteFunc(names, func(name string) bool { return !q.matches("username", name) })
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		user, err := h.userNamed(v, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, user)
	}
	return list, nil
}

func (h *Handler) allUsers(v *visit) (all []store.User, err error) {
	const page = 1000
	for after := int64(0); ; after = all[len(all)-1].Number {
		rows, err := h.Core.Store.ListUsersByNumber(v.r.Context(), h.Door.Tenant, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, rows...)
		if len(rows) < page {
			return all, nil
		}
	}
}

func (h *Handler) showRoot(v *visit) error {
	if b, err := h.browser(v.r); err == nil {
		h.csrfToken(v.w, v.r, b) // programs fetch it here before they log in
	}
	at := func(path string) string { return h.base + path }
	reply(v.w, http.StatusOK, map[string]any{
		"description":        "AWX REST API",
		"current_version":    at(awx.PathV2),
		"available_versions": map[string]string{"v2": at(awx.PathV2)},
		"oauth2":             at(awx.PathOAuth),
		"custom_logo":        "",
		"custom_login_info":  "",
	})
	return nil
}

func (h *Handler) showV2(v *visit) error {
	reply(v.w, http.StatusOK, map[string]string{
		"me": h.base + awx.PathMe, "users": h.base + awx.PathUsers, "organizations": h.base + awx.PathOrganizations,
		"applications": h.base + awx.PathApplications, "tokens": h.base + awx.PathTokens, "credentials": h.base + awx.PathCredentials,
	})
	return nil
}

// noCredentials is a list of what this service does not keep.
func (h *Handler) noCredentials(v *visit) error {
	reply(v.w, http.StatusOK, awx.Page[struct{}]{Results: []struct{}{}})
	return nil
}

package door

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// decide asks the person, or acts on the answer.
func (h *Handler) decide(v *visit, a authorization) {
	asks := !a.app.SkipConsent || slices.Contains(a.prompt, "consent")
	switch {
	case v.r.Method == http.MethodPost && v.form.get("decision") == "allow", !asks:
		h.allow(v, a)
	case v.r.Method == http.MethodPost:
		h.sendError(v, a, refuse(oauth2.ErrorAccessDenied, "the person has denied it"))
	case slices.Contains(a.prompt, "none"):
		h.sendError(v, a, refuse("consent_required", "the person has to be asked"))
	default:
		rights, err := h.meanings(v, a.scope)
		if err != nil {
			h.problem(v, err)
			return
		}
		h.pages.Consent(v.w, http.StatusOK, pages.Consent{
			Frame: h.frame(v, a.target()), Action: h.address(a.by, a.form),
			Client: a.app.Name, ClientID: a.app.ID, RedirectHost: a.host(), Scopes: rights, Resources: h.others(a.audience),
		})
	}
}

// meanings says what scopes mean to the person, for those that we know.
func (h *Handler) meanings(v *visit, scope string) ([]pages.Scope, error) {
	user, err := h.Core.User(v.r.Context(), h.Door.Tenant, v.session.Subject)
	if err != nil {
		return nil, err
	}
	known := map[string]string{
		issuer.ScopeOpenID:  "Know that it is you",
		scopeProfile:        "Know your user name",
		issuer.ScopeAccount: "See your logins, end them, and revoke all your tokens",
		"offline_access":    "Stay logged in while you are away",
		"read":              "Read what you may read",
		"write":             "Change what you may change",
	}
	if slices.Contains(user.Roles, store.RoleAdmin) {
		known[issuer.ScopeAccount] = "See and end your logins, revoke all your tokens and, as you are an administrator, those of every user"
	}
	var list []pages.Scope
	for _, s := range strings.Fields(scope) {
		list = append(list, pages.Scope{Name: s, Meaning: known[s]})
	}
	return list, nil
}

// others is an audience without this service.
func (h *Handler) others(audience []string) []string {
	return slices.DeleteFunc(slices.Clone(audience), func(a string) bool { return a == h.URL })
}

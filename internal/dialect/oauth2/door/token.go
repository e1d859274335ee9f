package door

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// request is one request for a token, after the phases that all grants share.
type request struct {
	form       form
	app        store.Application
	source     string // where it came from, for the throttle
	at         int64  // an instant from before anything was read
	thumbprint string // of the key that the token is to be bound to; empty: none
}

// grantFunc says what one grant issues.
type grantFunc func(ctx context.Context, r *request) (token.Set, error)

// grantFuncs are the grants by grant_type.
func (h *Handler) grantFuncs() map[string]grantFunc {
	return map[string]grantFunc{
		token.GrantPassword:          h.passwordGrant,
		token.GrantClientCredentials: h.clientCredentialsGrant,
		token.GrantAuthorizationCode: h.codeGrant,
		token.GrantRefreshToken:      h.refreshGrant,
		token.GrantDeviceCode:        h.deviceGrant,
		token.GrantTokenExchange:     h.exchangeGrant,
	}
}

// tokenEndpoint is RFC 6749 section 3.2.
func (h *Handler) tokenEndpoint(w http.ResponseWriter, r *http.Request) {
	set, req, err := h.grant(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	answer := asSet(set)
	if req.form.get("grant_type") == token.GrantTokenExchange {
		answer["issued_token_type"] = oauth2.TypeAccessToken
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) grant(w http.ResponseWriter, r *http.Request) (token.Set, *request, error) {
	req := &request{at: h.Door.Tick(), source: dialect.Source(r.Context())}
	var err error
	if req.form, err = readForm(w, r); err != nil {
		return token.Set{}, req, err
	}
	prove := h.application
	if req.form.get("grant_type") == token.GrantRefreshToken { // the login ends with the application, and its row says so
		prove = h.recentApplication
	}
	if req.app, err = prove(r, req.form); err != nil {
		return token.Set{}, req, err
	}
	name, err := req.form.need("grant_type")
	if err != nil {
		return token.Set{}, req, err
	}
	run, known := h.grants[name]
	switch {
	case !known:
		return token.Set{}, req, refuse(oauth2.ErrorUnsupportedGrantType, "this service does not know that grant_type")
	case req.app.Organisation != 0:
		return token.Set{}, req, refuse(oauth2.ErrorUnauthorizedClient, "the application belongs to an organisation, whose tokens are given elsewhere")
	case !slices.Contains(req.app.Grants, name):
		return token.Set{}, req, refuse(oauth2.ErrorUnauthorizedClient, "the application is not registered for that grant_type")
	}
	if req.thumbprint, err = h.thumbprint(w, r, ""); err != nil {
		return token.Set{}, req, err
	}
	set, err := run(r.Context(), req)
	return set, req, err
}

// order is what all grants order alike: for the application, bound to the key of
// the proof; refresh tokens of a public application are bound to it too (RFC 9449
// section 5).
func (r *request) order() issuer.Order {
	return issuer.Order{
		Client: r.app.ID, Grant: r.form.get("grant_type"), Thumbprint: r.thumbprint, BindRefresh: isPublic(r.app),
		Refresh: slices.Contains(r.app.Grants, token.GrantRefreshToken),
	}
}

// scope is what an application asks for of what it is registered for: all of
// that where it does not say (RFC 6749 section 3.3).
func scope(app store.Application, f form) (string, error) {
	if !isScope(f.get("scope")) {
		return "", refuse(oauth2.ErrorInvalidScope, "the scope is not a list of words separated by single spaces")
	}
	list, err := issuer.Narrow(app.Scopes, strings.Fields(f.get("scope")), issuer.ErrScope)
	list = slices.Clone(list)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " "), err
}

// isScope reports whether a text has the form of a scope (RFC 6749 section 3.3).
func isScope(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return strings.Join(strings.Fields(text), " ") == text
}

// audience is whom a token is for: the resources that are asked for (RFC 8707
// section 2), else all that the application is registered for, else this service.
// With a scope that our own endpoints ask for, they are among them.
func (h *Handler) audience(app store.Application, f form, scope string) ([]string, error) {
	for _, a := range f["resource"] {
		if u, err := url.Parse(a); err != nil || !u.IsAbs() || strings.Contains(a, "#") {
			return nil, refuse(oauth2.ErrorInvalidTarget, "a resource must be an absolute URI without a fragment")
		}
	}
	list := app.Audiences
	if asked := slices.Concat(f["resource"], f["audience"]); len(asked) > 0 {
		var err error
		if list, err = issuer.Narrow(append([]string{h.URL}, app.Audiences...), asked, issuer.ErrTarget); err != nil {
			return nil, err
		}
	}
	list = slices.Clone(list)
	for _, word := range strings.Fields(scope) {
		if word == issuer.ScopeOpenID || word == issuer.ScopeAccount || word == issuer.ScopeRevocations {
			list = append(list, h.URL)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

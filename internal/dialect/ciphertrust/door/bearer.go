package door

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// caller is who asks with a token that is honoured.
type caller struct {
	*issuer.Live
	cookie bool       // the token came in a cookie
	user   store.User // of a caller who may rule logins
}

// isAdmin looks at the user's roles of this moment, not at what the token says. An
// opaque token acts for its own user alone.
func (c caller) isAdmin() bool {
	return c.Pass == nil && slices.Contains(c.user.Roles, store.RoleAdmin)
}

// bearer returns who asks: by the Authorization header, else by the cookie. Any
// door's token will do, but one that is bound to a key.
func (h *Handler) bearer(r *http.Request) (caller, error) {
	raw, byCookie, err := h.bearerToken(r)
	if err != nil {
		return caller{}, err
	}
	live, err := h.Door.Live(r.Context(), raw)
	if err == nil && live.Thumbprint() != "" {
		err = token.Refuse(token.ErrClaims, "the token is bound to a key and was sent as a plain bearer token")
	}
	return caller{Live: live, cookie: byCookie}, err
}

// ruler is bearer for what an application may do only where the user has let it
// see and end logins.
func (h *Handler) ruler(r *http.Request) (caller, error) {
	c, err := h.bearer(r)
	if err == nil {
		err = c.Rules()
	}
	if err == nil {
		c.user, err = h.userOf(r.Context(), c.Live)
	}
	return c, err
}

func (h *Handler) userOf(ctx context.Context, live *issuer.Live) (store.User, error) {
	user, err := h.Core.User(ctx, h.Door.Tenant, live.User)
	if errors.Is(err, store.ErrNotFound) {
		return user, token.Refuse(token.ErrRevoked, "the user is gone")
	}
	return user, err
}

func (h *Handler) bearerToken(r *http.Request) (raw string, byCookie bool, err error) {
	switch list := r.Header.Values("Authorization"); {
	case len(list) > 1:
		return "", false, refusal{message: "more than one Authorization header"}
	case len(list) == 1:
		scheme, raw, _ := strings.Cut(list[0], " ")
		if raw = strings.TrimSpace(raw); strings.EqualFold(scheme, "Bearer") && raw != "" {
			return raw, false, nil
		}
	}
	if raw = h.cookieOf(r, jwtCookie); raw != "" {
		return raw, true, h.ownPage(r)
	}
	return "", false, token.Refuse(token.ErrUnknown, "no token")
}

// withCaller does what needs a token of a user's.
func (h *Handler) withCaller(w http.ResponseWriter, r *http.Request, serve func(caller) error) {
	c, err := h.ruler(r)
	if err == nil {
		err = serve(c)
	}
	if err != nil {
		h.refuse(w, r, err)
	}
}

// withAdmin is withCaller for admins.
func (h *Handler) withAdmin(w http.ResponseWriter, r *http.Request, serve func(caller) error) {
	h.withCaller(w, r, func(c caller) error {
		if !c.isAdmin() {
			return token.Refuse(token.ErrDenied, "only an admin sees and changes system properties")
		}
		return serve(c)
	})
}

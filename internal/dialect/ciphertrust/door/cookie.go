package door

import (
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// Cookies of a browser that asked for them. With __Host- a browser takes them
// from this host over TLS alone (RFC 6265bis section 4.1.3).
const (
	jwtCookie     = "ciphertrust_jwt"
	refreshCookie = "ciphertrust_refresh_token"
)

func (h *Handler) cookieName(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for some seconds; 0: until the browser is closed.
func (h *Handler) setCookie(w http.ResponseWriter, name, value string, seconds int64) {
	http.SetCookie(w, &http.Cookie{
		Name: h.cookieName(name), Value: value, Path: "/", MaxAge: int(seconds),
		HttpOnly: true, Secure: h.secure, SameSite: http.SameSiteStrictMode,
	})
}

func (h *Handler) cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(h.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// replyCookies answers a set with its values in cookies in the place of the body.
func (h *Handler) replyCookies(w http.ResponseWriter, set ciphertrust.Set, s store.Session) {
	h.setCookie(w, jwtCookie, set.JWT, set.Duration)
	if set.Refresh != "" {
		h.setCookie(w, refreshCookie, set.Refresh, least(s.IdleTTL, set.ExpiresIn))
	}
	set.JWT, set.Refresh = "", ""
	reply(w, http.StatusOK, set)
}

// least is the smaller of two lifetimes of which 0 has no end.
func least(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (h *Handler) dropCookies(w http.ResponseWriter) {
	h.setCookie(w, jwtCookie, "", -1)
	h.setCookie(w, refreshCookie, "", -1)
}

// errForeign is a request that a page of another site sent with cookies of ours,
// or that wants some.
var errForeign = refusal{http.StatusForbidden, "a page of another site cannot do that"}

// ownPage refuses what the page of another site makes a browser send.
func (h *Handler) ownPage(r *http.Request) error {
	if h.isPlayground(r) || http.NewCrossOriginProtection().Check(r) == nil {
		return nil
	}
	return errForeign
}

// isPlayground reports whether a page of this service's own origin asks, which
// browsers say and programs do not.
func (h *Handler) isPlayground(r *http.Request) bool { return r.Header.Get("Origin") == h.origin }

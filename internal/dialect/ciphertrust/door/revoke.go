package door

import (
	"errors"
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// revoke ends a refresh token for who knows its client id, or the password of its
// user. Its JWTs end with it. That it was revoked before is no error: who lost
// the answer asks again.
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, _ string) {
	b, err := readBody(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	byCookie, err := h.revokeFor(r, b)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if byCookie {
		h.dropCookies(w)
	}
	done(w)
}

func (h *Handler) revokeFor(r *http.Request, b *body) (byCookie bool, err error) {
	raw, byCookie, err := h.refreshToken(r, b, "token")
	client := b.text("client_id")
	owns := func(s store.Session) bool { return client == h.Core.ClientUUID(s) }
	var who token.Credentials
	if client == "" {
		who = credentials(b)
	}
	if err := errors.Join(b.err, err); err != nil {
		return false, err
	}
	if client == "" {
		_, user, err := h.Door.Authenticate(r.Context(), who, dialect.Source(r.Context()))
		if err != nil {
			return false, err
		}
		owns = func(s store.Session) bool { return s.Subject == user.Name }
	}
	s, err := h.Door.Kept(r.Context(), raw)
	if errors.Is(err, token.ErrUnknown) || err == nil && !owns(s) {
		return false, errNotFound(ciphertrust.MessageNoRecord)
	}
	if err != nil {
		return false, err
	}
	return byCookie, h.Door.End(r.Context(), s)
}

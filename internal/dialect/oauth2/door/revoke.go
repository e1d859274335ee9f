package door

import (
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// revoke is RFC 7009: success also for a token that is unknown, void already, or
// another application's, which lives on.
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request) {
	if err := h.revokeToken(w, r); err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) revokeToken(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	app, err := h.recentApplication(r, f)
	if err != nil {
		return err
	}
	raw, err := f.need("token")
	if err != nil {
		return err
	}
	// A hint that we do not know is no reason to refuse (RFC 7009 section 2.1), but
	// a kind of token that cannot be revoked is.
	if hint := f.get("token_type_hint"); hint == "id_token" {
		return refuse(oauth2.ErrorUnsupportedTokenType, "an id_token cannot be revoked")
	}
	return h.Door.RevokeFor(r.Context(), app.ID, token.NewSecret(raw))
}

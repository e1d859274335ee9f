package door

import (
	"context"
	"errors"
	"net/http"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// oauthRevoke is RFC 7009: success also for a token that is unknown or void already.
// A personal token and another application's live on, and nobody is told.
func (h *Handler) oauthRevoke(w http.ResponseWriter, r *http.Request) {
	if err := h.revokeValue(w, r); err != nil {
		h.oauthRefuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) revokeValue(w http.ResponseWriter, r *http.Request) error {
	f, err := readOAuthForm(w, r)
	if err != nil {
		return err
	}
	app, err := h.oauthClient(r, f)
	if err != nil {
		return err
	}
	// Either value ends both, so that no hint is needed.
	value, err := f.need("token", "Missing token parameter.")
	if err != nil {
		return err
	}
	return h.endValue(r.Context(), app.ID, token.NewSecret(value))
}

func (h *Handler) endValue(ctx context.Context, client string, value token.Secret) error {
	row, err := h.Door.KeptByValue(ctx, value)
	switch {
	case errors.Is(err, token.ErrUnknown), errors.Is(err, token.ErrRevoked), errors.Is(err, token.ErrExpired):
		return nil
	case err != nil:
		return err
	case row.Client != client:
		return nil
	}
	return h.Door.EndFamily(ctx, row)
}

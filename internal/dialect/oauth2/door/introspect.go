package door

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// introspect is RFC 7662. What is not live and what the caller has no business
// with reads the same, to the byte.
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request) {
	answer, err := h.introspection(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) introspection(w http.ResponseWriter, r *http.Request) (any, error) {
	f, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	app, err := h.recentApplication(r, f)
	if err != nil {
		return nil, err
	}
	if isPublic(app) { // RFC 7662 section 2.1: the caller must have proved itself
		return nil, errClient()
	}
	raw, err := f.need("token")
	if err != nil {
		return nil, err
	}
	answer, err := h.describe(r.Context(), app, token.NewSecret(raw))
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return nil, err
	case err != nil:
		if _, ok := asRefusal(err); !ok {
			return nil, err
		}
		return inactive{}, nil
	}
	return answer, nil
}

// inactive is all that is said of a token that is not to be honoured.
type inactive struct {
	Active bool `json:"active"`
}

// describe says what a token is, to an application that may know.
func (h *Handler) describe(ctx context.Context, app store.Application, raw token.Secret) (any, error) {
	if s, err := h.Door.LiveRefresh(ctx, raw); err == nil {
		if !app.Introspect && s.Client != app.ID {
			return inactive{}, nil
		}
		return h.refreshAnswer(s), nil
	} else if !errors.Is(err, token.ErrUnknown) {
		return nil, err
	}
	live, err := h.Door.Live(ctx, raw.Reveal())
	if err != nil {
		return nil, err
	}
	audience, _ := live.Strings("aud")
	if !app.Introspect && live.Client != app.ID && !slices.Contains(audience, app.ID) {
		return inactive{}, nil
	}
	return accessAnswer(live)
}

// accessAnswer is the claims of an access token and what introspection adds (RFC
// 7662 section 2.2).
func accessAnswer(live *issuer.Live) (any, error) {
	claims := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(live.Text()), &claims); err != nil {
		return nil, err
	}
	claims["active"] = json.RawMessage("true")
	claims["token_type"] = json.RawMessage(`"Bearer"`)
	if live.Thumbprint() != "" {
		claims["token_type"] = json.RawMessage(`"DPoP"`)
	}
	if live.User != live.Client && !live.IsService() {
		claims["username"] = encode(live.User)
	}
	return claims, nil
}

func (h *Handler) refreshAnswer(s store.Session) any {
	m := map[string]any{"active": true, "sub": s.Subject, "username": s.Subject, "iat": s.CreatedAt / 1_000_000}
	if s.Door == h.Door.Name {
		m["iss"], m["client_id"] = h.URL, s.Client
	}
	if s.Scope != "" {
		m["scope"] = s.Scope
	}
	if s.ExpiresAt != 0 {
		m["exp"] = s.ExpiresAt / 1_000_000
	}
	return m
}

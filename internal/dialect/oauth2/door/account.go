package door

import (
	"errors"
	"io"
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// scopeProfile lets an application read the user's name (OpenID Connect Core
// section 5.4).
const scopeProfile = "profile"

// userinfo is OpenID Connect Core section 5.3.
func (h *Handler) userinfo(w http.ResponseWriter, r *http.Request) {
	live, err := h.bearer(w, r)
	if err == nil {
		err = needScope(live, issuer.ScopeOpenID)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	m := map[string]any{"sub": live.User}
	if needScope(live, scopeProfile) == nil {
		m["preferred_username"] = live.User
	}
	writeJSON(w, http.StatusOK, m)
}

// logins lists the logins of the bearer's user. No standard has it.
func (h *Handler) logins(w http.ResponseWriter, r *http.Request) {
	live, err := h.bearer(w, r)
	if err == nil {
		err = live.Rules()
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	list, more, err := h.Door.Logins(r.Context(), live.User, store.ID(live.ID.Session), issuer.MaxLogins)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, dialect.NewLogins(list, more))
}

// globalRevocation is draft-parecki-oauth-global-token-revocation section 3: all
// tokens of a subject, in the name of that subject or an admin.
func (h *Handler) globalRevocation(w http.ResponseWriter, r *http.Request) {
	live, err := h.bearer(w, r)
	if err == nil {
		var user string
		if user, err = h.subjectOf(w, r); err == nil {
			err = h.Door.RevokeAllFor(r.Context(), live, user)
		}
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// subjectOf reads sub_id (RFC 9493): an opaque identifier, or issuer and subject.
// Without it the bearer is meant.
func (h *Handler) subjectOf(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", refusal{status: http.StatusRequestEntityTooLarge, code: oauth2.ErrorInvalidRequest, description: "the body is larger than 16 KiB"}
	}
	o, parseErr := token.ParseObject(string(body))
	if errors.Join(err, parseErr) != nil {
		return "", refuse(oauth2.ErrorInvalidRequest, "the body is not a JSON object")
	}
	raw, given := o.Raw("sub_id")
	if !given { // the bearer's own
		return "", nil
	}
	id, err := token.ParseObject(string(raw))
	if err != nil {
		return "", refuse(oauth2.ErrorInvalidRequest, "sub_id is not an object")
	}
	format, _ := id.String("format")
	member := map[string]string{"opaque": "id", "iss_sub": "sub"}[format]
	iss, _ := id.String("iss")
	user, _ := id.String(member)
	switch {
	case member == "":
		return "", refuse(oauth2.ErrorInvalidRequest, "sub_id: format is neither iss_sub nor opaque")
	case format == "iss_sub" && iss != h.URL:
		return "", refuse(oauth2.ErrorInvalidRequest, "sub_id: iss is not this service")
	case user == "":
		return "", refuse(oauth2.ErrorInvalidRequest, "sub_id: "+member+" is missing")
	}
	return user, nil
}

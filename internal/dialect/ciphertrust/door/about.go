package door

import (
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
)

// domain is one as it is listed.
type domain struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Account string `json:"account"`
}

// domains tells of the caller's domains, which is the one there is. It is also
// how a client asks whether a JWT is honoured.
func (h *Handler) domains(w http.ResponseWriter, r *http.Request, _ string) {
	if _, err := h.bearer(r); err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, ciphertrust.Page[domain]{Limit: pageLimit, Total: 1, Resources: []domain{{
		"00000000-0000-0000-0000-000000000000", ciphertrust.RootDomain, "kylo",
	}}})
}

// noKey answers who asks for the key that signs JWTs, or for another. It is a
// shared secret: whoever had it could write tokens too.
func (h *Handler) noKey(w http.ResponseWriter, r *http.Request, _ string) {
	_, err := h.bearer(r)
	if err == nil {
		err = refusal{message: "the key that signs JWTs is derived from the service's master key: it is told to nobody, and changes with that. " +
			"To have a JWT judged, present it at " + ciphertrust.PathDomains}
	}
	h.refuse(w, r, err)
}

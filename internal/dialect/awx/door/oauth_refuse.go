package door

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// oauthRefusal is an error as the grants tell it (RFC 6749 section 5.2).
type oauthRefusal struct {
	status      int // default 400
	code        string
	description string   // empty: the code says it
	challenges  []string // WWW-Authenticate
}

func (r oauthRefusal) Error() string { return r.code + ": " + r.description }

func badRequest(description string) error {
	return oauthRefusal{code: oauth2.ErrorInvalidRequest, description: description}
}

// errClient is the one answer to an unknown application and to one that does not
// prove itself. Who tried to by the header is told of that way too (RFC 6749 section
// 5.2).
func errClient(byHeader bool) error {
	r := oauthRefusal{
		status: http.StatusUnauthorized, code: oauth2.ErrorInvalidClient,
		challenges: []string{`Bearer error="invalid_client"`},
	}
	if byHeader {
		r.challenges = append(r.challenges, `Basic realm="api"`)
	}
	return r
}

// asOAuthRefusal finds how an error is told; false: it is no refusal.
func asOAuthRefusal(err error) (oauthRefusal, bool) {
	var r oauthRefusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, token.ErrUnavailable):
		return r, false
	case errors.Is(err, token.ErrThrottled):
		return oauthRefusal{status: http.StatusTooManyRequests, code: oauth2.ErrorTemporarilyUnavailable, description: "Request was throttled."}, true
	case errors.Is(err, token.ErrCredentials):
		return oauthRefusal{code: oauth2.ErrorInvalidGrant, description: "Invalid credentials given."}, true
	case errors.Is(err, issuer.ErrScope):
		return oauthRefusal{code: oauth2.ErrorInvalidScope}, true
	case errors.Is(err, token.ErrUnknown), errors.Is(err, token.ErrRevoked), errors.Is(err, token.ErrExpired):
		return oauthRefusal{code: oauth2.ErrorInvalidGrant}, true
	}
	return r, false
}

// oauthError is a refusal on the wire.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// oauthRefuse answers an error.
func (h *Handler) oauthRefuse(w http.ResponseWriter, r *http.Request, err error) {
	var slow *token.Refusal
	if errors.As(err, &slow) && slow.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(slow), 10))
	}
	known, ok := asOAuthRefusal(err)
	if !ok {
		known = h.oauthFailure(w, r, err)
	}
	if known.status == 0 {
		known.status = http.StatusBadRequest
	}
	for _, c := range known.challenges {
		w.Header().Add("WWW-Authenticate", c)
	}
	oauthReply(w, known.status, oauthError{known.code, known.description})
}

// oauthFailure is what is told of an error that is no refusal.
func (h *Handler) oauthFailure(w http.ResponseWriter, r *http.Request, err error) oauthRefusal {
	f := h.failure(w, r, err)
	code := oauth2.ErrorServerError
	if f.status == http.StatusServiceUnavailable {
		code = oauth2.ErrorTemporarilyUnavailable
	}
	return oauthRefusal{status: f.status, code: code, description: f.detail}
}

// oauthReply is reply with what RFC 6749 section 5.1 asks for besides.
func oauthReply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Pragma", "no-cache")
	reply(w, status, v)
}

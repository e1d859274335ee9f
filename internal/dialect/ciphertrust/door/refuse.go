package door

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refusal is an error as the wire has it.
type refusal struct {
	status  int // default 400
	message string
}

func (r refusal) Error() string { return r.message }

func errNotFound(message string) error { return refusal{http.StatusNotFound, message} }

func errUnauthorized(message string) error { return refusal{http.StatusUnauthorized, message} }

// code is the number and the name that go with a status. Those up to 16 are the
// original's; it has told nobody what it says elsewhere.
func code(status int) (number int, name string) {
	switch status {
	case http.StatusUnauthorized:
		return 5, "NCERRUnauthorizedAccess"
	case http.StatusForbidden:
		return 6, "NCERRInsufficientPermissions: Insufficient permissions"
	case http.StatusNotFound:
		return 16, "NCERRResourceNotFound: Resource not found"
	case http.StatusTooManyRequests:
		return 1000 + status, "NCERRTooManyRequests: Too many requests"
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		return 1000 + status, "NCERRInternalServerError: Internal server error"
	}
	return 15, "NCERRBadRequest: Bad HTTP request"
}

// asRefusal finds how an error is told on the wire; false: it is no refusal.
func asRefusal(err error) (refusal, bool) {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, token.ErrUnavailable):
		return r, false
	case errors.Is(err, token.ErrCredentials):
		return refusal{http.StatusUnauthorized, ciphertrust.MessageCredentials}, true
	case errors.Is(err, token.ErrDenied):
		return refusal{http.StatusForbidden, err.Error()}, true
	case errors.Is(err, token.ErrThrottled):
		return refusal{http.StatusTooManyRequests, err.Error()}, true
	case errors.Is(err, token.ErrRevoked):
		return refusal{http.StatusUnauthorized, ciphertrust.MessageRevoked}, true
	case errors.Is(err, token.ErrExpired):
		return refusal{http.StatusUnauthorized, ciphertrust.MessageExpired}, true
	case errors.Is(err, issuer.ErrValue):
		return refusal{http.StatusBadRequest, err.Error()}, true
	case errors.Is(err, store.ErrNotFound):
		return refusal{http.StatusNotFound, err.Error()}, true
	}
	for _, kind := range []error{token.ErrUnknown, token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrNotYetValid} {
		if errors.Is(err, kind) {
			return refusal{http.StatusUnauthorized, ciphertrust.MessageInvalid}, true
		}
	}
	return r, false
}

// refuse answers an error.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var slow *token.Refusal
	if errors.As(err, &slow) && slow.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(slow.RetryAfter.Seconds())), 10))
	}
	known, ok := asRefusal(err)
	if !ok {
		known = h.failure(w, r, err)
	}
	if known.status == 0 {
		known.status = http.StatusBadRequest
	}
	if known.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	answer := ciphertrust.Error{Message: known.message, RequestID: w.Header().Get("X-Request-Id")}
	answer.Code, answer.CodeDesc = code(known.status)
	reply(w, known.status, answer)
}

// failure is what is told of an error that is no refusal.
func (h *Handler) failure(w http.ResponseWriter, r *http.Request, err error) refusal {
	status, id := h.Report(r, err)
	if status != http.StatusServiceUnavailable {
		return refusal{status, "internal error, request id " + id}
	}
	if w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	return refusal{status, "the service cannot answer at the moment"}
}

// reply answers with what is not to be kept by anybody on the way.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // the types of the wire cannot fail
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

func done(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

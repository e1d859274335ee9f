package door

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// refusal is an error as the wire has it (RFC 6749 section 5.2).
type refusal struct {
	status      int // default 400
	code        string
	description string
	challenge   string // WWW-Authenticate; empty: none
}

func (r refusal) Error() string { return r.code + ": " + r.description }

func refuse(code, description string) error { return refusal{code: code, description: description} }

// errClient is the one answer to an unknown application, a wrong secret, a bad
// assertion and a method that is not the application's.
func errClient() error {
	return refusal{
		status: http.StatusUnauthorized, code: oauth2.ErrorInvalidClient,
		description: "the application is unknown, or has not proved itself in the way it is registered for",
		challenge:   `Basic realm="ats-auth", charset="UTF-8"`,
	}
}

// asRefusal finds how an error is told on the wire; false: it is no refusal.
func asRefusal(err error) (refusal, bool) {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, issuer.ErrScope):
		return refusal{code: oauth2.ErrorInvalidScope, description: err.Error()}, true
	case errors.Is(err, issuer.ErrTarget):
		return refusal{code: oauth2.ErrorInvalidTarget, description: err.Error()}, true
	case errors.Is(err, issuer.ErrTooLong):
		return refusal{code: oauth2.ErrorInvalidRequest, description: "the token would be longer than anybody reads: ask for less scope or fewer resources"}, true
	case errors.Is(err, verifier.ErrProofNonce):
		return refusal{code: oauth2.ErrorUseNonce, description: "the proof's nonce is not one of this service's, or is too old"}, true
	case errors.Is(err, verifier.ErrProof):
		return refusal{code: oauth2.ErrorInvalidProof, description: err.Error()}, true
	case errors.Is(err, token.ErrCredentials):
		return refusal{code: oauth2.ErrorInvalidGrant, description: token.ErrCredentials.Error()}, true
	case errors.Is(err, token.ErrDenied):
		return refusal{
			status: http.StatusForbidden, code: oauth2.ErrorInsufficientScope, description: err.Error(),
			challenge: `Bearer realm="ats-auth", error="insufficient_scope"`, // RFC 6750 section 3
		}, true
	case errors.Is(err, token.ErrThrottled):
		return refusal{status: http.StatusTooManyRequests, code: oauth2.ErrorTemporarilyUnavailable, description: err.Error()}, true
	}
	for kind, words := range oauth2.Reasons() {
		if errors.Is(err, kind) {
			return refusal{code: oauth2.ErrorInvalidGrant, description: words}, true
		}
	}
	return r, false
}

// refuse answers an error in the words of RFC 6749 section 5.2.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	retryAfter(w, err)
	if known, ok := asRefusal(err); ok {
		h.writeError(w, known)
		return
	}
	status, id := h.Report(r, err)
	if status == http.StatusServiceUnavailable {
		if w.Header().Get("Retry-After") == "" {
			w.Header().Set("Retry-After", "1")
		}
		h.writeError(w, refusal{status: status, code: oauth2.ErrorTemporarilyUnavailable, description: "the service cannot answer at the moment"})
		return
	}
	h.writeError(w, refusal{status: status, code: oauth2.ErrorServerError, description: "internal error, request id " + id})
}

func retryAfter(w http.ResponseWriter, err error) {
	var r *token.Refusal
	if errors.As(err, &r) && r.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(r.RetryAfter.Seconds())), 10))
	}
}

func (h *Handler) writeError(w http.ResponseWriter, r refusal) {
	if r.status == 0 {
		r.status = http.StatusBadRequest
	}
	if r.challenge != "" {
		w.Header().Set("WWW-Authenticate", r.challenge)
	}
	if r.code == oauth2.ErrorUseNonce {
		w.Header().Set("DPoP-Nonce", h.nonce())
	}
	writeJSON(w, r.status, map[string]string{"error": r.code, "error_description": printable(r.description)})
}

// writeJSON answers with what is not to be kept by anybody on the way (RFC 6749
// section 5.1).
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// printable keeps the characters that an error_description may have (RFC 6749
// section 5.2); quotation marks become apostrophes.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"', r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

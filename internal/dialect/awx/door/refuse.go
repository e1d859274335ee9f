package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refusal is an error as the wire has it: a detail, or what is wrong with fields.
type refusal struct {
	status int
	detail string
	fields awx.Fields
}

func (r refusal) Error() string {
	if r.fields != nil {
		return fmt.Sprint(r.fields)
	}
	return r.detail
}

// Is makes refusals that say the same the same.
func (r refusal) Is(target error) bool {
	t, ok := target.(refusal)
	return ok && r.status == t.status && r.detail == t.detail && r.fields == nil && t.fields == nil
}

// Refusals that say no more.
var (
	errNotFound    = refusal{status: http.StatusNotFound, detail: awx.MessageNotFound}
	errForbidden   = refusal{status: http.StatusForbidden, detail: awx.MessageForbidden}
	errNobody      = refusal{status: http.StatusUnauthorized, detail: awx.MessageNoCredentials}
	errInactive    = refusal{status: http.StatusUnauthorized, detail: awx.MessageInactive}
	errInvalidPage = refusal{status: http.StatusNotFound, detail: awx.MessageInvalidPage}
	errChanged     = refusal{status: http.StatusConflict, detail: "The object has been changed meanwhile."}
)

// isNotFound reports whether there is no such object.
func isNotFound(err error) bool {
	return errors.Is(err, errNotFound) || errors.Is(err, store.ErrNotFound)
}

func errMethod(method string) refusal {
	return refusal{status: http.StatusMethodNotAllowed, detail: fmt.Sprintf("Method %q not allowed.", shorten(method))}
}

func errBad(detail string) refusal { return refusal{status: http.StatusBadRequest, detail: detail} }

func errField(name, message string) refusal {
	return refusal{status: http.StatusBadRequest, fields: awx.Fields{name: {message}}}
}

// shorten keeps what was sent from filling an answer.
func shorten(text string) string {
	if len(text) > 64 {
		return text[:64] + "..."
	}
	return text
}

// asRefusal finds how an error is told on the wire; false: it is no refusal.
func asRefusal(err error) (refusal, bool) {
	var r refusal
	var slow *token.Refusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, token.ErrUnavailable):
		return r, false
	case errors.Is(err, token.ErrThrottled):
		detail := "Request was throttled."
		if errors.As(err, &slow) && slow.RetryAfter > 0 {
			detail += fmt.Sprintf(" Expected available in %d seconds.", seconds(slow))
		}
		return refusal{status: http.StatusTooManyRequests, detail: detail}, true
	case errors.Is(err, token.ErrCredentials):
		return refusal{status: http.StatusUnauthorized, detail: awx.MessageWrong}, true
	case errors.Is(err, token.ErrDenied):
		return errForbidden, true
	case errors.Is(err, store.ErrNotFound):
		return errNotFound, true
	case errors.Is(err, store.ErrConflict):
		return errChanged, true
	}
	for _, kind := range []error{
		token.ErrUnknown, token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrNotYetValid, token.ErrRevoked, token.ErrExpired,
	} {
		if errors.Is(err, kind) {
			return errNobody, true
		}
	}
	return r, false
}

func seconds(slow *token.Refusal) int64 { return int64(math.Ceil(slow.RetryAfter.Seconds())) }

// refuse answers an error.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var slow *token.Refusal
	if errors.As(err, &slow) && slow.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(slow), 10))
	}
	known, ok := asRefusal(err)
	if !ok {
		known = h.failure(w, r, err)
	}
	if known.status == http.StatusUnauthorized {
		challenge := `Bearer realm="api"`
		if slow != nil && !errors.Is(err, token.ErrCredentials) {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if known.fields != nil {
		reply(w, known.status, known.fields)
		return
	}
	reply(w, known.status, awx.Error{Detail: known.detail})
}

// failure is what is told of an error that is no refusal.
func (h *Handler) failure(w http.ResponseWriter, r *http.Request, err error) refusal {
	status, id := h.Report(r, err)
	if status != http.StatusServiceUnavailable {
		return refusal{status: status, detail: "internal error, request id " + id}
	}
	if w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	return refusal{status: status, detail: "the service cannot answer at the moment"}
}

// reply answers with what is not to be kept by anybody on the way.
func reply(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // the types of the wire cannot fail
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept, Cookie")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func done(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

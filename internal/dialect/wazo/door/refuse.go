package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refusal is an error as the wire has it.
type refusal struct {
	status    int
	reason    string
	challenge string // WWW-Authenticate; empty: none
}

func (r refusal) Error() string { return r.reason }

// Refusals that say no more.
var (
	errNoPath       = refusal{status: http.StatusNotFound, reason: "The requested URL was not found on the server."}
	errMethod       = refusal{status: http.StatusMethodNotAllowed, reason: "The method is not allowed for the requested URL."}
	errNoToken      = refusal{status: http.StatusNotFound, reason: wazo.MessageNoToken}
	errNoRefresh    = refusal{status: http.StatusNotFound, reason: "No such refresh token"}
	errNoSession    = refusal{status: http.StatusNotFound, reason: "No such session"}
	errNoUser       = refusal{status: http.StatusNotFound, reason: "No such user"}
	errNoPolicy     = refusal{status: http.StatusNotFound, reason: "No such policy"}
	errNoTemplate   = refusal{status: http.StatusNotFound, reason: "No such ACL template"}
	errUnauthorized = refusal{status: http.StatusUnauthorized, reason: wazo.MessageUnauthorized, challenge: wazo.HeaderToken}
)

// errInvalid names what was sent and cannot be meant.
func errInvalid(name, why string) refusal {
	if why != "" {
		name += ": " + why
	}
	return refusal{status: http.StatusBadRequest, reason: "Invalid " + name}
}

// errDenied names what somebody may not do.
func errDenied(access string) refusal {
	return refusal{status: http.StatusForbidden, reason: wazo.MessageDenied + shorten(access)}
}

// shorten keeps what was sent from filling an answer.
func shorten(text string) string {
	if len(text) > maxAccess {
		return text[:maxAccess] + "..."
	}
	return text
}

// asRefusal finds how an error is told on the wire; false: it is no refusal.
func asRefusal(err error) (refusal, bool) {
	var r refusal
	var many *issuer.TooManyError
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, token.ErrUnavailable):
		return r, false
	case errors.Is(err, token.ErrThrottled):
		return refusal{status: http.StatusTooManyRequests, reason: "Too many attempts"}, true
	case errors.As(err, &many):
		return refusal{status: http.StatusTooManyRequests, reason: "User " + many.UUID + " has exceeded the maximum number of active sessions"}, true
	case errors.Is(err, issuer.ErrValue):
		return errInvalid(err.Error(), ""), true
	case errors.Is(err, store.ErrNotFound):
		return errNoPolicy, true
	case errors.Is(err, store.ErrExists):
		return refusal{status: http.StatusConflict, reason: "The name is already used"}, true
	case errors.Is(err, store.ErrConflict):
		return refusal{status: http.StatusConflict, reason: "The policy has been changed meanwhile"}, true
	}
	for _, kind := range []error{token.ErrCredentials, token.ErrUnknown, token.ErrRevoked, token.ErrExpired, token.ErrMalformed, token.ErrDenied} {
		if errors.Is(err, kind) {
			return refusal{status: http.StatusUnauthorized, reason: wazo.MessageFailed, challenge: challengeBasic}, true
		}
	}
	return r, false
}

// challengeBasic is that of a login (RFC 7617 section 2.1).
const challengeBasic = `Basic realm="wazo", charset="UTF-8"`

// refuse answers an error.
func (h *Handler) refuse(c *call, err error) {
	var slow *token.Refusal
	if errors.As(err, &slow) && slow.RetryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(slow.RetryAfter.Seconds())), 10))
	}
	known, ok := asRefusal(err)
	if !ok {
		known = h.failure(c, err)
	}
	if known.challenge != "" && !isBrowser(c.Request) {
		c.w.Header().Set("WWW-Authenticate", known.challenge)
	}
	h.reply(c, known.status, wazo.Error{
		Reason: []string{known.reason}, Timestamp: []float64{float64(h.Now().UnixMicro()) / 1e6}, StatusCode: known.status,
	})
}

// isBrowser reports whether a browser asks. A challenge would make it ask the person
// for a password by itself, in front of the page's own form, and send that with the
// requests of every site from then on.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

// failure is what is told of an error that is no refusal.
func (h *Handler) failure(c *call, err error) refusal {
	status, id := h.Report(c.Request, err)
	if status != http.StatusServiceUnavailable {
		return refusal{status: status, reason: "Internal error, request id " + id}
	}
	if c.w.Header().Get("Retry-After") == "" {
		c.w.Header().Set("Retry-After", "1")
	}
	return refusal{status: status, reason: "The service cannot answer at the moment"}
}

// reply answers with what is not to be kept by anybody on the way.
func (h *Handler) reply(c *call, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // the types of the wire cannot fail
		panic(err)
	}
	header := c.w.Header()
	header["Content-Type"], header["Cache-Control"] = h.json, h.noStore
	c.w.WriteHeader(status)
	c.w.Write(spaced(bytes.TrimRight(body.Bytes(), "\n")))
}

// spaced writes JSON as the original does: with a blank behind each comma and colon.
func spaced(compact []byte) []byte {
	wide := make([]byte, 0, len(compact)*9/8)
	quoted := false
	for at := 0; at < len(compact); at++ {
		c := compact[at]
		wide = append(wide, c)
		switch {
		case quoted && c == '\\':
			at++
			wide = append(wide, compact[at])
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			wide = append(wide, ' ')
		}
	}
	return wide
}

// done answers that there is nothing to say.
func (h *Handler) done(w http.ResponseWriter) {
	header := w.Header()
	header["Content-Type"], header["Cache-Control"] = h.html, h.noStore
	delete(header, "X-Content-Type-Options") // there is nothing to sniff at, and each header costs
	w.WriteHeader(http.StatusNoContent)
}

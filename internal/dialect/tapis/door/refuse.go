package door

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refusal is an error as the wire has it.
type refusal struct {
	status  int // default 400, which nearly all errors are
	message string
	data    bool // it is about what was sent, and the message's beginning says so
}

func (r refusal) Error() string { return r.message }

// bad is an error of what was sent: the field, and what is wanted of it, without
// its value.
func bad(format string, args ...any) error {
	return refusal{message: fmt.Sprintf(format, args...), data: true}
}

// noTenant names a tenant that there is not, if it could be one's name.
func noTenant(field, name string) error {
	if !isLabel(name) {
		return bad("%s: there is no such tenant", field)
	}
	return bad("%s: there is no tenant %q", field, name)
}

// asRefusal finds how an error is told on the wire; false: it is no refusal.
func asRefusal(err error) (refusal, bool) {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, token.ErrUnavailable):
		return r, false
	case errors.Is(err, token.ErrThrottled):
		return refusal{status: http.StatusTooManyRequests, message: "Too many attempts: try again later."}, true
	case errors.Is(err, issuer.ErrTooLong):
		return refusal{message: "claims: the token would be longer than is read anywhere", data: true}, true
	}
	words, known := why(err)
	return refusal{message: words, data: true}, known
}

// of says in which field a token was sent that is not taken.
func of(field string, err error) error {
	if words, known := why(err); known {
		return bad("%s: %s", field, words)
	}
	return err
}

// why says why a token is not taken, in words that quote nothing of it; false:
// the error is another one.
func why(err error) (words string, known bool) {
	if errors.Is(err, token.ErrUnavailable) {
		return "", false
	}
	if claim := new(token.ClaimError); errors.As(err, &claim) && errors.Is(err, token.ErrClaims) {
		if strings.HasPrefix(claim.Claim, "tapis/") { // the core's own words
			return claim.Claim + ": " + claim.Reason, true
		}
		return "its claim " + claim.Claim + " is not acceptable", true
	}
	for _, reason := range []struct {
		kind  error
		words string
	}{
		{token.ErrRevoked, "the token has been revoked"},
		{token.ErrExpired, "the token has expired"},
		{token.ErrNotYetValid, "the token is not valid yet"},
		{token.ErrSignature, "the signature is not by a key of the tenant's"},
		{token.ErrMalformed, "it is not a token that can be read"},
		{token.ErrUnknown, "it is unknown here, or another client's"},
		{token.ErrDenied, "the account is disabled"},
		{issuer.ErrNeedsClient, "it was given to a client: POST " + tapis.PathOAuth2 + " takes it, with the client's Authorization"},
		{token.ErrClaims, "its claims are not acceptable"},
	} {
		if errors.Is(err, reason.kind) {
			return reason.words, true
		}
	}
	return "", false
}

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
	if known.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", tapis.HeaderToken)
	}
	if known.data {
		known.message = prefix(c.Method) + known.message
	}
	h.reply(c, cmp.Or(known.status, http.StatusBadRequest), tapis.Envelope{Message: known.message, Result: json.RawMessage("null"), Status: tapis.StatusError})
}

// prefix is how errors of what was sent begin.
func prefix(method string) string {
	switch method {
	case http.MethodPost:
		return tapis.MessagePost
	case http.MethodPut:
		return tapis.MessagePut
	}
	return "Invalid request: "
}

// failure is what is told of an error that is no refusal.
func (h *Handler) failure(c *call, err error) refusal {
	status, id := h.Report(c.Request, err)
	if status != http.StatusServiceUnavailable {
		return refusal{status: status, message: "Internal error, request id " + id + "."}
	}
	if c.w.Header().Get("Retry-After") == "" {
		c.w.Header().Set("Retry-After", "1")
	}
	return refusal{status: status, message: "The service cannot answer at the moment."}
}

// accept answers what went well.
func (h *Handler) accept(c *call, a answer) {
	if a.result == nil {
		a.result = ""
	}
	result, err := json.Marshal(a.result)
	if err != nil { // the types of the wire cannot fail
		panic(err)
	}
	h.reply(c, http.StatusOK, tapis.Envelope{Message: a.message, Result: result, Status: tapis.StatusSuccess})
}

// reply sends an envelope, which is not to be kept by anybody on the way. The
// media type has no parameters: clients compare it.
func (h *Handler) reply(c *call, status int, e tapis.Envelope) {
	if c.tenant.Door == nil { // any error will do: it is about the version alone
		c.tenant, _ = h.tenantOf(c.Request)
	}
	e.Version = cmp.Or(c.tenant.Tenant.APIVersion, tapis.DefaultVersion)
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	c.w.Write(append(body, '\n'))
}

package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// contextKey is of the claims of the request's token.
type contextKey struct{}

// TokenFromContext returns the claims of the token that Middleware accepted.
func TokenFromContext(ctx context.Context) (*token.Claims, bool) {
	c, ok := ctx.Value(contextKey{}).(*token.Claims)
	return c, ok
}

// Middleware lets requests with a good bearer token through to next, where
// TokenFromContext has its claims, and answers the others as RFC 6750 section 3
// says: 401 where there is no token, 401 invalid_token where it is not good, 400
// invalid_request where there are several or the header cannot be read, 503 where
// nobody can say. A token that is bound to its holder's key (cnf) is no plain
// bearer token, and not good here. The token is taken from the Authorization
// header alone: one in the URL stands in logs (RFC 9700 section 4.3.2).
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := bearer(r)
		if err != nil {
			v.answer(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
		if raw == "" {
			v.answer(w, http.StatusUnauthorized, "", "")
			return
		}
		claims, err := v.Verify(r.Context(), raw)
		if err == nil && claims.Has("cnf") {
			// Bound to a key whose proof is not looked at here, so whoever stole the
			// token could use it (RFC 9449 section 7.1, RFC 8705 section 3).
			err = &token.ClaimError{Claim: "cnf", Reason: "the token is bound to a key and was sent as a plain bearer token", Kind: token.ErrClaims}
		}
		if err != nil {
			v.refuse(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, claims)))
	})
}

// RequireScope lets requests through whose token, accepted by Middleware before,
// carries all of these scopes (RFC 9068 section 2.2.3: scope, a space-separated
// string; a list, and scp for it, as other issuers have them). Others get 403
// insufficient_scope.
func (v *Verifier) RequireScope(next http.Handler, scopes ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := TokenFromContext(r.Context())
		if !ok {
			v.answer(w, http.StatusUnauthorized, "", "")
			return
		}
		granted := scopesOf(claims)
		for _, s := range scopes {
			if !slices.Contains(granted, s) {
				v.answer(w, http.StatusForbidden, "insufficient_scope", "the token lacks a scope", "scope", strings.Join(scopes, " "))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func scopesOf(c *token.Claims) []string {
	var all []string
	for _, name := range []string{"scope", "scp"} {
		list, _ := c.Strings(name)
		for _, s := range list {
			all = append(all, strings.Fields(s)...)
		}
	}
	return all
}

var (
	errSeveral   = errors.New("more than one token")
	errNoBearer  = errors.New("no token behind Bearer")
	errBadBearer = errors.New("what stands behind Bearer is no token")
)

// bearer takes the token out of a request; empty when there is none. Other
// schemes are none of ours.
func bearer(r *http.Request) (string, error) {
	list := r.Header.Values("Authorization")
	if len(list) > 1 {
		return "", errSeveral
	}
	if len(list) == 0 {
		return "", nil
	}
	scheme, raw, _ := strings.Cut(strings.TrimSpace(list[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	raw = strings.TrimLeft(raw, " ")
	switch {
	case raw == "":
		return "", errNoBearer
	case strings.ContainsAny(raw, " ,\t"):
		return "", errBadBearer
	case strings.Contains(r.URL.RawQuery, "access_token=") && r.URL.Query().Has("access_token"):
		return "", errSeveral
	}
	return raw, nil
}

// refuse answers for a token that was not accepted. What is no refusal is no
// business of the caller's.
func (v *Verifier) refuse(w http.ResponseWriter, err error) {
	for _, kind := range []error{
		token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrExpired,
		token.ErrNotYetValid, token.ErrRevoked, token.ErrUnknown, token.ErrDenied,
	} {
		if errors.Is(err, kind) {
			v.answer(w, http.StatusUnauthorized, "invalid_token", err.Error())
			return
		}
	}
	var r *token.Refusal
	wait := 1
	if errors.As(err, &r) && r.RetryAfter > 0 {
		wait = int(math.Ceil(r.RetryAfter.Seconds()))
	}
	w.Header().Set("Retry-After", strconv.Itoa(wait))
	v.answer(w, http.StatusServiceUnavailable, "temporarily_unavailable", "tokens cannot be judged at the moment")
}

// answer writes a refusal: the challenge (RFC 6750 section 3) and the same as a
// JSON body. more are further parameters, name and value in turn.
func (v *Verifier) answer(w http.ResponseWriter, status int, code, description string, more ...string) {
	parameters := []string{"realm", v.realm}
	body := map[string]string{}
	if code != "" {
		parameters = append(parameters, "error", code, "error_description", description)
		body["error"], body["error_description"] = code, printable(description)
	} else {
		body["error_description"] = "a bearer token is needed"
	}
	parameters = append(parameters, more...)
	if status != http.StatusServiceUnavailable {
		var challenge []string
		for i := 0; i < len(parameters); i += 2 {
			challenge = append(challenge, parameters[i]+`="`+printable(parameters[i+1])+`"`)
		}
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(challenge, ", "))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// printable keeps the characters that RFC 6750 section 3 lets stand in a
// parameter; quotation marks become apostrophes.
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

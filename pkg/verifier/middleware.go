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
// nobody can say. The token is taken from the Authorization header alone: one in
// the URL stands in logs (RFC 9700 section 4.3.2).
//
// A token that is bound to its holder's key (cnf) is no plain bearer token, and
// not good as one. With Config.Proofs it is let through where it comes by the
// scheme DPoP with a proof of possession of that key (RFC 9449 section 7.1), and
// no other token is by that scheme; where the proof is not good the answer is 401
// invalid_dpop_proof or use_dpop_nonce.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, raw, err := v.credentials(r)
		if err != nil {
			v.answer(w, scheme, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
		if raw == "" {
			v.answer(w, schemeBearer, http.StatusUnauthorized, "", "")
			return
		}
		claims, err := v.Verify(r.Context(), raw)
		switch {
		case err != nil:
		case scheme == schemeDPoP:
			v.sendNonce(w)
			err = v.holds(r, raw, claims)
		case claims.Has("cnf"):
			// Bound to a key whose proof is not looked at here, so whoever stole the
			// token could use it (RFC 9449 section 7.1, RFC 8705 section 3).
			err = &token.ClaimError{Claim: "cnf", Reason: "the token is bound to a key and was sent as a plain bearer token", Kind: token.ErrClaims}
		}
		if err != nil {
			v.refuse(w, scheme, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, claims)))
	})
}

// RequireScope lets requests through whose token, accepted by Middleware before,
// carries all of these scopes (see Scopes). Others get 403 insufficient_scope.
func (v *Verifier) RequireScope(next http.Handler, scopes ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := TokenFromContext(r.Context())
		if !ok {
			v.answer(w, schemeBearer, http.StatusUnauthorized, "", "")
			return
		}
		scheme := schemeBearer
		if claims.Has("cnf") {
			scheme = schemeDPoP
		}
		granted := Scopes(claims)
		for _, s := range scopes {
			if !slices.Contains(granted, s) {
				v.answer(w, scheme, http.StatusForbidden, "insufficient_scope", "the token lacks a scope", "scope", strings.Join(scopes, " "))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Scopes returns the scopes that claims carry: scope, a space-separated string
// (RFC 9068 section 2.2.3); a list, and scp for it, as other issuers have them.
func Scopes(c *token.Claims) []string {
	var all []string
	for _, name := range []string{"scope", "scp"} {
		list, _ := c.Strings(name)
		for _, s := range list {
			all = append(all, strings.Fields(s)...)
		}
	}
	return all
}

// Schemes of the Authorization header.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

var errSeveral = errors.New("more than one token")

// credentials takes the token out of a request, and the scheme by which it came;
// empty when there is none. Other schemes are none of ours.
func (v *Verifier) credentials(r *http.Request) (scheme, raw string, err error) {
	list := r.Header.Values("Authorization")
	if len(list) > 1 {
		return schemeBearer, "", errSeveral
	}
	if len(list) == 0 {
		return schemeBearer, "", nil
	}
	said, raw, _ := strings.Cut(strings.TrimSpace(list[0]), " ")
	switch {
	case strings.EqualFold(said, schemeBearer):
		scheme = schemeBearer
	case v.proofs != nil && strings.EqualFold(said, schemeDPoP):
		scheme = schemeDPoP
	default:
		return schemeBearer, "", nil
	}
	raw = strings.TrimLeft(raw, " ")
	switch {
	case raw == "":
		return scheme, "", errors.New("no token behind " + scheme)
	case strings.ContainsAny(raw, " ,\t"):
		return scheme, "", errors.New("what stands behind " + scheme + " is no token")
	case strings.Contains(r.URL.RawQuery, "access_token=") && r.URL.Query().Has("access_token"):
		return scheme, "", errSeveral
	}
	return scheme, raw, nil
}

// refuse answers for a token that was not accepted. What is no refusal is no
// business of the caller's.
func (v *Verifier) refuse(w http.ResponseWriter, scheme string, err error) {
	if code := proofCode(err); code != "" {
		v.answer(w, scheme, http.StatusUnauthorized, code, err.Error())
		return
	}
	for _, kind := range []error{
		token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrExpired,
		token.ErrNotYetValid, token.ErrRevoked, token.ErrUnknown, token.ErrDenied,
	} {
		if errors.Is(err, kind) {
			v.answer(w, scheme, http.StatusUnauthorized, "invalid_token", err.Error())
			return
		}
	}
	var r *token.Refusal
	wait := 1
	if errors.As(err, &r) && r.RetryAfter > 0 {
		wait = int(math.Ceil(r.RetryAfter.Seconds()))
	}
	w.Header().Set("Retry-After", strconv.Itoa(wait))
	v.answer(w, scheme, http.StatusServiceUnavailable, "temporarily_unavailable", "tokens cannot be judged at the moment")
}

// answer writes a refusal: the challenge of the scheme (RFC 6750 section 3, RFC
// 9449 section 7.1) and the same as a JSON body. more are further parameters, name and value in turn.
func (v *Verifier) answer(w http.ResponseWriter, scheme string, status int, code, description string, more ...string) {
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
		v.challenge(w, scheme, parameters)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// challenge adds that of a scheme; where proofs are judged, DPoP is always named.
func (v *Verifier) challenge(w http.ResponseWriter, scheme string, parameters []string) {
	w.Header().Set("WWW-Authenticate", scheme+" "+quoted(parameters))
	if v.proofs == nil {
		return
	}
	algs := quoted([]string{"algs", strings.Join(v.proofs.Algorithms, " ")})
	if scheme == schemeDPoP {
		w.Header().Set("WWW-Authenticate", scheme+" "+quoted(parameters)+", "+algs)
		return
	}
	w.Header().Add("WWW-Authenticate", schemeDPoP+" "+algs)
}

// quoted joins names and values.
func quoted(parameters []string) string {
	var list []string
	for i := 0; i < len(parameters); i += 2 {
		list = append(list, parameters[i]+`="`+printable(parameters[i+1])+`"`)
	}
	return strings.Join(list, ", ")
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

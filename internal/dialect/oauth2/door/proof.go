package door

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// thumbprint judges the proof of possession that a request carries (RFC 9449
// section 4.3), and returns its key's; empty when there is none. access is the
// token that it goes with, at endpoints that take one.
func (h *Handler) thumbprint(w http.ResponseWriter, r *http.Request, access string) (string, error) {
	list := r.Header.Values("DPoP")
	if len(list) == 0 {
		return "", nil
	}
	w.Header().Set("DPoP-Nonce", h.nonce())
	if len(list) > 1 {
		return "", refuse(oauth2.ErrorInvalidProof, "more than one DPoP header")
	}
	path := r.URL.EscapedPath()
	if h.base != "" {
		path = strings.TrimPrefix(path, h.base)
	}
	return h.proofs.Verify(r.Context(), verifier.ProofRequest{
		Proof: list[0], Method: r.Method, URL: h.url(path), AccessToken: access,
	})
}

// A nonce (RFC 9449 section 8) is the time, and a MAC. Clients need none, but one
// that they send must be ours and fresh.
const nonceLife = 300_000_000 // microseconds

func (h *Handler) nonce() string {
	at := binary.BigEndian.AppendUint64(nil, uint64(h.Now().UnixMicro()))
	stamp := base64.RawURLEncoding.EncodeToString(at)
	return stamp + "." + h.Core.NonceMark(stamp)
}

func (h *Handler) knowsNonce(nonce string) bool {
	stamp, mac, _ := strings.Cut(nonce, ".")
	b, err := base64.RawURLEncoding.DecodeString(stamp)
	if err != nil || len(b) != 8 || !equal(mac, h.Core.NonceMark(stamp)) {
		return false
	}
	age := h.Now().UnixMicro() - int64(binary.BigEndian.Uint64(b))
	return age >= -5_000_000 && age <= nonceLife
}

// bearer returns the live token that a request to one of our own endpoints
// carries: as a bearer token (RFC 6750 section 2.1), or with the proof that it is
// bound to (RFC 9449 section 7.1).
func (h *Handler) bearer(w http.ResponseWriter, r *http.Request) (*issuer.Live, error) {
	list := r.Header.Values("Authorization")
	if len(list) > 1 {
		return nil, challenged(false, refusal{code: oauth2.ErrorInvalidRequest, description: "more than one Authorization header"})
	}
	scheme, raw := "", ""
	if len(list) == 1 {
		scheme, raw, _ = strings.Cut(strings.TrimSpace(list[0]), " ")
		raw = strings.TrimSpace(raw)
	}
	bound := strings.EqualFold(scheme, "DPoP")
	if !bound && !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, refusal{
			status: http.StatusUnauthorized, code: oauth2.ErrorInvalidToken, description: "a token is needed",
			challenge: `Bearer realm="ats-auth", DPoP algs="` + strings.Join(algorithms(), " ") + `"`,
		}
	}
	live, err := h.Door.Live(r.Context(), raw)
	if known, ok := asRefusal(err); err != nil && ok {
		return nil, challenged(bound, refusal{code: oauth2.ErrorInvalidToken, description: known.description})
	} else if err != nil {
		return nil, err
	}
	if live.Pass != nil {
		return nil, challenged(bound, refusal{code: oauth2.ErrorInvalidToken, description: "an opaque token is for the door that gave it"})
	}
	// Who was given a token for another resource must not use it here (RFC 9068
	// section 4). Tokens of doors that know no audience have none.
	if audience, ok := live.Strings("aud"); ok && !slices.Contains(audience, h.URL) {
		return nil, challenged(bound, refusal{code: oauth2.ErrorInvalidToken, description: "the token is for another resource"})
	}
	return live, h.holds(w, r, live, raw, bound)
}

// holds checks that the bearer of a token that is bound to a key has the key.
func (h *Handler) holds(w http.ResponseWriter, r *http.Request, live *issuer.Live, raw string, bound bool) error {
	switch {
	case !bound && live.Thumbprint() == "":
		return nil
	case !bound:
		return challenged(true, refusal{code: oauth2.ErrorInvalidToken, description: "the token is bound to a key and was sent as a plain bearer token"})
	case live.Thumbprint() == "":
		return challenged(bound, refusal{code: oauth2.ErrorInvalidToken, description: "the token is bound to no key"})
	}
	print, err := h.thumbprint(w, r, raw)
	if known, ok := asRefusal(err); err != nil && ok {
		return challenged(bound, known)
	} else if err != nil {
		return err
	}
	if print != live.Thumbprint() {
		return challenged(bound, refusal{code: oauth2.ErrorInvalidToken, description: "the proof is not by the key that the token is bound to"})
	}
	return nil
}

// challenged is a refusal of a token with its challenge (RFC 6750 section 3, and
// RFC 9449 section 7.1 for one that is bound to a key).
func challenged(bound bool, r refusal) error {
	r.status = http.StatusUnauthorized
	if r.code == oauth2.ErrorInvalidRequest {
		r.status = http.StatusBadRequest
	}
	details := `error="` + r.code + `", error_description="` + printable(r.description) + `"`
	r.challenge = `Bearer realm="ats-auth", ` + details
	if bound {
		r.challenge = `DPoP algs="` + strings.Join(algorithms(), " ") + `", ` + details
	}
	return r
}

// needScope refuses a token that an application has without that scope. A login
// of the user's own has them all.
func needScope(live *issuer.Live, scope string) error {
	granted, _ := live.String("scope")
	if live.Client == "" || slices.Contains(strings.Fields(granted), scope) {
		return nil
	}
	return refusal{
		status: http.StatusForbidden, code: oauth2.ErrorInsufficientScope, description: "the token lacks the scope " + scope,
		challenge: `Bearer realm="ats-auth", error="insufficient_scope", scope="` + scope + `"`,
	}
}

// asSet is the answer to a request for a token (RFC 6749 section 5.1).
func asSet(set token.Set) map[string]any {
	m := map[string]any{
		"access_token": set.AccessToken.Reveal(), "token_type": set.TokenType, "expires_in": set.ExpiresIn,
	}
	if set.Scope != "" {
		m["scope"] = set.Scope
	}
	if !set.RefreshToken.IsZero() {
		m["refresh_token"] = set.RefreshToken.Reveal()
	}
	if !set.IDToken.IsZero() {
		m["id_token"] = set.IDToken.Reveal()
	}
	return m
}

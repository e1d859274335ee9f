package door

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// authMethods are how applications prove themselves (RFC 7591 section 2).
func authMethods() []string {
	return []string{oauth2.AuthBasic, oauth2.AuthPost, oauth2.AuthKey, oauth2.AuthNone}
}

// algorithms are those that applications may sign assertions and proofs with.
func algorithms() []string {
	return []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

// newMetadata is the service's own description (RFC 8414 section 2, OpenID
// Connect Discovery section 3), but for what a rotation of keys changes. Its
// endpoints and grants are those that answer.
func (h *Handler) newMetadata() map[string]any {
	m := map[string]any{
		"issuer":                                                   h.URL,
		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query"},
		"grant_types_supported":                                    slices.Sorted(maps.Keys(h.grants)),
		"code_challenge_methods_supported":                         []string{"S256"},
		"token_endpoint_auth_methods_supported":                    authMethods(),
		"token_endpoint_auth_signing_alg_values_supported":         algorithms(),
		"revocation_endpoint_auth_methods_supported":               authMethods(),
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms(),
		"introspection_endpoint_auth_methods_supported":            authMethods()[:3],
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms(),
		"authorization_response_iss_parameter_supported":           true,
		"dpop_signing_alg_values_supported":                        algorithms(),
		"scopes_supported":                                         []string{issuer.ScopeOpenID, scopeProfile, issuer.ScopeAccount},
		"subject_types_supported":                                  []string{"public"},
		"claims_supported":                                         []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "preferred_username"},
		"claims_parameter_supported":                               false,
		"request_parameter_supported":                              false,
		"request_uri_parameter_supported":                          false,
		"prompt_values_supported":                                  []string{"none", "login", "consent", "select_account"},
	}
	for path, e := range h.endpoints {
		if e.member != "" {
			m[e.member] = h.url(path)
		}
	}
	return m
}

// serveMetadata adds what the signing key of the moment signs with.
func (h *Handler) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	m := maps.Clone(h.metadata)
	m["id_token_signing_alg_values_supported"] = []string{h.Door.Algorithm()}
	public(w, encode(m), issuer.JWKSMaxAge)
}

// jwks serves the public keys (RFC 7517 section 5).
func (h *Handler) jwks(w http.ResponseWriter, r *http.Request) {
	set, err := h.Door.JWKS()
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	public(w, set, issuer.JWKSMaxAge)
}

// public answers with what everybody may see and keep for a while.
func public(w http.ResponseWriter, body []byte, maxAge int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", maxAge))
	w.Write(body)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types of this package cannot fail
	}
	return b
}

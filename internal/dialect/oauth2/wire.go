// Package oauth2 speaks OAuth 2.0 towards any service that publishes its
// metadata: the grants of RFC 6749, 8628 and 8693 with PKCE, resource indicators,
// assertions and proofs of possession, revocation and introspection. Its words
// are those of both ends.
//
// It judges no signature, follows no redirection, keeps nothing and opens no
// browser; it listens on 127.0.0.1 only while somebody logs in there.
package oauth2

import "github.com/ats-auth/ats-auth/pkg/token"

// Where a service's metadata is: between host and path of its issuer (RFC 8414
// section 3.1), or behind it (OpenID Connect Discovery section 4).
const (
	PathMetadata = "/.well-known/oauth-authorization-server"
	PathOpenID   = "/.well-known/openid-configuration"
)

// How an application proves itself: the values of token_endpoint_auth_method
// (RFC 7591 section 2).
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthKey   = "private_key_jwt"
	AuthNone  = "none"
)

// AssertionType is the client_assertion_type of an assertion (RFC 7523 section
// 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Kinds of tokens (RFC 8693 section 3).
const (
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// Values of the header typ.
const (
	TypProof     = "dpop+jwt" // RFC 9449 section 4.2
	typAssertion = "JWT"
)

// Error codes (RFC 6749 sections 4.1.2.1 and 5.2, and where they say so).
const (
	ErrorInvalidRequest          = "invalid_request"
	ErrorInvalidClient           = "invalid_client"
	ErrorInvalidGrant            = "invalid_grant"
	ErrorUnauthorizedClient      = "unauthorized_client"
	ErrorUnsupportedGrantType    = "unsupported_grant_type"
	ErrorUnsupportedResponseType = "unsupported_response_type"
	ErrorInvalidScope            = "invalid_scope"
	ErrorAccessDenied            = "access_denied"
	ErrorServerError             = "server_error"
	ErrorTemporarilyUnavailable  = "temporarily_unavailable"
	ErrorUnsupportedTokenType    = "unsupported_token_type" // RFC 7009 section 2.2.1
	ErrorInvalidTarget           = "invalid_target"         // RFC 8707 section 2
	ErrorAuthorizationPending    = "authorization_pending"  // RFC 8628 section 3.5
	ErrorSlowDown                = "slow_down"              // RFC 8628 section 3.5
	ErrorExpiredToken            = "expired_token"          // RFC 8628 section 3.5
	ErrorInvalidToken            = "invalid_token"          // RFC 6750 section 3.1
	ErrorInsufficientScope       = "insufficient_scope"     // RFC 6750 section 3.1
	ErrorInvalidProof            = "invalid_dpop_proof"     // RFC 9449 section 5
	ErrorUseNonce                = "use_dpop_nonce"         // RFC 9449 section 8
)

// Reasons are the descriptions by which a service of our own tells apart the
// refusals for which OAuth has one error code, invalid_token or invalid_grant.
func Reasons() map[error]string {
	return map[error]string{
		token.ErrRevoked:     "token revoked",
		token.ErrExpired:     "token expired",
		token.ErrNotYetValid: "token not yet valid",
		token.ErrUnknown:     "token unknown",
		token.ErrSignature:   "signature verification failed",
		token.ErrClaims:      "claims not acceptable",
		token.ErrMalformed:   "malformed token",
	}
}

// secretFields are the fields of a form that hold secrets.
func secretFields() []string {
	return []string{
		"password", "client_secret", "client_assertion", "refresh_token", "code", "code_verifier",
		"subject_token", "actor_token", "device_code", "token",
	}
}

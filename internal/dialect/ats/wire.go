// Package ats speaks the wire of ats.auth: three original endpoints, byte for
// byte, and what has grown beside them.
//
// It never judges a token and keeps nothing.
package ats

import (
	"encoding/json"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Paths of the original service.
const (
	pathLogin     = "/user/login"
	pathLogout    = "/user/logout"
	pathLogoutAll = "/user/logout_all"
)

// Paths that an original service does not have.
const (
	pathCheck   = "/user/check"
	pathRefresh = "/user/refresh"
	pathTokens  = "/user/tokens"
)

// userHeader names whose tokens logout_all is about.
const userHeader = "X-Auth-UserId"

// loginBody is what a client sends. Members behind Password are ours; an
// original service ignores them.
type loginBody struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	Refresh    bool   `json:"refresh,omitempty"`
	TTL        int64  `json:"ttl,omitempty"`
	RefreshTTL int64  `json:"refresh_ttl,omitempty"`
	Scope      string `json:"scope,omitempty"`
}

type refreshBody struct {
	RefreshToken string `json:"refresh_token"`
}

// userBody names whose tokens logout_all is about, where a header cannot: it
// keeps spaces and every letter.
type userBody struct {
	User string `json:"user"`
}

// loginAnswer is what a service sends. Members behind Token are ours, and there
// only when a grown member was asked for.
type loginAnswer struct {
	Token        string `json:"token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresAt    string `json:"expires_at,omitempty"`
	ExpiresIn    int64  `json:"expires_in,omitempty"`
}

func newAnswer(set token.Set, grown bool) loginAnswer {
	a := loginAnswer{Token: set.AccessToken.Reveal()}
	if grown {
		a.RefreshToken = set.RefreshToken.Reveal()
		a.ExpiresIn = set.ExpiresIn
		if !set.ExpiresAt.IsZero() {
			a.ExpiresAt = set.ExpiresAt.UTC().Format(time.RFC3339Nano)
		}
	}
	return a
}

// encode writes JSON as the original does: four spaces of indent and no newline
// at the end.
func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", "    ")
	if err != nil { // the types above cannot fail
		panic(err)
	}
	return b
}

// reasons are the words of a refused token on the wire, so that a client can
// tell them apart.
var reasons = []struct {
	kind error
	word string
}{
	{token.ErrRevoked, "token revoked"},
	{token.ErrExpired, "token expired"},
	{token.ErrNotYetValid, "token not yet valid"},
	{token.ErrUnknown, "token unknown"},
	{token.ErrSignature, "signature verification failed"},
	{token.ErrClaims, "claims not acceptable"},
	{token.ErrMalformed, "malformed token"},
}

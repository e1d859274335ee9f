// Package ciphertrust speaks the wire of CipherTrust Manager: short-lived JWTs,
// and refresh tokens that have a client id, an absolute end and an idle limit.
// Here are its words and the client's end; the service's is in door.
//
// It never judges a token and keeps nothing.
package ciphertrust

import (
	"encoding/json"
	"math"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Paths of the service. PathTokens has a twin with a slash at the end.
const (
	PathTokens     = "/api/v1/auth/tokens"
	PathRevoke     = "/api/v1/auth/revoke"
	PathDomains    = "/api/v1/auth/self/domains"
	PathKey        = "/api/v1/auth/auth-key"
	PathRotate     = "/api/v1/auth/rotate-auth-key"
	PathProperties = "/api/v1/configs/properties"
)

// Values of grant_type.
const (
	GrantPassword = "password"
	GrantRefresh  = "refresh_token"
)

// RootDomain is the domain that an empty one stands for.
const RootDomain = "root"

// LocalConnection is where passwords are checked unless another connection is
// named.
const LocalConnection = "local_account"

// Messages of the service that a client tells apart.
const (
	MessageCredentials = "Wrong username or password."
	MessageInvalid     = "Invalid token"
	MessageClient      = "Invalid Client"
	MessageRevoked     = "Token has been revoked"
	MessageExpired     = "Token has expired"
	MessageDomain      = "Failed to locate domain"
	MessageNoRecord    = "record not found"
)

// Set is the answer to a login or a refresh. Lifetimes are seconds.
type Set struct {
	JWT       string `json:"jwt,omitempty"`
	Duration  int64  `json:"duration"`
	TokenType string `json:"token_type"`
	ClientID  string `json:"client_id,omitempty"`
	RefreshID string `json:"refresh_token_id,omitempty"`
	Refresh   string `json:"refresh_token,omitempty"`
	ExpiresIn int64  `json:"refresh_token_expires_in,omitempty"`
}

// Login is a refresh token as it is listed, without its value. Instants are RFC
// 3339; empty: none.
type Login struct {
	ID         string   `json:"id"`
	ClientID   string   `json:"client_id"`
	UserID     string   `json:"user_id"`
	Username   string   `json:"username"`
	Labels     []string `json:"labels"`
	CreatedAt  string   `json:"created_at"`
	LastUsedAt string   `json:"last_used_at"`
	ExpiresAt  string   `json:"expires_at,omitempty"`
	// UnusedIn is how long it may lie unused, in minutes; 0: no limit.
	UnusedIn int64 `json:"refresh_token_revoke_unused_in,omitempty"`
	Expired  bool  `json:"expired"`
	Revoked  bool  `json:"revoked"`
}

// Page is a part of a list.
type Page[T any] struct {
	Skip      int `json:"skip"`
	Limit     int `json:"limit"`
	Total     int `json:"total"` // of all parts
	Resources []T `json:"resources"`
}

// Property is one system property. Not set, its value is empty.
type Property struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
}

// Error is a refusal.
type Error struct {
	Code      int    `json:"code"`
	CodeDesc  string `json:"codeDesc"`
	Message   string `json:"message"`
	RequestID string `json:"requestID,omitempty"`
}

// Minutes is a lifetime in seconds as it goes over the wire, rounded up.
func Minutes(seconds int64) int64 {
	if seconds <= 0 {
		return 0
	}
	return (seconds-1)/60 + 1
}

// maxMinutes is beyond every lifetime that there is.
const maxMinutes = 1_000_000_000_000

// Seconds reads minutes: a whole number from 0, which a JSON encoder may have
// written with a fraction of nothing.
func Seconds(number string) (seconds int64, ok bool) {
	var minutes float64
	if err := json.Unmarshal([]byte(number), &minutes); err != nil || minutes < 0 || minutes != math.Trunc(minutes) {
		return 0, false
	}
	return int64(min(minutes, maxMinutes)) * 60, true
}

// Kind is the refusal that a message stands for; nil: it is none of these.
func Kind(message string) error {
	return map[string]error{
		MessageCredentials: token.ErrCredentials, MessageInvalid: token.ErrUnknown, MessageRevoked: token.ErrRevoked,
		MessageExpired: token.ErrExpired,
	}[message]
}

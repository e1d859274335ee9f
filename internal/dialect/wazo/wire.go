// Package wazo speaks the wire of xivo-auth, later wazo-auth: opaque tokens by HTTP
// Basic against a named backend, which other services have checked. Here are its
// words and the client's end; the service's is in door.
//
// It never judges a token and keeps nothing.
package wazo

import (
	"strings"
	"time"
)

// Paths of the service. What is beneath a list is behind a slash: PathToken + "/" +
// the token, escaped.
const (
	PathToken    = "/0.1/token"  // one's own
	PathTokens   = "/0.1/tokens" // refresh tokens
	PathBackends = "/0.1/backends"
	PathUsers    = "/0.1/users"
	PathSessions = "/0.1/sessions"
	PathPolicies = "/0.1/policies"
	PathStatus   = "/0.1/status"
	// PathMyTokens and PathMySessions are those of who asks.
	PathMyTokens   = PathUsers + "/" + Me + "/tokens"
	PathMySessions = PathUsers + "/" + Me + "/sessions"
	// CheckScopes is behind a token.
	CheckScopes = "/scopes/check"
)

// Me is who asks, in the place of a user's UUID.
const Me = "me"

// Headers of the wire.
const (
	HeaderToken   = "X-Auth-Token"          // who asks
	HeaderSession = "Wazo-Session-Type"     // SessionMobile or SessionDesktop
	HeaderRevoked = "Wazo-Sessions-Revoked" // how many made room for a new one
)

// Values of HeaderSession.
const (
	SessionMobile  = "mobile"
	SessionDesktop = "desktop"
)

// Values of access_type. An offline one has a refresh token.
const (
	AccessOnline  = "online"
	AccessOffline = "offline"
)

// Bounds of a Request.
const (
	MaxExpiration = 315_360_000 // seconds
	MaxClientID   = 1024        // characters
)

// Messages of the service.
const (
	MessageFailed       = "Authentication Failed"
	MessageExpiration   = "Invalid expiration"
	MessageNoToken      = "No such token"
	MessageUnauthorized = "Unauthorized"
	MessageDenied       = "Unauthorized for " // before what the token gives no access to
	MessageSuccess      = "success"
	MessageSessions     = "number of active sessions" // at the end of why there is no token more
)

// Request is what a token is asked for with. Its zero members are left out.
type Request struct {
	Backend      string `json:"backend,omitempty"`
	Expiration   int64  `json:"expiration,omitempty"` // seconds
	AccessType   string `json:"access_type,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Data is what most answers are wrapped in.
type Data[T any] struct {
	Data T `json:"data"`
}

// Message is the Data of a deletion.
type Message struct {
	Message string `json:"message"`
}

// Token is what the service says of a token. Instants are Instant's; those that are
// not utc_ are in the service's zone.
type Token struct {
	IssuedAt     string   `json:"issued_at"`
	UTCIssuedAt  string   `json:"utc_issued_at"`
	Token        string   `json:"token"`
	AuthID       string   `json:"auth_id"`
	XivoUserUUID *string  `json:"xivo_user_uuid"`
	ExpiresAt    string   `json:"expires_at"`
	UTCExpiresAt string   `json:"utc_expires_at"`
	XivoUUID     *string  `json:"xivo_uuid"`
	ACL          []string `json:"acl"`
	Metadata     Metadata `json:"metadata"`
	SessionUUID  string   `json:"session_uuid"`
	RemoteAddr   string   `json:"remote_addr"`
	UserAgent    string   `json:"user_agent"`
	RefreshToken string   `json:"refresh_token,omitempty"` // in the answer to an offline login
}

// Metadata is whose a token is.
type Metadata struct {
	UUID        string  `json:"uuid"`
	TenantUUID  string  `json:"tenant_uuid"`
	AuthID      string  `json:"auth_id"`
	PBXUserUUID *string `json:"pbx_user_uuid"`
	XivoUUID    *string `json:"xivo_uuid"`
	Purpose     string  `json:"purpose"`
	Admin       *bool   `json:"admin,omitempty"`
}

// Page is a part of a list: Total is of all that there are, Filtered of those that
// were searched for.
type Page[T any] struct {
	Total    int `json:"total"`
	Filtered int `json:"filtered"`
	Items    []T `json:"items"`
}

// RefreshToken is one in a list, which does not show it.
type RefreshToken struct {
	ClientID   string         `json:"client_id"`
	CreatedAt  string         `json:"created_at"`
	Mobile     bool           `json:"mobile"`
	UserUUID   string         `json:"user_uuid"`
	TenantUUID string         `json:"tenant_uuid"`
	Metadata   map[string]any `json:"metadata"`
}

// Session is one in a list.
type Session struct {
	UUID       string `json:"uuid"`
	Mobile     bool   `json:"mobile"`
	UserUUID   string `json:"user_uuid"`
	TenantUUID string `json:"tenant_uuid"`
}

// Error is a refusal in the shape of 2017, lists and all. Timestamp is seconds since
// 1970.
type Error struct {
	Reason     []string  `json:"reason"`
	Timestamp  []float64 `json:"timestamp"`
	StatusCode int       `json:"status_code"`
}

// layout is of a time with microseconds and without a zone.
const layout = "2006-01-02T15:04:05.000000"

// Instant writes microseconds since 1970-01-01 UTC as a clock in that zone shows
// them.
func Instant(microseconds int64, zone *time.Location) string {
	return time.UnixMicro(microseconds).In(zone).Format(layout)
}

// ParseInstant reads a time in UTC, as Instant and originals of any age write it:
// with a fraction or without, with a zone or without. False: it is none.
func ParseInstant(text string) (time.Time, bool) {
	short := "2006-01-02T15:04:05" // which takes a fraction too
	if len(text) > len(short) && strings.ContainsAny(text[len(short):], "Z+-") {
		short = time.RFC3339
	}
	at, err := time.Parse(short, text)
	return at.UTC(), err == nil
}

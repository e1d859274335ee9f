// Package awx speaks the wire of AWX: applications of organisations, access tokens
// that are numbered rows, and the grants under /api/o/. Here are its words and the
// client's end; the service's is in door.
//
// It never judges a token and keeps nothing.
package awx

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Paths of the service. What is beneath a list begins with its path: ListPath
// makes one.
const (
	PathAPI           = "/api/"
	PathV2            = "/api/v2/"
	PathMe            = "/api/v2/me/"
	PathUsers         = "/api/v2/users/"
	PathOrganizations = "/api/v2/organizations/"
	PathApplications  = "/api/v2/applications/"
	PathTokens        = "/api/v2/tokens/"
	PathCredentials   = "/api/v2/credentials/"
	PathLogin         = "/api/login/"
	PathLogout        = "/api/logout/"
	PathGateway       = "/api/gateway/v1/tokens/" // of later services; 404 at this one
	PathOAuth         = "/api/o/"
	PathAuthorize     = "/api/o/authorize/"
	PathToken         = "/api/o/token/"
	PathRevoke        = "/api/o/revoke_token/"
	PathRevokeToo     = "/api/o/revoke-token/"
)

// Lists beneath a user, an application or an organisation.
const (
	ListApplications     = "applications"      // of a user or an organisation
	ListTokens           = "tokens"            // of a user or an application
	ListAuthorizedTokens = "authorized_tokens" // of a user: applications'
	ListPersonalTokens   = "personal_tokens"   // of a user: no application's
	ListUsers            = "users"             // of an organisation
	ListAdmins           = "admins"            // of an organisation
)

// ItemPath is the path of what a list calls by a number, or a user's by the name
// where that needs no escape.
func ItemPath(list string, number int64) string {
	return list + strconv.FormatInt(number, 10) + "/"
}

// ListPath is the path of a list beneath an item: ListPath(PathUsers, 3, ListTokens).
func ListPath(list string, number int64, beneath string) string {
	return ItemPath(list, number) + beneath + "/"
}

// DefaultOrganization is the name of the organisation that takes what belongs to no
// other.
const DefaultOrganization = "Default"

// Values of type.
const (
	TypeApplication  = "o_auth2_application"
	TypeToken        = "o_auth2_access_token"
	TypeUser         = "user"
	TypeOrganization = "organization"
)

// Values of client_type.
const (
	ClientConfidential = "confidential"
	ClientPublic       = "public"
)

// Values of authorization_grant_type.
const (
	GrantCode              = "authorization-code"
	GrantImplicit          = "implicit"
	GrantPassword          = "password"
	GrantClientCredentials = "client-credentials"
)

// ClientTypes are all values of client_type.
func ClientTypes() []string { return []string{ClientConfidential, ClientPublic} }

// GrantTypes are all values of authorization_grant_type.
func GrantTypes() []string {
	return []string{GrantCode, GrantImplicit, GrantPassword, GrantClientCredentials}
}

// Words of a scope. ScopeWrite holds ScopeRead.
const (
	ScopeRead  = "read"
	ScopeWrite = "write"
)

// IsScope reports whether a text is a scope: one of the two words, or both, each
// once.
func IsScope(text string) bool {
	words := strings.Fields(text)
	for i, word := range words {
		if word != ScopeRead && word != ScopeWrite || slices.Contains(words[:i], word) {
			return false
		}
	}
	return len(words) > 0
}

// Mask stands where a value was that is told once.
const Mask = "*************"

// Cookies of a login at PathLogin. HeaderCookie of its answer names the first.
const (
	CookieSession = "sessionid"
	CookieCSRF    = "csrftoken"
	HeaderCSRF    = "X-CSRFToken"
	HeaderCookie  = "X-API-Session-Cookie-Name"
)

// Bounds of a page.
const (
	PageSize = 25
	PageMost = 200
)

// Bounds of texts, in characters.
const (
	MaxName        = 255
	MaxDescription = 200 // of a token
)

// Messages that a client tells apart, in the detail of an Error.
const (
	MessageNoCredentials = "Authentication credentials were not provided."
	MessageWrong         = "Invalid username/password."
	MessageInactive      = "User inactive or deleted."
	MessageForbidden     = "You do not have permission to perform this action."
	MessageNotFound      = "Not found."
	MessageInvalidPage   = "Invalid page."
	MessageScope         = "Must be a simple space-separated string with allowed scopes ['read', 'write']."
	MessageRequired      = "This field is required."
	MessageNull          = "This field may not be null."
	MessageBlank         = "This field may not be blank."
)

// Error is a refusal that is about no field. Those about fields are Fields.
type Error struct {
	Detail string `json:"detail"`
}

// Fields says by the names of fields what is wrong with them.
type Fields map[string][]string

// Page is a part of a list. Next and Previous are paths with a query; nil: there is
// none.
type Page[T any] struct {
	Count    int64   `json:"count"` // of all parts
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  []T     `json:"results"`
}

// Item is what all objects begin with.
type Item[S any] struct {
	ID            int64             `json:"id"`
	Type          string            `json:"type"`
	URL           string            `json:"url"`
	Related       map[string]string `json:"related"`
	SummaryFields S                 `json:"summary_fields"`
	Created       string            `json:"created"`
	Modified      string            `json:"modified"`
}

// Capabilities are what the caller may do.
type Capabilities struct {
	Edit   bool `json:"edit"`
	Delete bool `json:"delete"`
}

// Application is one, with its secret in the answer to its creation alone.
type Application struct {
	Item[ApplicationSummary]
	Name                   string `json:"name"`
	User                   *int64 `json:"user,omitempty"` // whose it is; nil: nobody's
	Description            string `json:"description"`
	ClientID               string `json:"client_id"`
	ClientSecret           string `json:"client_secret,omitempty"` // public ones have none
	ClientType             string `json:"client_type"`
	RedirectURIs           string `json:"redirect_uris"` // between blanks
	AuthorizationGrantType string `json:"authorization_grant_type"`
	SkipAuthorization      bool   `json:"skip_authorization"`
	Organization           int64  `json:"organization"`
}

// ApplicationSummary goes with an application.
type ApplicationSummary struct {
	Organization     *NameSummary `json:"organization,omitempty"`
	User             *UserSummary `json:"user,omitempty"`
	UserCapabilities Capabilities `json:"user_capabilities"`
	Tokens           TokenSummary `json:"tokens"`
}

// NameSummary is an organisation, or an application, in short.
type NameSummary struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// TokenSummary is the first ten tokens, and how many there are.
type TokenSummary struct {
	Count   int64        `json:"count"`
	Results []TokenShort `json:"results"`
}

// TokenShort is a token in short.
type TokenShort struct {
	ID    int64  `json:"id"`
	Token string `json:"token"`
	Scope string `json:"scope"`
}

// Token is an access token, with its values in the answer to its creation alone.
type Token struct {
	Item[TokenOwners]
	Description  string  `json:"description"`
	User         *int64  `json:"user"`
	Token        string  `json:"token"`
	RefreshToken *string `json:"refresh_token"` // nil: it has none
	Application  *int64  `json:"application"`   // nil: a personal token
	Expires      *string `json:"expires"`       // nil: never
	Scope        string  `json:"scope"`
}

// TokenOwners goes with a token.
type TokenOwners struct {
	User             *UserSummary `json:"user,omitempty"`
	Application      *NameSummary `json:"application,omitempty"`
	UserCapabilities Capabilities `json:"user_capabilities"`
}

// UserSummary is a user in short.
type UserSummary struct {
	ID        int64  `json:"id"`
	Username  string `json:"username"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// User is a user.
type User struct {
	Item[UserCapabilities]
	Username        string `json:"username"`
	FirstName       string `json:"first_name"`
	LastName        string `json:"last_name"`
	Email           string `json:"email"`
	IsSuperuser     bool   `json:"is_superuser"`
	IsSystemAuditor bool   `json:"is_system_auditor"`
}

// UserCapabilities goes with users and organisations.
type UserCapabilities struct {
	UserCapabilities Capabilities `json:"user_capabilities"`
}

// Organization is an organisation.
type Organization struct {
	Item[UserCapabilities]
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Set is the answer of PathToken. ExpiresIn is seconds.
type Set struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// Instant writes microseconds since 1970-01-01 UTC. Whole seconds have no fraction.
func Instant(microseconds int64) string {
	layout := "2006-01-02T15:04:05.000000Z"
	if microseconds%1_000_000 == 0 {
		layout = "2006-01-02T15:04:05Z"
	}
	return time.UnixMicro(microseconds).UTC().Format(layout)
}

// ParseInstant reads what Instant wrote; false: it did not.
func ParseInstant(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	return at.UTC(), err == nil
}

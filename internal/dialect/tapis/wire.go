// Package tapis speaks the wire of Tapis v3: tokens that services mint for the
// users of many tenants, each with keys of its own. Here are its words and the
// client's end; the service's is in door.
//
// It never judges a token and keeps nothing.
package tapis

import "encoding/json"

// Paths of the service.
const (
	PathTokens       = "/v3/tokens"
	PathRevoke       = "/v3/tokens/revoke"
	PathKeys         = "/v3/tokens/keys"
	PathHello        = "/v3/tokens/hello"
	PathReady        = "/v3/tokens/ready"
	PathOAuth2       = "/v3/oauth2/tokens"
	PathOAuth2Revoke = "/v3/oauth2/tokens/revoke"
	PathTenants      = "/v3/tenants"
	PathSites        = "/v3/sites"
	PathCheck        = "/v3/site-router/tokens/check"
	PathSiteRevoke   = "/v3/site-router/tokens/revoke"
	PathSiteRouter   = "/v3/site-router"
)

// Headers of requests.
const (
	HeaderToken  = "X-Tapis-Token"
	HeaderTenant = "X-Tapis-Tenant"
	HeaderUser   = "X-Tapis-User"
)

// Values of account_type.
const (
	AccountUser    = "user"
	AccountService = "service"
)

// GrantDevice is the grant_type of a device's poll, which has its registered name
// too.
const GrantDevice = "device_code"

// DefaultVersion is the version of answers where the tenant has none.
const DefaultVersion = "dev"

// StatusSuccess and StatusError are values of status.
const (
	StatusSuccess = "success"
	StatusError   = "error"
)

// Messages of the service that clients know.
const (
	MessageMinted       = "Token generation successful."
	MessageLogin        = "Token created successfully."
	MessageKeys         = "Tenant signing keys update successful."
	MessageHello        = "Hello from Tapis"
	MessageReady        = "Service is ready."
	MessageNotRevoked   = "X-Tapis-Token is not revoked."
	MessageRevoked      = "X-Tapis-Token is revoked."
	MessageNotFound     = "X-Tapis-Token not found."
	MessageService      = "Invalid service account/password combination. Service account may not be registered with SK."
	MessageMismatch     = "Invalid POST data -- username does not match auth header."
	MessageNotAllowed   = "Not authorized to modify the tenant signing keys."
	MessageMayNotMint   = "Not authorized to generate tokens in tenant " // and its name
	MessageMayNotRevoke = "Not authorized to revoke tokens."
	MessageLoginFailed  = "Invalid username/password combination."
	MessageClient       = "Invalid client credentials."
	MessageNoToken      = "No Tapis access token found in the request."
	MessageInvalidToken = "Invalid Tapis token."
	MessageNoEndpoint   = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
	MessagePost         = "Invalid POST data: "
	MessagePut          = "Invalid PUT data: "
	MessageJudge        = "Invalid POST data; could not validate the token: "
)

// Envelope is every answer. Members stand in the order of their names, as the
// original writes them.
type Envelope struct {
	Message  string          `json:"message"`
	Metadata struct{}        `json:"metadata"`
	Result   json.RawMessage `json:"result"`
	Status   string          `json:"status"`
	Version  string          `json:"version"`
}

// Pair is the result of what gives tokens.
type Pair struct {
	Access  *Access  `json:"access_token,omitempty"`
	Refresh *Refresh `json:"refresh_token,omitempty"`
}

// Access is an access token. ExpiresAt is "2006-01-02 15:04:05.000000+00:00", and
// ExpiresIn its lifetime in seconds.
type Access struct {
	Token     string `json:"access_token"`
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in"`
	JTI       string `json:"jti"`
}

// Refresh is a refresh token, as Access.
type Refresh struct {
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in"`
	JTI       string `json:"jti"`
	Token     string `json:"refresh_token"`
}

// InstantForm is how ExpiresAt is written, in UTC.
const InstantForm = "2006-01-02 15:04:05.000000-07:00"

// Mint is what a token is asked for with. Lifetimes are seconds; 0: the tenant's.
type Mint struct {
	Tenant         string          `json:"token_tenant_id"`
	AccountType    string          `json:"account_type"`
	Username       string          `json:"token_username"`
	TargetSite     string          `json:"target_site_id,omitempty"`
	AccessTTL      int64           `json:"access_token_ttl,omitempty"`
	Refresh        bool            `json:"generate_refresh_token,omitempty"`
	RefreshTTL     int64           `json:"refresh_token_ttl,omitempty"`
	Delegation     bool            `json:"delegation_token,omitempty"`
	DelegateTenant string          `json:"delegation_sub_tenant_id,omitempty"`
	DelegateUser   string          `json:"delegation_sub_username,omitempty"`
	Claims         json.RawMessage `json:"claims,omitempty"`
}

// Tenant is one tenant as everybody may see it. PublicKey is SPKI in PEM.
type Tenant struct {
	TenantID       string          `json:"tenant_id"`
	SiteID         string          `json:"site_id"`
	BaseURL        string          `json:"base_url"`
	TokenService   string          `json:"token_service"`  // iss of its tokens
	PublicKey      string          `json:"public_key"`     // the one that signs
	JWKS           json.RawMessage `json:"jwks,omitempty"` // all that verify; not in the original
	Description    string          `json:"description"`
	Owner          string          `json:"owner"`
	Status         string          `json:"status"`
	Authenticator  string          `json:"authenticator"`
	SecurityKernel string          `json:"security_kernel"`
}

// Site is one installation.
type Site struct {
	SiteID                string   `json:"site_id"`
	Primary               bool     `json:"primary"`
	SiteAdminTenantID     string   `json:"site_admin_tenant_id"`
	BaseURL               string   `json:"base_url"`
	TenantBaseURLTemplate string   `json:"tenant_base_url_template"`
	Services              []string `json:"services"`
}

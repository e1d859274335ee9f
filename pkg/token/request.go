package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Credentials are what a person or a program proves itself with. They are read
// once, sent once, compared once; never stored, never logged.
type Credentials struct {
	Username string
	Password Secret
}

// Request is what is wanted of a login beyond the credentials. Its zero value
// asks for what the service gives by default.
type Request struct {
	TTL        int64 // lifetime of the access token in seconds; 0: the service's default
	Refresh    bool  // also issue a refresh token
	RefreshTTL int64 // lifetime of the refresh token in seconds; 0: the service's default
	// RefreshIdle is how long the refresh token may lie unused, in seconds; 0: the
	// service's default.
	RefreshIdle int64
	Labels      []string // words to find the login by; none by default
	Scope       string   // space-separated (RFC 6749 section 3.3); empty: the service's default
	// Resources are whom the access token is to be for (RFC 8707 section 2), as
	// absolute URIs; none: the service's default.
	Resources []string
	Source    string // where the request came from, for the throttle; set by servers only
	// Description is what the token is for, in words for its owner; empty: the
	// dialect's default, where it has such a thing.
	Description string
	// Mint asks for a token that is made for somebody, by one who may. Default nil:
	// the login's own.
	Mint *Mint
}

// Mint is a token that is made for somebody who need not be there, as services
// make them in Tapis.
type Mint struct {
	Username   string // whom for; empty: who asks
	Tenant     string // the tenant of Username; empty: that of who asks
	Service    bool   // for a service account, not for a user
	Delegate   string // who acts, as USER@TENANT; empty: nobody but Username
	TargetSite string // the site that a service's token is for; empty: the service's choice
	Claims     string // more claims of the access token, a JSON object; empty: none
	// Bearer is the access token of who asks, in the place of a password; zero: it is
	// the Credentials that ask.
	Bearer Secret
}

// Check says what is wrong with a Mint before a service does: a Delegate that is
// not USER@TENANT, or Claims that are no JSON object or that name what the token
// says of itself.
func (m *Mint) Check() error {
	if user, tenant := m.Actor(); m.Delegate != "" && (user == "" || tenant == "") {
		return errors.New("who acts is named as USER@TENANT")
	}
	if m.Claims == "" {
		return nil
	}
	claims, err := ParseObject(m.Claims)
	if err != nil {
		return errors.New("the claims are no JSON object, or name one claim twice")
	}
	for _, name := range claims.Names() {
		if ReservedClaim(name) {
			return fmt.Errorf("the claim %q is the service's own", name)
		}
	}
	return nil
}

// Actor is the Delegate in its two parts; both are empty when it has not both.
func (m *Mint) Actor() (user, tenant string) {
	if at := strings.LastIndexByte(m.Delegate, '@'); at > 0 {
		user, tenant = m.Delegate[:at], m.Delegate[at+1:]
	}
	return user, tenant
}

// ReservedClaim reports a name that no claim of a Mint can have: the token says
// that of itself.
func ReservedClaim(name string) bool {
	own := []string{"", "jti", "iss", "sub", "exp", "iat", "nbf", "tenant", "target_site", "username", "account_type", "ttl"}
	same := func(one string) bool { return strings.EqualFold(one, name) } // some readers do not look at the case
	prefix, _, slash := strings.Cut(name, "/")
	return slash && strings.EqualFold(prefix, "tapis") || slices.ContainsFunc(own, same)
}

// Set is what a login or a refresh gives. Lifetimes are those granted, which
// may be shorter than those asked for.
type Set struct {
	AccessToken  Secret
	RefreshToken Secret // zero when none was issued
	IDToken      Secret // OpenID Connect Core section 2; zero when none was issued
	TokenType    string // "Bearer" (RFC 6750), or "DPoP" (RFC 9449) for one bound to a key
	Scope        string // empty when the service does not say
	ExpiresAt    time.Time
	ExpiresIn    int64 // seconds from the answer; 0 when the service does not say
	// ClientID is what the service calls the holder of the refresh token, and wants
	// to hear when that is revoked; LoginID names the login to it. Empty where the
	// dialect has no such thing.
	ClientID, LoginID string
	// RefreshExpiresIn is how many seconds the refresh token lives at most; 0: no
	// end, or the service does not say.
	RefreshExpiresIn int64
}

// The ways to a token, by their grant_type (RFC 6749 section 4, RFC 8628, RFC
// 8693).
const (
	GrantPassword          = "password"
	GrantClientCredentials = "client_credentials"
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// Grants are all of them.
func Grants() []string {
	return []string{
		GrantAuthorizationCode, GrantClientCredentials, GrantRefreshToken, GrantPassword, GrantDeviceCode, GrantTokenExchange,
	}
}

// Grant is how a token is asked for where a service knows several ways.
type Grant struct {
	Type        string      // one of the Grant values; GrantRefreshToken is a verb of its own
	Credentials Credentials // with GrantPassword
	// Subject is whom the new token is to be about, with GrantTokenExchange;
	// Actor, unless zero, who acts for them (RFC 8693 section 2.1).
	Subject, Actor Secret
	// ShowDevice tells a person where to go and what to type, with
	// GrantDeviceCode (RFC 8628 section 3.3).
	ShowDevice func(DeviceCode)
	// OpenBrowser takes a person to an address, with GrantAuthorizationCode. That
	// it could not is no reason to give up: the person may go there alone.
	OpenBrowser func(url string)
}

// DeviceCode is what a person needs to let a device in.
type DeviceCode struct {
	URL      string // verification_uri
	Complete string // verification_uri_complete, with the code in it; may be empty
	UserCode string
	Expires  time.Time
}

// Login is one login that a service holds, with the tokens that hang on it.
type Login struct {
	ID         string // public, safe to show; names the login to the service
	Client     string // the application's client_id; empty: none
	Name       string // the application's name, or what kind of login it is
	Door       string // the dialect through which it was made
	User       string // whose it is, where the service tells of others' too; else empty
	Scope      string
	Labels     []string // words to find it by; none where the dialect has no such thing
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // zero: without end
	Current    bool      // the one that asks
}

// LoginQuery says which logins are meant. Its zero value means those that are in
// force, of the one who asks.
type LoginQuery struct {
	Labels  []string // the logins that have all of them
	Expired bool     // those that have ended by themselves too
	Revoked bool     // those that were revoked too
	User    string   // whose, as the service names users; empty: the bearer's own
	Skip    int      // how many to leave out at the beginning
	Limit   int      // how many at most; 0: all
}

// LoginChange says what is to be another of a login; nil: it stays as it is.
type LoginChange struct{ Scope, Description *string }

// Application is a program that a service knows and lets users log in through.
type Application struct {
	ID           string // public, names it to the service; given by the service
	Name         string
	Organization string // whose it is: by its name, or by its number; empty: the service's choice
	ClientType   string // "confidential", or "public" for one that can keep no secret
	Grant        string // the way to its tokens, in the service's words
	RedirectURIs string // where a browser may come back, between blanks; empty: nowhere
	Description  string
	ClientID     string // what it calls itself; given by the service
	ClientSecret Secret // its password, in the answer to its creation alone
	CreatedAt    time.Time
}

// Property is one setting of a service that an administrator changes.
type Property struct {
	Name        string
	Value       string // empty: not set
	Description string // a sentence, where the service has one
}

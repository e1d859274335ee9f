package token

import "time"

// Credentials are what a person or a program proves itself with. They are read
// once, sent once, compared once; never stored, never logged.
type Credentials struct {
	Username string
	Password Secret
}

// Request is what is wanted of a login beyond the credentials. Its zero value
// asks for what the service gives by default.
type Request struct {
	TTL        int64  // lifetime of the access token in seconds; 0: the service's default
	Refresh    bool   // also issue a refresh token
	RefreshTTL int64  // lifetime of the refresh token in seconds; 0: the service's default
	Scope      string // space-separated (RFC 6749 section 3.3); empty: the service's default
	Source     string // where the request came from, for the throttle; set by servers only
}

// Set is what a login or a refresh gives. Lifetimes are those granted, which
// may be shorter than those asked for.
type Set struct {
	AccessToken  Secret
	RefreshToken Secret // zero when none was issued
	TokenType    string // "Bearer" (RFC 6750) unless said otherwise
	Scope        string // empty when the service does not say
	ExpiresAt    time.Time
	ExpiresIn    int64 // seconds from the answer; 0 when the service does not say
}

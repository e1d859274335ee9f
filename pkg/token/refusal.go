package token

import (
	"errors"
	"fmt"
	"time"
)

// The refusals: why no token is given, or why one is not honoured. Every
// dialect maps them to its own wire and back, so that errors.Is holds across
// the network. The text of each is what a person reads when nothing more exact
// is known.
var (
	ErrCredentials = errors.New("wrong user name or password")
	ErrDenied      = errors.New("not allowed")
	ErrMalformed   = errors.New("malformed token")
	ErrSignature   = errors.New("signature verification failed")
	ErrClaims      = errors.New("claims not acceptable") // type, issuer, audience, a required claim
	ErrExpired     = errors.New("token expired")
	ErrNotYetValid = errors.New("token not yet valid")
	ErrRevoked     = errors.New("token revoked")
	ErrUnknown     = errors.New("unknown to the server")
	ErrThrottled   = errors.New("too many attempts")
	ErrUnavailable = errors.New("service unavailable")
	ErrUnsupported = errors.New("not supported by this service")
)

// Refusal is a refusal with its particulars. errors.Is sees its Kind.
type Refusal struct {
	Kind       error         // one of the Err values above
	Reason     string        // lower case, no full stop, names the thing; never holds a secret
	RetryAfter time.Duration // with ErrThrottled and ErrUnavailable: when to try again; 0 is unknown
}

// Refuse returns a *Refusal of that kind with a formatted reason.
//
//go:noinline
func Refuse(kind error, format string, args ...any) error {
	return &Refusal{Kind: kind, Reason: fmt.Sprintf(format, args...)}
}

func (r *Refusal) Error() string {
	if r.Reason == "" {
		return r.Kind.Error()
	}
	return r.Reason
}

// Unwrap returns the kind.
func (r *Refusal) Unwrap() error { return r.Kind }

// ClaimError is a refusal because of one claim. It unwraps to ErrClaims,
// ErrExpired or ErrNotYetValid.
type ClaimError struct {
	Claim  string // the claim's name, "exp" say; of the header, "header typ"
	Reason string // what is wrong, with the figures
	Kind   error
}

func (e *ClaimError) Error() string { return e.Claim + ": " + e.Reason }

// Unwrap returns the kind.
func (e *ClaimError) Unwrap() error { return e.Kind }

// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func malformed(format string, args ...any) error {
	return &Refusal{Kind: ErrMalformed, Reason: "malformed token: " + fmt.Sprintf(format, args...)}
}

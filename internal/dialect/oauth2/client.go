package oauth2

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Config says which service is asked, and by whom.
type Config struct {
	// Exchange carries the messages. Required. It follows no redirection.
	Exchange dialect.Exchange
	// Issuer is the service, exactly as it names itself: https, or http on this
	// machine. Required.
	Issuer string
	// ClientID names the application. Default none.
	ClientID string
	// ClientSecret is its password. Default none.
	ClientSecret token.Secret
	// ClientKey signs its assertions, ClientKeyID is their kid. Default none.
	ClientKey   crypto.Signer
	ClientKeyID string
	// AuthMethod is one of the Auth values. Default the key's, else the secret's in
	// the way that the service takes, else AuthNone.
	AuthMethod string
	// ProofKey binds the tokens (RFC 9449). Default none.
	ProofKey crypto.Signer
	// RedirectPort is the port on 127.0.0.1 to which a browser comes back. Default
	// any that is free.
	RedirectPort int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Client is the client's end of the wire, for any service that speaks it. It is
// safe for concurrent use.
type Client struct {
	Config
	wait     func(ctx context.Context, d time.Duration) error
	patience time.Duration // for somebody in a browser

	mu     sync.Mutex
	known  *metadata         // nil: not fetched yet
	nonces map[string]string // by origin, for proofs (RFC 9449 section 8)
}

// NewClient makes a Client. The error names the field that is wrong.
func NewClient(c Config) (*Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{Config: c, wait: wait, patience: maxPatience, nonces: map[string]string{}}, nil
}

func (c Config) check() error {
	if err := checkIssuer(c.Issuer); err != nil {
		return err
	}
	known := []string{AuthBasic, AuthPost, AuthKey, AuthNone}
	switch c.AuthMethod {
	case "":
	case AuthNone:
		if c.ClientKey != nil || !c.ClientSecret.IsZero() {
			return errors.New("auth method none: the application has a secret or a key")
		}
	case AuthKey:
		if c.ClientKey == nil {
			return errors.New("auth method private_key_jwt: the application has no key")
		}
	case AuthBasic, AuthPost:
		if c.ClientSecret.IsZero() {
			return fmt.Errorf("auth method %s: the application has no secret", c.AuthMethod)
		}
	default:
		return fmt.Errorf("auth method %q is not one of %s", c.AuthMethod, strings.Join(known, ", "))
	}
	if c.ClientID == "" && (c.ClientKey != nil || !c.ClientSecret.IsZero()) {
		return errors.New("client id: none, beside a secret or a key of the application")
	}
	for _, key := range []crypto.Signer{c.ClientKey, c.ProofKey} {
		if key == nil {
			continue
		}
		if _, err := signing.AlgorithmOf(key.Public()); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package oauth2

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// assertionTTL is how long an assertion counts, in seconds.
const assertionTTL = 60

// authMethod is how the application proves itself to the service.
func (c *Client) authMethod(m *metadata) string {
	switch {
	case c.AuthMethod != "":
		return c.AuthMethod
	case c.ClientKey != nil:
		return AuthKey
	case c.ClientSecret.IsZero():
		return AuthNone
	case !lists(m.authMethods, AuthBasic) && lists(m.authMethods, AuthPost):
		return AuthPost
	}
	return AuthBasic
}

// authenticate adds to a message what proves the application (RFC 6749 section
// 2.3).
func (c *Client) authenticate(m *metadata, message *dialect.Message) error {
	method := c.authMethod(m)
	if method == AuthBasic {
		message.ID, message.Secret = c.ClientID, c.ClientSecret
		return nil
	}
	if c.ClientID != "" {
		message.Form.Set("client_id", c.ClientID)
	}
	switch method {
	case AuthPost:
		message.Form.Set("client_secret", c.ClientSecret.Reveal())
	case AuthKey:
		assertion, err := c.assertion(m)
		if err != nil {
			return err
		}
		message.Once = true
		message.Form.Set("client_assertion_type", AssertionType)
		message.Form.Set("client_assertion", assertion)
	}
	return nil
}

// assertion is a JWT by which the application proves itself (RFC 7523 section
// 3). Its audience is the issuer alone: one for an endpoint could be passed on by
// a service that poses as another.
func (c *Client) assertion(m *metadata) (string, error) {
	algorithm, err := algorithmOf(c.ClientKey, m.authAlgorithms)
	if err != nil {
		return "", fmt.Errorf("the key of the application: %w", err)
	}
	now := c.Now().Unix()
	header := map[string]any{"typ": typAssertion}
	if c.ClientKeyID != "" {
		header["kid"] = c.ClientKeyID
	}
	return c.sign(c.ClientKey, algorithm, header, map[string]any{
		"iss": c.ClientID, "sub": c.ClientID, "aud": c.Issuer, "jti": random(), "iat": now, "exp": now + assertionTTL,
	})
}

// prove adds to a message the proof that its sender has the key to which tokens
// are bound (RFC 9449 section 4.2).
func (c *Client) prove(message *dialect.Message) error {
	c.mu.Lock()
	known, nonce := c.known, c.nonces[originOf(message.Path)]
	c.mu.Unlock()
	var listed []string
	if known != nil {
		listed = known.proofAlgorithms
	}
	algorithm, err := algorithmOf(c.ProofKey, listed)
	if err != nil {
		return fmt.Errorf("the key of the proof: %w", err)
	}
	jwk, err := signing.JWK(c.ProofKey.Public(), "", "")
	if err != nil {
		return fmt.Errorf("the key of the proof: %w", err)
	}
	where, _, _ := strings.Cut(message.Path, "?")
	claims := map[string]any{"jti": random(), "htm": message.Method, "htu": where, "iat": c.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if !message.Bearer.IsZero() {
		claims["ath"] = digest(message.Bearer.Reveal())
	}
	proof, err := c.sign(c.ProofKey, algorithm, map[string]any{"typ": TypProof, "jwk": json.RawMessage(jwk)}, claims)
	if err != nil {
		return err
	}
	message.Once = true
	message.Header.Set("DPoP", proof)
	return nil
}

func (c *Client) sign(key crypto.Signer, algorithm string, header, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return signing.Compact(key, algorithm, header, payload)
}

// remember keeps the nonce that a server wants in further proofs, and reports
// whether there is one. A server's are its own: they count for its origin.
func (c *Client) remember(address, nonce string) bool {
	if nonce == "" || len(nonce) > 1024 || !visible(nonce) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonces[originOf(address)] = nonce
	return true
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// algorithmOf is what a key signs with for a service that lists what it takes:
// an RSA key has two ways.
func algorithmOf(key crypto.Signer, listed []string) (string, error) {
	usual, err := signing.AlgorithmOf(key.Public())
	if err != nil {
		return "", err
	}
	if lists(listed, usual) {
		return usual, nil
	}
	if _, isRSA := key.Public().(*rsa.PublicKey); isRSA && slices.Contains(listed, "PS256") {
		return "PS256", nil
	}
	return "", token.Refuse(token.ErrUnsupported, "this server takes no %s", usual)
}

// random is a value that nobody guesses: 256 bits.
func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest is SHA-256 in base64url: of a verifier (RFC 7636 section 4.2), of a
// token (RFC 9449 section 4.2).
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// thumbprintOf names the key to which tokens are bound (RFC 9449 section 6.1).
func thumbprintOf(key crypto.Signer) (string, error) { return signing.Thumbprint(key.Public()) }

package oauth2

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// leeway is how far clocks may be apart, in microseconds.
const leeway = 60_000_000

// checkIDToken judges the ID token of a set by its claims (OpenID Connect Core
// section 3.1.3.7). It came from the token endpoint itself, so that TLS stands for
// its signature (item 6).
func (c *Client) checkIDToken(set token.Set, nonce string) error {
	if set.IDToken.IsZero() {
		return nil
	}
	t, err := token.Decode(set.IDToken.Reveal())
	if err != nil {
		return senseless("its id_token is no JWT that is read here")
	}
	var r token.Registered
	if err := t.Claims.Registered(&r); err != nil {
		return badIDToken("a claim of the wrong kind")
	}
	party, hasParty := t.Claims.String("azp")
	said, _ := t.Claims.String("nonce")
	hash, hasHash := t.Claims.String("at_hash")
	switch {
	case strings.EqualFold(t.Header.Algorithm, "none"):
		return badIDToken("it is not signed")
	case r.Issuer != c.Issuer:
		return badIDToken("its issuer is another")
	case r.Subject == "":
		return badIDToken("no subject")
	case len(r.Audience) == 0 || c.ClientID != "" && !slices.Contains(r.Audience, c.ClientID):
		return badIDToken("it is for another application")
	case c.ClientID != "" && (hasParty && party != c.ClientID || !hasParty && len(r.Audience) > 1):
		return badIDToken("it was issued to another application")
	case !r.Expires.Present || r.Expires.Microseconds <= c.Now().UnixMicro()-leeway:
		return badIDToken("it has expired")
	case !r.IssuedAt.Present || r.IssuedAt.Microseconds > c.Now().UnixMicro()+leeway:
		return badIDToken("it is not from the past")
	case nonce != "" && said != nonce:
		return badIDToken("its nonce is another")
	case hasHash && !hashes(t.Header.Algorithm, set.AccessToken.Reveal(), hash):
		return badIDToken("it belongs to another access token")
	}
	return nil
}

func badIDToken(what string) error {
	return token.Refuse(token.ErrClaims, "the id_token of the server's answer is refused: %s", what)
}

// hashes reports whether at_hash is that of an access token: the left half of the
// hash of the algorithm (OpenID Connect Core section 3.1.3.6). An algorithm without
// a hash that is known here proves nothing, and refutes nothing.
func hashes(algorithm, access, hash string) bool {
	var sum []byte
	switch {
	case strings.HasSuffix(algorithm, "256"):
		s := sha256.Sum256([]byte(access))
		sum = s[:]
	case strings.HasSuffix(algorithm, "384"):
		s := sha512.Sum384([]byte(access))
		sum = s[:]
	case strings.HasSuffix(algorithm, "512"), algorithm == "EdDSA", algorithm == "Ed25519":
		s := sha512.Sum512([]byte(access))
		sum = s[:]
	default:
		return true
	}
	return hash == base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

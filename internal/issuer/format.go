package issuer

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Format is how a door writes its access tokens. Each writes a claim set but for
// the id, which seal adds.
type Format struct {
	header signing.Header
	// algorithm of the first key that is made.
	algorithm string
	// rsaBits is the size of RSA keys that are made; 0: the usual one.
	rsaBits int
	// types are the values of typ that such a token may have.
	types []string
	// id is the member that holds the token's id, user the one that holds the name
	// of its subject, and client the one that holds the application's.
	id, user, client string
	claims           func(d *Door, g grant) []byte
	// minted tells that refresh tokens are JWTs too, that each token stands for
	// itself, and that the claims can hold what a service likes: see tapis.go.
	minted bool
	// kept tells that tokens are rows and their values no JWTs: see kept.go. Such a
	// door has no keys.
	kept bool
	// opaque tells that tokens are sessions, and their values say nothing: see
	// opaque.go. Such a door has no keys.
	opaque bool
	// knowsUser tells that claims are written from the user's record.
	knowsUser bool
	refresh   refreshFormat
}

// FormatATS is that of ats.auth: HS256, no kid, times with their microseconds.
func FormatATS() Format {
	return Format{
		header: signing.Header{Type: "JWT"}, algorithm: "HS256", id: "jti", user: "sub", client: "client_id",
		claims: atsClaims, refresh: rotatingRefresh(),
	}
}

// FormatRFC9068 is the JWT profile of OAuth 2.0: ES256 and whole seconds.
func FormatRFC9068() Format {
	return Format{
		header: signing.Header{Type: "at+jwt", KeyID: true}, algorithm: "ES256", types: []string{"at+jwt"},
		id: "jti", user: "sub", client: "client_id", claims: accessClaims, refresh: rotatingRefresh(),
	}
}

// grant is what one access token is written from.
type grant struct {
	store.Session
	at, end    int64           // issue and expiry
	thumbprint string          // of the key that the token is bound to (RFC 9449 section 6.1)
	actor      json.RawMessage // act (RFC 8693 section 4.1)
	origin     []origin        // the tokens that were exchanged for it, the nearest first
	user       store.User      // whose it is, where the format knows users
	mint       *Mint           // of a minted token; else nil
	refreshTTL int64           // seconds, of its refresh token; 0: it gets none
	spent      bool            // something was used up for it
}

// origin is a token that was exchanged for another: what voids it voids that one.
type origin struct {
	JTI    string `json:"jti"`
	Issuer string `json:"iss,omitempty"` // where it is another door's
	Client string `json:"client_id,omitempty"`
}

func atsClaims(d *Door, g grant) []byte {
	b := make([]byte, 0, 256)
	b = appendSeconds(append(b, `{"iat":`...), g.at)
	b = appendString(append(b, `,"sub":`...), g.Subject)
	b = appendString(append(b, `,"iss":`...), d.Issuer)
	return appendSeconds(append(b, `,"exp":`...), g.end)
}

// accessClaims are those of RFC 9068 section 2.2.
func accessClaims(d *Door, g grant) []byte {
	b := make([]byte, 0, 512)
	b = appendString(append(b, `{"iss":`...), d.Issuer)
	b = appendString(append(b, `,"sub":`...), g.Subject)
	b = appendAudience(append(b, `,"aud":`...), d.audience(g.Session))
	b = appendString(append(b, `,"client_id":`...), g.Client)
	if g.Scope != "" {
		b = appendString(append(b, `,"scope":`...), g.Scope)
	}
	b = appendTimes(b, g)
	if g.thumbprint != "" {
		b = append(appendString(append(b, `,"cnf":{"jkt":`...), g.thumbprint), '}')
	}
	if len(g.actor) > 0 {
		b = append(append(b, `,"act":`...), g.actor...)
	}
	if len(g.origin) > 0 {
		b = appendJSON(append(b, `,"origin":`...), g.origin)
	}
	return b
}

// appendTimes writes iat and exp in whole seconds, and auth_time where a user is
// concerned.
func appendTimes(b []byte, g grant) []byte {
	b = strconv.AppendInt(append(b, `,"iat":`...), g.at/1_000_000, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), g.end/1_000_000, 10)
	if g.AuthAt != 0 {
		b = strconv.AppendInt(append(b, `,"auth_time":`...), g.AuthAt/1_000_000, 10)
	}
	return b
}

// audience is whom a session's tokens are for: the service itself where nobody
// else was asked for (RFC 9068 section 3).
func (d *Door) audience(s store.Session) []string {
	if s.Audience == "" {
		return []string{d.Issuer}
	}
	return strings.Fields(s.Audience)
}

// idClaims are those of an id_token (OpenID Connect Core section 2). It has no
// id of ours, and can never be taken for an access token.
func (d *Door) idClaims(g grant, algorithm, nonce, access string) ([]byte, error) {
	b := make([]byte, 0, 512)
	b = appendString(append(b, `{"iss":`...), d.Issuer)
	b = appendString(append(b, `,"sub":`...), g.Subject)
	b = appendString(append(b, `,"aud":`...), g.Client)
	b = appendTimes(b, g)
	if nonce != "" {
		b = appendString(append(b, `,"nonce":`...), nonce)
	}
	half, err := halfHash(algorithm, access)
	if err != nil {
		return nil, err
	}
	b = appendString(append(b, `,"at_hash":`...), half)
	return append(b, '}'), nil
}

// halfHash is at_hash (OpenID Connect Core section 3.1.3.6): by the hash of the
// id_token's algorithm, which for Ed25519 is SHA-512.
func halfHash(algorithm, access string) (string, error) {
	var sum []byte
	switch {
	case strings.HasSuffix(algorithm, "256"):
		s := sha256.Sum256([]byte(access))
		sum = s[:]
	case strings.HasSuffix(algorithm, "384"):
		s := sha512.Sum384([]byte(access))
		sum = s[:]
	case strings.HasSuffix(algorithm, "512"), algorithm == "EdDSA":
		s := sha512.Sum512([]byte(access))
		sum = s[:]
	default:
		return "", fmt.Errorf("no hash goes with algorithm %q", algorithm)
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]), nil
}

func appendSeconds(b []byte, microseconds int64) []byte {
	b = strconv.AppendInt(b, microseconds/1_000_000, 10)
	return fmt.Appendf(b, ".%06d", microseconds%1_000_000)
}

func appendString(b []byte, s string) []byte { return appendJSON(b, s) }

// appendAudience writes one audience as a string, as many readers want it.
func appendAudience(b []byte, audience []string) []byte {
	if len(audience) == 1 {
		return appendString(b, audience[0])
	}
	return appendJSON(b, audience)
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // strings and lists of them always can
		panic(err)
	}
	return append(b, text...)
}

// newVerifier makes what judges the tokens of a door by these keys.
func (d *Door) newVerifier(keys []signing.Key) (*verifier.Verifier, error) {
	required := []string{"sub"}
	if !d.Format.minted { // else readTapis looks at what its kinds have
		required = append(required, d.Format.id, d.Format.user)
	}
	return verifier.New(verifier.Config{
		Keys: verifying(keys), Issuer: d.Issuer, Types: d.Format.types, AnyAudience: true,
		AllowWeakKeys: d.AllowWeakKeys, Required: required, Now: d.issuer.clock.read,
	})
}

package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// assertionOf is a client assertion (RFC 7523) signed by ES256.
func assertionOf(t *testing.T, key *ecdsa.PrivateKey, client, audience, jti string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": client, "sub": client, "aud": audience, "jti": jti, "iat": now, "exp": now + 60})
	if err != nil {
		t.Fatal(err)
	}
	text := encode([]byte(`{"alg":"ES256","kid":"k1"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return text + "." + encode(b)
}

// A row of an index has a longest entry in PostgreSQL.
func TestAClientAssertionOfALongIDIsTakenOnce(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Store, c.MasterKey, c.Dialects = overPostgres(t)(), testMaster(), []string{"oauth2"}
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.do(err)
	point, err := key.PublicKey.Bytes()
	w.do(err)
	encode := base64.RawURLEncoding.EncodeToString
	app, _, err := w.server.AddApplication(t.Context(), store.Application{
		Name: "Signer", AuthMethod: "private_key_jwt", Grants: []string{"client_credentials"}, Scopes: []string{"read"},
		JWKS: fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","use":"sig","x":%q,"y":%q}]}`, encode(point[1:33]), encode(point[33:])),
	})
	w.do(err)
	for length, status := range map[int][2]int{20: {200, 401}, 4000: {200, 401}} {
		jti := make([]byte, length/2)
		rand.Read(jti) // what can be compressed is short for an index
		assertion := assertionOf(t, key, app.ID, "http://127.0.0.1:8081", fmt.Sprintf("%x", jti))
		form := url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		for n, status := range status {
			a := w.post("/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
			w.want(a, status, fmt.Sprintf("use %d of an id of %d characters", n+1, length))
		}
	}
}

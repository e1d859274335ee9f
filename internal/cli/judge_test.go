package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestTheKeysAreThoseThatTheIssuerPublishes verifies a token by its issuer
// alone, and by the URL of the keys.
func TestTheKeysAreThoseThatTheIssuerPublishes(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var issuer string
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"one","use":"sig","alg":"ES256","x":%q,"y":%q}]}`,
			base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	issuer = server.URL
	sign := func(iss string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": iss, "sub": "marco", "aud": "app", "exp": time.Now().Add(time.Hour).Unix()})
		token.Header["kid"] = "one"
		raw, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, c := range map[string]struct {
		args []string
		raw  string
		code int
		says string
	}{
		"by issuer":         {[]string{"--issuer", issuer, "--audience", "app"}, sign(issuer), 0, "ok: marco"},
		"by URL":            {[]string{"--jwks", issuer + "/keys", "--audience", "app"}, sign(issuer), 0, "ok: marco"},
		"by another issuer": {[]string{"--issuer", issuer, "--audience", "app"}, sign("https://elsewhere.example.org"), exitNotGenuine, "iss: "},
		"without audience":  {[]string{"--issuer", issuer}, sign(issuer), exitNotGenuine, "aud: "},
		"no audience asked": {[]string{"--issuer", issuer, "--no-aud"}, sign(issuer), 0, "--no-aud: tokens made for other services are accepted too"},
		"no such issuer":    {[]string{"--issuer", issuer + "/nobody", "--audience", "app"}, sign(issuer), exitServer, "ats-auth: no keys to verify with: "},
	} {
		var out bytes.Buffer
		code := Run(context.Background(), Env{
			Args: append(append([]string{"ats-auth", "token", "verify"}, c.args...), c.raw), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			LookupEnv: func(string) (string, bool) { return "", false }, WorkDir: t.TempDir(), HomeDir: t.TempDir(),
			Now: time.Now, Interactive: func(any) bool { return false },
		})
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit code %d, %s", name, code, out.String())
		}
	}
}

package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
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

// weakTenant is a service whose tenant has a weak key beside a strong one; its
// tokens are signed by the first of the keys.
type weakTenant struct {
	keys   []*rsa.PrivateKey
	public string // the first two, in PEM
}

func newWeakTenant(t *testing.T) *weakTenant {
	s := &weakTenant{}
	for i, bits := range []int{1024, 2048, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, key)
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			s.public += string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
	}
	return s
}

// token is signed by one of the keys; the last is not the tenant's.
func (s *weakTenant) token(t *testing.T, key int) string {
	raw, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": "https://dev", "sub": "x@dev", "tapis/tenant_id": "dev", "tapis/token_type": "access", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(s.keys[key])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestATokenOfAWeakKeyIsNotCalledForged(t *testing.T) {
	s := newWeakTenant(t)
	weak, strong, forged := s.token(t, 0), s.token(t, 1), s.token(t, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := any(map[string]any{"tenant_id": "dev", "token_service": "https://dev", "public_key": s.public})
		if r.Method == http.MethodPost {
			result = map[string]any{"access_token": map[string]any{"access_token": weak, "expires_in": 3600}}
		}
		if r.URL.Path == "/keys" {
			_, _ = io.WriteString(w, s.public)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "result": result})
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(file, []byte(s.public), 0o600); err != nil {
		t.Fatal(err)
	}
	const inForce = `^ats-auth: key 1 is weak: an RSA key of 1024 bits, .*\nhint: --allow-weak-key takes it\n$`
	const says = `(^|\n)ats-auth: the key that may have signed it is weak: an RSA key of 1024 bits, .*\nhint: --allow-weak-key takes it\n$`
	tapis := []string{"--dialect", "tapis", "--url", server.URL}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"of a tenant":          {append(tapis, "token", "verify", weak), exitNotGenuine, says},
		"allowed":              {append(tapis, "token", "verify", "--allow-weak-key", weak), 0, `ok: x@dev`},
		"of the strong key":    {append(tapis, "token", "verify", strong), 0, `ok: x@dev`},
		"forged":               {append(tapis, "token", "verify", forged), exitNotGenuine, `(^|\n)Signature verification failed\n$`},
		"by a file":            {[]string{"token", "verify", "--jwks", file, weak}, exitConfig, inForce},
		"by a URL":             {[]string{"token", "verify", "--jwks", server.URL + "/keys", weak}, exitNotGenuine, says},
		"forged, by a URL":     {[]string{"token", "verify", "--jwks", server.URL + "/keys", forged}, exitNotGenuine, `(^|\n)Signature verification failed\n$`},
		"shown":                {[]string{"token", "show", "--jwks", server.URL + "/keys", weak}, exitNotGenuine, says},
		"new":                  {append(tapis, "token", "create", "-v", "--username", "x"), 0, `\nnot verified: the key that may have signed it is weak: an RSA key of 1024 bits, .*\nhint: --allow-weak-key takes it\nheader: `},
		"new, allowed":         {append(tapis, "token", "create", "-v", "--allow-weak-key", "--username", "x"), 0, `\nclaims: `},
		"new, by a URL":        {append(tapis, "token", "create", "-v", "--jwks", server.URL+"/keys", "--username", "x"), exitNotGenuine, says},
		"of another algorithm": {append(tapis, "token", "verify", "--alg", "PS256", weak), exitNotGenuine, `header alg: "RS256" is not PS256`},
	} {
		var out bytes.Buffer
		code := Run(context.Background(), Env{
			Args: append([]string{"ats-auth"}, c.args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			LookupEnv: func(name string) (string, bool) { v, ok := words{"ATS_AUTH_PASSWORD": "s"}[name]; return v, ok }, WorkDir: t.TempDir(), HomeDir: t.TempDir(),
			Now: time.Now, Interactive: func(any) bool { return false },
		})
		if code != c.code || !regexp.MustCompile(c.says).MatchString(out.String()) {
			t.Errorf("%s: exit code %d, %s", name, code, out.String())
		}
	}
}

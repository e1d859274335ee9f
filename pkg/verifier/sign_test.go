package verifier

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// strongSecret is long enough for HS512.
const strongSecret = "fK3vQz81mWxT0LrYbA6uNcHdEo5sPg9jViR2-Zp4yXw7tCk8BqDnGfJhMlSaUeOz"

// testNow is the instant at which all tests stand.
var testNow = time.UnixMicro(1_700_000_000_500_000)

func clock() time.Time { return testNow }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func hs256(input, secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(input))
	return string(m.Sum(nil))
}

// forged makes a token of exactly that header and payload, HS256 whatever the
// header says.
func forged(header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(hs256(input, strongSecret))
}

const jwtHeader = `{"alg":"HS256","typ":"JWT"}`

// claimed makes a token of a payload under the usual header.
func claimed(payload string) string { return forged(jwtHeader, payload) }

const goodPayload = `{"iss":"ats.auth","sub":"marco","exp":1700000060,"jti":"a"}`

func strongKey() Key { return Key{Algorithm: "HS256", Secret: token.NewSecret(strongSecret)} }

// newVerifier makes a verifier of the strong secret, standing at testNow.
func newVerifier(t testing.TB, adjust func(*Config)) *Verifier {
	t.Helper()
	c := Config{Keys: []Key{strongKey()}, Now: clock}
	if adjust != nil {
		adjust(&c)
	}
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// lines reads a file of testdata with one entry a line.
func lines(t testing.TB, name string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

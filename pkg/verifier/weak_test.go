package verifier

import (
	"encoding/base64"
	"strings"
	"testing"
)

// seedSecret is the one in the documentation of the original client.
const seedSecret = "ASDFFGGHJGLKJWELROISUFLDKJFLS"

func TestWeakSecretsAreReportedWithTheReason(t *testing.T) {
	rfc7515, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	const strong = "fK3vQz81mWxT0LrYbA6uNcHdEo5sPg9jViR2"
	for _, c := range []struct{ secret, algorithm, reason string }{
		{"secret", "HS256", ReasonKnown},
		{"SeCrEt\n", "HS256", ReasonKnown},
		{"your-256-bit-secret", "HS256", ReasonKnown},
		{"changeme", "HS512", ReasonKnown},
		{"a-string-secret-at-least-256-bits-long", "HS256", ReasonKnown},
		{string(rfc7515), "HS256", ReasonKnown},
		{"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", "HS256", ReasonKnown},
		{seedSecret, "HS256", "29 bytes long, HS256 asks for 32 (RFC 7518 section 3.2)"},
		{"", "HS256", "0 bytes long, HS256 asks for 32 (RFC 7518 section 3.2)"},
		{strong[:31], "HS256", "31 bytes long, HS256 asks for 32 (RFC 7518 section 3.2)"},
		{strong[:32], "HS256", ""},
		{strong, "HS384", "36 bytes long, HS384 asks for 48 (RFC 7518 section 3.2)"},
		{strong + strong[:12], "HS384", ""},
		{strong + strong[:12], "HS512", "48 bytes long, HS512 asks for 64 (RFC 7518 section 3.2)"},
		{strong + strong[:28], "HS512", ""},
		{strings.Repeat("\x00", 32), "HS256", "the same 1 bytes over and over, HS256 asks for 32 (RFC 7518 section 3.2)"},
		{strings.Repeat("changeme", 8), "HS256", "the same 8 bytes over and over, HS256 asks for 32 (RFC 7518 section 3.2)"},
		{strings.Repeat(strong, 2), "HS256", ""},
		{strings.Repeat(strong, 2), "HS512", "the same 36 bytes over and over, HS512 asks for 64 (RFC 7518 section 3.2)"},
	} {
		reason, weak := WeakSecret([]byte(c.secret), c.algorithm)
		if reason != c.reason || weak != (c.reason != "") {
			t.Errorf("WeakSecret(%q, %s) = %q, %v, want %q", c.secret, c.algorithm, reason, weak, c.reason)
		}
	}
}

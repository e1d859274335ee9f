package verifier

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// ReasonKnown is WeakSecret's reason for a secret that stands in documentation
// and example programs, which whoever guesses tries first.
const ReasonKnown = "a well-known example secret"

// WeakSecret judges an HMAC secret for an algorithm: HS256, HS384 or HS512. It
// is weak when it is well known (ReasonKnown, before all else), when it has
// fewer bytes than the hash (RFC 7518 section 3.2), or when it repeats a part
// that is too short itself. Whether a weak secret is refused or used with a
// warning is for the caller to say. The reason holds nothing of the secret but
// its length.
func WeakSecret(secret []byte, algorithm string) (reason string, weak bool) {
	least := map[string]int{"HS384": 48, "HS512": 64}[algorithm]
	least = max(least, 32)
	period := period(secret)
	switch {
	case wellKnown(secret):
		return ReasonKnown, true
	case len(secret) < least:
		return fmt.Sprintf("%d bytes long, %s asks for %d (RFC 7518 section 3.2)", len(secret), algorithm, least), true
	case period < least && period < len(secret):
		return fmt.Sprintf("the same %d bytes over and over, %s asks for %d (RFC 7518 section 3.2)", period, algorithm, least), true
	}
	return "", false
}

// period is the length of the shortest part of which s is a repetition.
func period(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	return bytes.Index(append(bytes.Clone(s[1:]), s...), s) + 1
}

// wellKnown knows the secrets of jwt.io, of the RFCs, of libraries' examples and
// of configuration files in which something was to be filled in.
func wellKnown(secret []byte) bool {
	switch strings.ToLower(strings.TrimSpace(string(secret))) {
	case "secret", "secretkey", "secret_key", "secret-key", "secret123", "supersecret", "super-secret",
		"super_secret", "supersecretkey", "super-secret-key", "mysecret", "my-secret", "my_secret", "mysecretkey",
		"my-secret-key", "my_secret_key", "topsecret", "top-secret", "s3cr3t", "shhhh", "shhhhh", "thisisasecret",
		"jwt", "jwtsecret", "jwt-secret", "jwt_secret", "jwtsecretkey", "jwt_secret_key", "jwt-secret-key",
		"token", "tokensecret", "token_secret", "signingkey", "signing_key", "key", "hmac", "hmacsecret",
		"changeme", "change-me", "change_me", "changethis", "change-this", "change_this", "replaceme",
		"replace-me", "replace_me", "todo", "xxx", "default", "example", "sample", "demo", "test", "testing",
		"test-secret", "test_secret", "testsecret", "dev", "development", "none", "null", "undefined",
		"password", "passw0rd", "password1", "password123", "admin", "root", "letmein", "qwerty", "abc123",
		"12345", "123456", "12345678", "123456789", "1234567890", "keyboard cat", "allyourbase":
		return true
	case "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret", "your_jwt_secret", "your-secret-key",
		"your-secret", "your_secret", "your_secret_key", "yoursecretkey", "your-jwt-secret", "your_jwt_secret_key",
		"a-string-secret-at-least-256-bits-long",
		"a-valid-string-secret-that-is-at-least-384-bits-long",
		"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
		"0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyz123456", "12345678901234567890123456789012",
		"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7": // FastAPI's tutorial
		return true
	}
	return wellKnownKey(secret)
}

// wellKnownKey knows the HMAC keys of RFC 7515 section A.1 and RFC 7520 section
// 3.5, as their text and as the bytes that it stands for.
func wellKnownKey(secret []byte) bool {
	for _, text := range [...]string{
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
		"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
	} {
		if string(secret) == text || base64.RawURLEncoding.EncodeToString(secret) == text {
			return true
		}
	}
	return false
}

package oauth2

import (
	"crypto/subtle"
	"strings"
)

// Meets reports whether a code_verifier is the one of a code_challenge, by S256
// (RFC 7636 section 4.6). Without a challenge there must be none: else a code from an
// attacker's own request could be slipped into a request that has one (RFC 9700
// section 4.8.2).
func Meets(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	same := subtle.ConstantTimeCompare([]byte(digest(verifier)), []byte(challenge)) == 1
	return isVerifier(verifier) && same
}

// isVerifier is RFC 7636 section 4.1.
func isVerifier(text string) bool {
	odd := func(c rune) bool {
		return c > '~' || !strings.ContainsRune("-._~", c) && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	}
	return len(text) >= 43 && len(text) <= 128 && !strings.ContainsFunc(text, odd)
}

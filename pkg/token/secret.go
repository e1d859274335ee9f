package token

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Secret holds a value that must not reach a log, an error or a terminal by
// accident. Whatever prints it (fmt with any verb, also as a field of another
// struct, log/slog, encoding/json) prints `<redacted sha256:ab12cd34>`; only
// Reveal gives the value. The zero Secret is empty.
type Secret struct {
	// A pointer, since fmt does not call methods on unexported fields of other
	// structs but does not follow their pointers either.
	value *string
	human bool
}

// NewSecret wraps a value with at least 64 bits of entropy: a token, a
// generated key. Its printed form carries the first four bytes of its SHA-256,
// which lets two log lines be matched.
func NewSecret(value string) Secret { return Secret{value: &value} }

// NewPassword wraps a value that a person may have chosen. Its printed form is
// `<redacted>`, since even four bytes of a hash would help to guess it.
func NewPassword(value string) Secret { return Secret{value: &value, human: true} }

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is nothing to keep secret.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String returns the redacted form.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	if s.human {
		return "<redacted>"
	}
	sum := sha256.Sum256([]byte(*s.value))
	return "<redacted sha256:" + hex.EncodeToString(sum[:4]) + ">"
}

// Format prints the redacted form for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue gives log/slog the redacted form.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText gives encoders the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

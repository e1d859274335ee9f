package profile

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Origin ranks where a value came from: a greater Origin beats a smaller one.
type Origin int

// The origins, weakest first.
const (
	Unset       Origin = iota // no value at all
	Default                   // the table's default, or what the program's name implies
	Saved                     // config.yaml, which a login wrote
	File                      // [session] or [client] of the ini file
	FileProfile               // [profile NAME] of the ini file
	Environment               // a variable
	Flag                      // a flag
)

// Value is one setting's text and where it came from. Whatever prints a secret
// one (fmt with any verb, log/slog, encoders) prints `<redacted>`. The zero
// Value is unset.
type Value struct {
	// A pointer, since fmt does not call methods on unexported fields of other
	// structs but does not follow their pointers either.
	text   *string
	secret bool
	origin Origin
	source string
}

// Reveal returns the text, also of a secret; "" when unset. A file's name comes
// complete: relative to the directory of the ini file that gave it, or to
// Config.WorkDir.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether there is no text: unset, or a flag given empty.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func (v Value) IsZero() bool { return v.Reveal() == "" }

// Secret reports whether the text must not be shown.
func (v Value) Secret() bool { return v.secret }

// Origin returns the rank of the source.
func (v Value) Origin() Origin { return v.origin }

// Source names where the text came from: "flag --url", "ATS_AUTH_URL",
// "ats-auth-client.ini: [session] server_url", "default"; "" when unset.
func (v Value) Source() string { return v.source }

// Bool returns what a Boolean setting says, false when unset. Load has refused
// every spelling that is not one.
func (v Value) Bool() bool {
	b, _ := parseBool(v.Reveal())
	return b
}

// Duration returns what a Duration setting says, 0 when unset. Load has refused
// every spelling that is not one.
func (v Value) Duration() time.Duration {
	d, _ := parseDuration(v.Reveal())
	return d
}

// List returns the texts of a List setting.
func (v Value) List() []string { return strings.Fields(v.Reveal()) }

// Port returns what a Port setting says, 0 when unset. Load has refused every
// spelling that is not one.
func (v Value) Port() int {
	n, _ := parsePort(v.Reveal())
	return n
}

// String returns the text, or `<redacted>` for a secret that is not empty.
func (v Value) String() string {
	if v.secret && !v.IsZero() {
		return "<redacted>"
	}
	return v.Reveal()
}

// Format prints String for every verb.
func (v Value) Format(f fmt.State, verb rune) { fmt.Fprintf(f, fmt.FormatString(f, verb), v.String()) }

// LogValue gives log/slog the String.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText gives encoders the String.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

package oauth2

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// coded is a refusal with the error code that it came by.
type coded struct {
	*token.Refusal
	code string
}

// Unwrap returns the refusal.
func (c *coded) Unwrap() error { return c.Refusal }

// codeOf is the error code of a refusal, empty when it came without.
func codeOf(err error) string {
	var c *coded
	if errors.As(err, &c) {
		return c.code
	}
	return ""
}

// refusal maps an answer to a refusal; nil for a success. What was sent does not
// come into its text, even where the service says it back.
func refusal(r dialect.Reply, sent []string) error {
	code, description := toldBy(r)
	if r.Status >= 200 && r.Status < 300 && code == "" {
		return nil
	}
	if r.Status < 200 || r.Status >= 300 && r.Status < 400 {
		return dialect.Nonsense(r)
	}
	return refused(r, code, plain(code, sent, 64), plain(description, sent, 200))
}

// refused words a refusal: the error code with the description, or the status.
func refused(r dialect.Reply, code, shownCode, description string) error {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)))
	switch {
	case shownCode != "" && description != "":
		text = fmt.Sprintf("%s (%s)", shownCode, description)
	case shownCode+description != "":
		text = shownCode + description
	}
	kind := kindOf(r.Status, code, description)
	refusal := &token.Refusal{Kind: kind, Reason: "the server refused: " + text}
	switch kind { //nolint:errorlint // the very kinds
	case token.ErrThrottled:
		refusal.Reason, refusal.RetryAfter = "too many attempts: the server asks to wait", retryAfter(r)
	case token.ErrUnavailable:
		refusal.Reason, refusal.RetryAfter = "the server failed: "+text, retryAfter(r)
	case token.ErrUnsupported:
		refusal.Reason = "this server cannot do that: " + text
	}
	return &coded{refusal, code}
}

// kindOf says what kind of refusal an error code is, or a status where there is
// none that is known.
func kindOf(status int, code, description string) error {
	switch {
	case status == http.StatusTooManyRequests, code == ErrorSlowDown:
		return token.ErrThrottled
	case status >= 500, code == ErrorServerError, code == ErrorTemporarilyUnavailable:
		return token.ErrUnavailable
	}
	switch code {
	case ErrorInvalidGrant, ErrorInvalidToken:
		for kind, word := range Reasons() {
			if description == word {
				return kind
			}
		}
		return token.ErrUnknown
	case ErrorExpiredToken:
		return token.ErrExpired
	case ErrorUnsupportedGrantType, ErrorUnsupportedResponseType, ErrorUnsupportedTokenType:
		return token.ErrUnsupported
	case "":
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return token.ErrUnsupported
		}
	}
	return token.ErrDenied
}

// toldBy is what an answer says of a refusal: in its body (RFC 6749 section 5.2),
// else as a challenge (RFC 6750 section 3).
func toldBy(r dialect.Reply) (code, description string) {
	if o, err := token.ParseObject(string(r.Body)); err == nil {
		code, _ = o.String("error")
		description, _ = o.String("error_description")
	}
	if code != "" || r.Status < 400 {
		return code, description
	}
	for _, challenge := range r.Header.Values("WWW-Authenticate") {
		if m := errorIn(challenge, "error"); m != "" {
			return m, errorIn(challenge, "error_description")
		}
	}
	return "", description
}

// errorIn reads a parameter of a challenge that is a quoted string (RFC 9110
// section 11.2); these hold neither quotes nor backslashes (RFC 6750 section 3).
func errorIn(challenge, name string) string {
	m := regexp.MustCompile(`(?i)[ ,]` + name + `="([^"\\]*)"`).FindStringSubmatch(challenge)
	if m == nil {
		return ""
	}
	return m[1]
}

// plain is a text of the service's if it is one short line, no page, and nothing
// that was sent, else empty.
func plain(text string, sent []string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most || strings.HasPrefix(text, "<") || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return ""
	}
	for _, secret := range sent {
		if strings.Contains(text, secret) {
			return ""
		}
	}
	return text
}

// retryAfter is when the service may be asked again; 0 when it does not say.
func retryAfter(r dialect.Reply) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// senseless is the error for an answer that the service should not have given.
func senseless(format string, args ...any) error {
	return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: "+format, args...)
}

// visible reports whether a text can stand in a header and on a line.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

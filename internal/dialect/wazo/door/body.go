package door

import (
	"bytes"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// body reads members of a JSON body, and keeps what was wrong first. Unknown members
// are nobody's business; null is what was not sent.
type body struct {
	object *token.Object
	wrong  error
}

// readBody takes JSON whatever a client calls it. Nothing is an empty object.
func readBody(c *call) (*body, error) {
	raw, err := dialect.ReadBody(c.w, c.Request)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return nil, refusal{status: http.StatusRequestEntityTooLarge, reason: "The body is larger than 64 KiB"}
	case err != nil:
		return nil, errInvalid("body", "it broke off")
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		raw = []byte("{}")
	}
	o, err := token.ParseObject(string(raw))
	if err != nil {
		return nil, errInvalid("body", "want a JSON object")
	}
	return &body{object: o}, nil
}

func (b *body) fail(name, why string) {
	if b.wrong == nil {
		b.wrong = errInvalid(name, why)
	}
}

// has reports whether a member was sent.
func (b *body) has(name string) bool {
	raw, ok := b.object.Member(name)
	return ok && raw != "null"
}

// text returns a string of up to so many characters; empty: none was sent.
func (b *body) text(name string, most int) string {
	if !b.has(name) {
		return ""
	}
	text, ok := b.object.String(name)
	switch {
	case !ok:
		b.fail(name, "want a string")
	case utf8.RuneCountInString(text) > most:
		b.fail(name, "it is too long")
	}
	return text
}

// texts returns a list of strings; nil: none was sent.
func (b *body) texts(name string) []string {
	if !b.has(name) {
		return nil
	}
	raw, _ := b.object.Member(name)
	list, ok := b.object.Strings(name)
	if !ok || raw[0] != '[' {
		b.fail(name, "want a list of strings")
	}
	return list
}

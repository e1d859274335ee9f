package door

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// body reads members of a JSON body and gathers what is wrong with them. Unknown
// members are nobody's business.
type body struct {
	object *token.Object
	wrong  awx.Fields
	// all wants every required field; else those that are missing stay as they are.
	all bool
}

func readRaw(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw, err := dialect.ReadBody(w, r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return nil, refusal{status: http.StatusRequestEntityTooLarge, detail: "The body is larger than 64 KiB."}
	case err != nil:
		return nil, errBad("The body broke off.")
	}
	return bytes.TrimSpace(raw), nil
}

// readBody takes JSON also where a client calls it a form, as curl does.
func readBody(v *visit, all bool) (*body, error) {
	raw, err := readRaw(v.w, v.r)
	if err != nil {
		return nil, err
	}
	if kind := v.r.Header.Get("Content-Type"); !isJSON(kind) && len(raw) > 0 && raw[0] != '{' {
		return nil, refusal{status: http.StatusUnsupportedMediaType, detail: fmt.Sprintf("Unsupported media type %q in request.", shorten(kind))}
	}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	o, err := token.ParseObject(string(raw))
	if err != nil {
		return nil, errBad("JSON parse error - not a JSON object")
	}
	return &body{object: o, wrong: awx.Fields{}, all: all}, nil
}

func isJSON(kind string) bool {
	media, _, _ := mime.ParseMediaType(kind)
	return media == "" || media == "application/json"
}

func (b *body) fail(name, message string) { b.wrong[name] = append(b.wrong[name], message) }

// err is what is wrong; nil: nothing.
func (b *body) err() error {
	if len(b.wrong) == 0 {
		return nil
	}
	return refusal{status: http.StatusBadRequest, fields: b.wrong}
}

// member is a member as it was sent; false: it was not.
func (b *body) member(name string, required bool) (string, bool) {
	text, ok := b.object.Member(name)
	if !ok && required && b.all {
		b.fail(name, awx.MessageRequired)
	}
	return text, ok
}

// text sets a string, without the blanks at its ends, of up to so many characters.
func (b *body) text(name string, to *string, required bool, most int) {
	raw, ok := b.member(name, required)
	if !ok {
		return
	}
	text, isText := b.object.String(name)
	text = strings.TrimSpace(text)
	switch {
	case raw == "null":
		b.fail(name, awx.MessageNull)
	case !isText:
		b.fail(name, "Not a valid string.")
	case required && text == "":
		b.fail(name, awx.MessageBlank)
	case strings.ContainsRune(text, 0):
		b.fail(name, "Null characters are not allowed.")
	case utf8.RuneCountInString(text) > most:
		b.fail(name, fmt.Sprintf("Ensure this field has no more than %d characters.", most))
	default:
		*to = text
	}
}

// choice sets one of the strings that there are.
func (b *body) choice(name string, to *string, choices []string) {
	raw, ok := b.member(name, true)
	if !ok {
		return
	}
	text, _ := b.object.String(name)
	switch {
	case raw == "null":
		b.fail(name, awx.MessageNull)
	case !slices.Contains(choices, text):
		b.fail(name, "Not a valid choice: want "+strings.Join(choices, ", ")+".")
	default:
		*to = text
	}
}

func (b *body) flag(name string, to *bool) {
	raw, ok := b.member(name, false)
	switch {
	case !ok:
	case raw == "null":
		b.fail(name, awx.MessageNull)
	case raw != "true" && raw != "false":
		b.fail(name, "Must be a valid boolean.")
	default:
		*to = raw == "true"
	}
}

// number returns a primary key; 0: none was sent, or null.
func (b *body) number(name string, required bool) int64 {
	raw, ok := b.member(name, required)
	if !ok || raw == "null" {
		if ok && required {
			b.fail(name, awx.MessageNull)
		}
		return 0
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && n < 1:
		b.unknown(name, raw)
	case err != nil:
		b.fail(name, "Incorrect type. Expected pk value.")
	}
	return max(n, 0)
}

// unknown says that there is nothing of that number, or nothing that the caller may
// see.
func (b *body) unknown(name, number string) {
	b.fail(name, fmt.Sprintf("Invalid pk %q - object does not exist.", shorten(number)))
}

// scope sets a scope.
func (b *body) scope(to *string) {
	if _, ok := b.member("scope", false); !ok {
		return
	}
	text, _ := b.object.String("scope")
	if !awx.IsScope(text) {
		b.fail("scope", awx.MessageScope)
		return
	}
	*to = strings.Join(strings.Fields(text), " ")
}

package door

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// body reads members of a request's body, JSON or a form, and remembers the first
// that is of the wrong type. Unknown members are nobody's business, and null is
// none.
type body struct {
	object *token.Object // nil: a form
	form   url.Values
	err    error
}

// readBody takes a body by what it looks like: some clients send JSON and call
// it a form.
func readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	raw, err := dialect.ReadBody(w, r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return nil, refusal{http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB"}
	case err != nil:
		return nil, refusal{message: "the body broke off"}
	}
	raw = bytes.TrimSpace(raw)
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if isForm && !bytes.HasPrefix(raw, []byte("{")) {
		return readForm(string(raw))
	}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	o, err := token.ParseObject(string(raw))
	if err != nil {
		return nil, refusal{message: "the body is not a JSON object"}
	}
	return &body{object: o}, nil
}

func readForm(text string) (*body, error) {
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, refusal{message: "the body cannot be read as application/x-www-form-urlencoded"}
	}
	return &body{form: form}, nil
}

// member is a member as it was sent; false: it was not.
func (b *body) member(name string) (string, bool) {
	if b.object == nil {
		list := b.form[name]
		if len(list) > 1 {
			b.wrong(name, "to stand there once")
		}
		return b.form.Get(name), len(list) > 0
	}
	text, ok := b.object.Member(name)
	return text, ok && text != "null"
}

// text is a string, empty where there is none.
func (b *body) text(name string) string {
	text, ok := b.member(name)
	if !ok {
		return ""
	}
	if b.object != nil {
		if text, ok = b.object.String(name); !ok {
			b.wrong(name, "a string")
		}
	}
	if !utf8.ValidString(text) {
		b.wrong(name, "UTF-8")
	}
	return text
}

// need is a string that must be there.
func (b *body) need(name string) string {
	text := b.text(name)
	if text == "" && b.err == nil {
		b.err = refusal{message: name + " is missing"}
	}
	return text
}

// flag is true or false; given tells whether it is there.
func (b *body) flag(name string) (value, given bool) {
	text, ok := b.member(name)
	if !ok || b.object == nil && text == "" {
		return false, false
	}
	if text != "true" && text != "false" {
		b.wrong(name, "true or false")
	}
	return text == "true", true
}

// minutes is a lifetime in seconds; 0: none.
func (b *body) minutes(name string) int64 {
	text, ok := b.member(name)
	if !ok || b.object == nil && text == "" {
		return 0
	}
	seconds, ok := ciphertrust.Seconds(text)
	if !ok {
		b.wrong(name, "a whole number of minutes")
	}
	return seconds
}

// Bounds of labels.
const (
	maxLabels = 32
	maxLabel  = 128 // bytes
)

// labels is a JSON array of strings; in a form they stand between commas.
func (b *body) labels() []string {
	const name = "labels"
	text, ok := b.member(name)
	if !ok {
		return nil
	}
	list := splitLabels(text)
	if b.object != nil {
		if list, ok = b.object.Strings(name); !ok || strings.HasPrefix(text, `"`) {
			b.wrong(name, "an array of strings")
			return nil
		}
	}
	if len(list) > maxLabels {
		b.wrong(name, fmt.Sprintf("at most %d of them", maxLabels))
	}
	if slices.ContainsFunc(list, isOddLabel) {
		b.wrong(name, fmt.Sprintf("1 to %d printable bytes each, without commas", maxLabel))
	}
	return list
}

func splitLabels(text string) []string {
	var list []string
	for label := range strings.SplitSeq(text, ",") {
		if label = strings.TrimSpace(label); label != "" {
			list = append(list, label)
		}
	}
	return list
}

func isOddLabel(label string) bool {
	return label == "" || len(label) > maxLabel || strings.Contains(label, ",") || strings.ContainsFunc(label, func(c rune) bool { return !unicode.IsPrint(c) })
}

// wrong says which member is not what it must be, without its value: it may be a
// password.
func (b *body) wrong(name, want string) {
	if b.err == nil {
		b.err = refusal{message: name + ": want " + want}
	}
}

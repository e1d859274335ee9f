package door

import (
	"bytes"
	"errors"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// body reads members of a request's body and remembers the first that is not what
// it must be. Unknown members are nobody's business, and null is none.
type body struct {
	object *token.Object // nil: a form
	form   url.Values
	err    error
}

// readJSON takes a JSON object, whatever the request calls it.
func readJSON(c *call) (*body, error) {
	raw, err := readRaw(c)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	o, err := token.ParseObject(string(raw))
	if err != nil {
		what := strings.TrimPrefix(err.Error(), "malformed token: ")
		return nil, bad("the body is not a JSON object that can be read: %s", clip(what))
	}
	return &body{object: o}, nil
}

// readEither takes a JSON object or a form.
func readEither(c *call) (*body, error) {
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return readJSON(c)
	}
	raw, err := readRaw(c)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, bad("the body cannot be read as application/x-www-form-urlencoded")
	}
	return &body{form: form}, nil
}

func readRaw(c *call) ([]byte, error) {
	raw, err := dialect.ReadBody(c.w, c.Request)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return nil, bad("the body is larger than 64 KiB")
	case err != nil:
		return nil, bad("the body broke off")
	}
	return bytes.TrimSpace(raw), nil
}

// member is a member as it was sent; false: it was not. Of a form, an empty one
// was not.
func (b *body) member(name string) (string, bool) {
	if b.object == nil {
		list := b.form[name]
		if len(list) > 1 {
			b.wrong(name, "to stand there once")
		}
		return b.form.Get(name), b.form.Get(name) != ""
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
			return ""
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
		b.err = bad("%s: it is missing", name)
	}
	return text
}

// needLabel is the name of a tenant or a site that must be there.
func (b *body) needLabel(name string) string {
	b.need(name)
	return b.label(name)
}

// label is the name of a tenant or a site; empty: there is none.
func (b *body) label(name string) string {
	_, given := b.member(name)
	text := b.text(name)
	if given && !isLabel(text) {
		b.wrong(name, "1 to 64 letters, digits and . - _")
	}
	return text
}

// needName is the name of a user or a service account, which must be there.
func (b *body) needName(name string) string {
	text := b.need(name)
	if len(text) > maxName || strings.ContainsFunc(text, unicode.IsControl) {
		b.wrong(name, "1 to 255 bytes without control characters")
	}
	return text
}

// flag is true or false, false where there is none.
func (b *body) flag(name string) bool {
	text, ok := b.member(name)
	if ok && text != "true" && text != "false" {
		b.wrong(name, "true or false")
	}
	return text == "true"
}

// seconds is a lifetime; 0: it is the tenant's, as it is where a number below
// that was sent.
func (b *body) seconds(name string) int64 {
	text, ok := b.member(name)
	if !ok {
		return 0
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	if strings.Trim(fraction, "0") != "" || digits == "" || strings.Trim(digits, "0123456789") != "" {
		b.wrong(name, "a whole number of seconds")
		return 0
	}
	if negative {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > maxSeconds {
		b.wrong(name, "at most "+strconv.Itoa(maxSeconds)+" seconds")
	}
	return n
}

// wrong says which member is not what it must be, without its value: it may be a
// password.
func (b *body) wrong(name, want string) {
	if b.err == nil {
		b.err = bad("%s: want %s", name, want)
	}
}

// Bounds of what is sent.
const (
	maxName    = 255             // bytes of a name
	maxLabel   = 64              // bytes of a tenant's or a site's
	maxSeconds = 200_000_000_000 // an exp beyond has more digits than a year
)

// isLabel tells what can be the name of a tenant or a site.
func isLabel(text string) bool {
	odd := func(c rune) bool {
		return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c)
	}
	return text != "" && len(text) <= maxLabel && !strings.ContainsFunc(text, odd)
}

// clip is a text that prints, and not all of it where it is long.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

package door

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
)

// maxForm is the largest form that is read, in bytes.
const maxForm = 16 << 10

// form is the parameters of a request. One without a value counts as left out,
// and none but those of repeatable may stand twice (RFC 6749 sections 3.1, 3.2).
type form map[string][]string

func (f form) get(name string) string {
	if len(f[name]) == 0 {
		return ""
	}
	return f[name][0]
}

// repeatable are the parameters that may stand more than once (RFC 8707 section
// 2, RFC 8693 section 2.1).
func repeatable() []string { return []string{"resource", "audience"} }

// parseForm takes parameters from an encoded text.
func parseForm(text string) (form, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, refuse(oauth2.ErrorInvalidRequest, "the parameters cannot be read as application/x-www-form-urlencoded")
	}
	f := form{}
	for name, list := range values {
		if !utf8.ValidString(name) || slices.ContainsFunc(list, func(v string) bool { return !utf8.ValidString(v) || strings.ContainsRune(v, 0) }) {
			return nil, refuse(oauth2.ErrorInvalidRequest, "the parameter "+show(name)+" is not UTF-8 text")
		}
		if len(list) > 1 && !slices.Contains(repeatable(), name) {
			return nil, refuse(oauth2.ErrorInvalidRequest, "the parameter "+show(name)+" stands there more than once")
		}
		list = slices.DeleteFunc(list, func(v string) bool { return v == "" })
		if len(list) > 0 {
			f[name] = list
		}
	}
	return f, nil
}

// show is a parameter's name in an error.
func show(name string) string {
	if len(name) > 40 {
		name = name[:40] + "..."
	}
	return printable(name)
}

// readForm takes the parameters of a POST from its body, and from nowhere else:
// a URL stands in logs (RFC 6749 section 2.3.1).
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.URL.RawQuery != "" {
		return nil, refuse(oauth2.ErrorInvalidRequest, "the parameters belong in the body, not in the URL")
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse(oauth2.ErrorInvalidRequest, "the body must be application/x-www-form-urlencoded")
	}
	return readBody(w, r)
}

func readBody(w http.ResponseWriter, r *http.Request) (form, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, refusal{status: http.StatusRequestEntityTooLarge, code: oauth2.ErrorInvalidRequest, description: "the body is larger than 16 KiB"}
	}
	if err != nil {
		return nil, refuse(oauth2.ErrorInvalidRequest, "the body broke off")
	}
	return parseForm(string(body))
}

// need returns a parameter that must be there.
func (f form) need(name string) (string, error) {
	if v := f.get(name); v != "" {
		return v, nil
	}
	return "", refuse(oauth2.ErrorInvalidRequest, "the parameter "+name+" is missing")
}

package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// tracer tells an exchange line by line, without its secrets.
type tracer struct {
	say    func(string) // nil: nobody listens
	open   bool         // shows secrets
	jwt    *regexp.Regexp
	hidden []string // what was sent and must not come back in an answer either
}

func newTracer(c Config) tracer {
	if c.Trace == nil {
		return tracer{}
	}
	return tracer{say: c.Trace, open: c.TraceSecrets, jwt: regexp.MustCompile(`(eyJ[\w-]+\.[\w-]+)\.[\w-]+`)}
}

// of knows the secrets of a message.
func (t tracer) of(m dialect.Message) tracer {
	if t.say == nil {
		return t
	}
	t.hide(m.Bearer.Reveal())
	t.hide(m.Secret.Reveal())
	t.hide(m.Token.Reveal())
	if _, encoded, ok := strings.Cut(m.Authorization(), " "); ok {
		t.hide(encoded)
	}
	for name, values := range m.Form {
		if secretName(name) {
			for _, value := range values {
				t.hide(value)
			}
		}
	}
	if v, ok := t.decode(m.JSON); ok {
		walk(v, func(value string) string { t.hide(value); return value }, func(value string) string { return value })
	}
	return t
}

// hide hides a secret, as an address spells it too. It leaves out what is so short
// that it stands in any line.
func (t *tracer) hide(secret string) {
	if len(secret) < 4 {
		return
	}
	for _, spelt := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
		if !slices.Contains(t.hidden, spelt) {
			t.hidden = append(t.hidden, spelt)
		}
	}
}

func (t tracer) request(m dialect.Message, base string) {
	if t.say == nil {
		return
	}
	address := m.URL(base)
	if !m.Token.IsZero() {
		address = t.scrub(address)
	}
	t.say("> " + m.Method + " " + address)
	if scheme, value, ok := strings.Cut(m.Authorization(), " "); ok {
		t.say("> Authorization: " + scheme + " " + t.mask(value))
	}
	t.header(">", m.Header)
	switch _, body, err := m.Body(); {
	case err != nil || len(body) == 0:
	case m.JSON != nil:
		t.say("> " + t.body(body))
	default:
		t.say("> " + t.form(m.Form))
	}
}

// form shows a form as it is sent, but for its secrets.
func (t tracer) form(form url.Values) string {
	if t.open {
		return form.Encode()
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			if secretName(name) {
				value = t.mask(value)
			} else {
				value = url.QueryEscape(t.scrub(value))
			}
			fields = append(fields, url.QueryEscape(name)+"="+value)
		}
	}
	return strings.Join(fields, "&")
}

func (t tracer) reply(r dialect.Reply, took time.Duration) {
	if t.say == nil {
		return
	}
	t.say(fmt.Sprintf("< %d %s (%s)", r.Status, http.StatusText(r.Status), took.Round(time.Millisecond)))
	t.header("<", r.Header)
	if len(r.Body) > 0 {
		t.say("< " + t.body(r.Body))
	}
}

func (t tracer) failure(err error) {
	if t.say != nil {
		t.say("< " + t.scrub(err.Error()))
	}
}

func (t tracer) header(arrow string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		value := strings.Join(h[name], ", ")
		if secretName(name) {
			value = t.mask(value)
		}
		t.say(fmt.Sprintf("%s %s: %q", arrow, name, t.scrub(value)))
	}
}

// body shows a JSON object with its secret members masked; of anything else
// only the size, since nobody knows what it holds.
func (t tracer) body(body []byte) string {
	if t.open {
		return fmt.Sprintf("%q", body)
	}
	if v, ok := t.decode(json.RawMessage(body)); ok {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if e.Encode(walk(v, t.mask, t.scrub)) == nil {
			return strings.TrimSuffix(line.String(), "\n")
		}
	}
	return fmt.Sprintf("(%d bytes)", len(body))
}

// decode gives the members of what is written as a JSON object, numbers digit
// for digit.
func (t tracer) decode(v any) (members map[string]any, ok bool) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return members, d.Decode(&members) == nil && members != nil
}

// walk replaces every text of a JSON value: by secret below a name that says
// so, by plain elsewhere, the names included.
func walk(v any, secret, plain func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, inner := range v {
			if secretName(name) {
				shown[plain(name)] = walk(inner, secret, secret)
			} else {
				shown[plain(name)] = walk(inner, secret, plain)
			}
		}
		return shown
	case []any:
		for i := range v {
			v[i] = walk(v[i], secret, plain)
		}
	case string:
		return plain(v)
	case json.Number:
		if s := plain(v.String()); s != v.String() {
			return s
		}
	}
	return v
}

// secretName reports a name below which a secret stands: by its words, unless it
// ends like one that tells about a secret, token_endpoint say.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, end := range []string{"_type", "_hint", "_endpoint", "_uri", "_supported", "-nonce", "_ttl", "_username", "_tenant_id"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	for _, word := range []string{"pass", "token", "secret", "jwt", "code", "assertion", "key", "credential", "authorization", "cookie", "dpop"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// scrub takes the signature from a JWT in a text, and what was sent.
func (t tracer) scrub(text string) string {
	if t.open {
		return text
	}
	text = t.jwt.ReplaceAllString(text, "$1.<signature>")
	for _, secret := range t.hidden {
		text = strings.ReplaceAll(text, secret, t.mask(secret))
	}
	return text
}

// mask shows a JWT without its signature and anything else redacted.
func (t tracer) mask(value string) string {
	if t.open {
		return value
	}
	if _, err := token.Decode(value); err == nil {
		return value[:strings.LastIndexByte(value, '.')] + ".<signature>"
	}
	return token.NewPassword(value).String()
}

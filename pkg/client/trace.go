package client

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// tracer tells an exchange line by line, without its secrets.
type tracer struct {
	say     func(string)
	secrets bool
}

func newTracer(c Config) tracer {
	if c.Trace == nil {
		c.Trace = func(string) {}
	}
	return tracer{c.Trace, c.TraceSecrets}
}

func (t tracer) request(m dialect.Message, base string) {
	t.say(fmt.Sprintf("> %s %s%s", m.Method, base, m.Path))
	if !m.Bearer.IsZero() {
		t.say("> Authorization: Bearer " + t.mask(m.Bearer.Reveal()))
	}
	t.header(">", m.Header)
	if m.JSON != nil {
		body, err := json.Marshal(m.JSON)
		if err == nil {
			t.say("> " + t.body(body))
		}
	}
}

func (t tracer) reply(r dialect.Reply, took time.Duration) {
	t.say(fmt.Sprintf("< %d %s (%s)", r.Status, http.StatusText(r.Status), took.Round(time.Millisecond)))
	t.header("<", r.Header)
	if len(r.Body) > 0 {
		t.say("< " + t.body(r.Body))
	}
}

func (t tracer) failure(err error) { t.say("< " + err.Error()) }

// quiet headers say nothing that helps, or hold secrets.
func (t tracer) header(arrow string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		value := strings.Join(h[name], ", ")
		if name == "Set-Cookie" || name == "Cookie" || name == "Authorization" {
			value = t.mask(value)
		}
		t.say(fmt.Sprintf("%s %s: %q", arrow, name, value))
	}
}

// body shows a JSON object with its secret members masked; of anything else
// only the size, since nobody knows what it holds.
func (t tracer) body(body []byte) string {
	if t.secrets {
		return fmt.Sprintf("%q", body)
	}
	var v map[string]any
	if json.Unmarshal(body, &v) != nil {
		return fmt.Sprintf("(%d bytes)", len(body))
	}
	shown, err := json.Marshal(t.maskMembers(v))
	if err != nil {
		return fmt.Sprintf("(%d bytes)", len(body))
	}
	return string(shown)
}

func (t tracer) maskMembers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if s, ok := inner.(string); ok && secretName(name) {
				v[name] = t.mask(s)
				continue
			}
			v[name] = t.maskMembers(inner)
		}
	case []any:
		for i := range v {
			v[i] = t.maskMembers(v[i])
		}
	case string:
		if strings.HasPrefix(v, "eyJ") {
			return t.mask(v)
		}
	}
	return v
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "token", "secret", "jwt", "code", "assertion", "key"} {
		if strings.Contains(name, word) && name != "token_type" {
			return true
		}
	}
	return false
}

// mask shows a JWT without its signature and anything else redacted.
func (t tracer) mask(value string) string {
	if t.secrets {
		return value
	}
	if _, err := token.Decode(value); err == nil {
		return value[:strings.LastIndexByte(value, '.')] + ".<signature>"
	}
	return token.NewPassword(value).String()
}

package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of a JSON object (RFC 8725 section 3 leaves them to the
// implementation).
const (
	MaxDepth   = 16  // arrays and objects within each other
	MaxMembers = 256 // members of all its objects together
)

// Object is a JSON object exactly as it was written: member names are compared
// byte for byte, numbers keep their digits. It is read-only and safe for
// concurrent use.
type Object struct {
	raw     string
	members []member
	inline  [12]member // room for a usual claim set without another allocation
}

// member is one member of the outermost object: where its name and value stand
// in raw.
type member struct {
	name  string // unescaped
	value string // the JSON text of the value
}

// ParseObject reads one JSON object. It refuses, as an ErrMalformed, what
// encoding/json lets pass: duplicate member names at any level, lone
// surrogates, invalid UTF-8, anything behind the object, and what exceeds
// MaxDepth or MaxMembers (RFC 8725 section 3.10, RFC 7493 section 2).
func ParseObject(text string) (*Object, error) {
	o := new(Object)
	if err := o.parse(text); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Object) parse(text string) error {
	o.raw, o.members = text, o.inline[:0]
	s := scanner{text: text}
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != '{' {
		return malformed("not a JSON object")
	}
	if err := s.object(1, &o.members); err != nil {
		return err
	}
	s.space()
	if s.at != len(s.text) {
		return malformed("text behind the JSON object, at offset %d", s.at)
	}
	return nil
}

func (o *Object) find(name string) (string, bool) {
	for i := range o.members {
		if o.members[i].name == name {
			return o.members[i].value, true
		}
	}
	return "", false
}

// Has reports whether there is a member of exactly that name.
func (o *Object) Has(name string) bool { _, ok := o.find(name); return ok }

// Raw returns the JSON text of a member, as written.
func (o *Object) Raw(name string) (json.RawMessage, bool) {
	v, ok := o.find(name)
	return json.RawMessage(v), ok
}

// Names returns the names of the members in the order in which they were written.
func (o *Object) Names() []string {
	names := make([]string, len(o.members))
	for i, m := range o.members {
		names[i] = m.name
	}
	return names
}

// String returns the value of a member that is a string; false when it is absent
// or something else.
func (o *Object) String(name string) (string, bool) {
	v, ok := o.find(name)
	if !ok || v[0] != '"' {
		return "", false
	}
	return unquote(v), true
}

// Strings returns the value of a member that is a string or an array of strings,
// aud say (RFC 7519 section 4.1.3); false when it is absent or something else.
func (o *Object) Strings(name string) ([]string, bool) {
	v, ok := o.find(name)
	if !ok {
		return nil, false
	}
	if v[0] == '"' {
		return []string{unquote(v)}, true
	}
	if v[0] != '[' {
		return nil, false
	}
	var list []*string
	if err := json.Unmarshal([]byte(v), &list); err != nil {
		return nil, false
	}
	values := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, false
		}
		values[i] = *s
	}
	return values, true
}

// Text returns the object as it was written.
func (o *Object) Text() string { return o.raw }

// MarshalJSON gives the object as one line: keys sorted at every level, numbers
// digit for digit.
func (o *Object) MarshalJSON() ([]byte, error) { return []byte(o.JSON()), nil }

// JSON is MarshalJSON as a string that is safe on a terminal: control and
// direction-changing characters are escaped.
func (o *Object) JSON() string {
	var v any
	d := json.NewDecoder(strings.NewReader(o.raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil { // cannot be: ParseObject is the stricter
		return "{}"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "{}"
	}
	return printable(strings.TrimSuffix(b.String(), "\n"))
}

// printable escapes what a terminal would act upon, as JSON does.
func printable(s string) string {
	unsafe := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	if !strings.ContainsFunc(s, unsafe) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unsafe(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// unquote gives the value of a JSON string that the scanner has passed.
func unquote(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal([]byte(quoted), &s); err != nil {
		return inner
	}
	return s
}

package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
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
	inline  [10]member // room for a usual claim set without another allocation
}

// member is where one member of an object stands in the text: its name between
// the quotes, its value.
type member struct {
	name, nameEnd   uint32
	value, valueEnd uint32
	escaped         bool // the name holds an escape
}

func (m *member) nameIn(text string) string {
	if m.escaped {
		return unquote(text[m.name-1 : m.nameEnd+1])
	}
	return text[m.name:m.nameEnd]
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
	if len(text) > math.MaxInt32 {
		return malformed("JSON of %d bytes", len(text))
	}
	o.raw, o.members = text, o.inline[:0]
	s := scanner{text: text}
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != '{' {
		return malformed("not a JSON object")
	}
	members, err := s.object(1, o.members)
	if err != nil {
		return err
	}
	o.members = members
	s.space()
	if s.at != len(s.text) {
		return malformed("text behind the JSON object, at offset %d", s.at)
	}
	return nil
}

func (o *Object) find(name string) (string, bool) {
	for i := range o.members {
		m := &o.members[i]
		if !m.escaped && o.raw[m.name:m.nameEnd] == name || m.escaped && m.nameIn(o.raw) == name {
			return o.raw[m.value:m.valueEnd], true
		}
	}
	return "", false
}

// Has reports whether there is a member of exactly that name.
func (o *Object) Has(name string) bool { _, ok := o.find(name); return ok }

// Member returns the JSON text of a member, as written, without copying it.
func (o *Object) Member(name string) (text string, ok bool) { return o.find(name) }

// Raw is Member for encoding/json.
func (o *Object) Raw(name string) (json.RawMessage, bool) {
	v, ok := o.find(name)
	return json.RawMessage(v), ok
}

// Names returns the names of the members in the order in which they were written.
func (o *Object) Names() []string {
	names := make([]string, len(o.members))
	for i := range o.members {
		names[i] = o.members[i].nameIn(o.raw)
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
	return stringsOf(v)
}

// stringsOf reads an array of strings.
func stringsOf(value string) ([]string, bool) {
	var list []*string
	if value[0] != '[' || json.Unmarshal([]byte(value), &list) != nil {
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
	return Printable(strings.TrimSuffix(b.String(), "\n"))
}

// Printable escapes, as JSON does, what a terminal would act upon in JSON text:
// control and direction-changing characters.
func Printable(s string) string {
	unsafe := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	plain := true // most text is ASCII
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain || !strings.ContainsFunc(s, unsafe) {
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

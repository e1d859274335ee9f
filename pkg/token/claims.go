package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a JSON object inside a token (RFC 8725 section 3 leaves them to
// the implementation).
const (
	MaxDepth   = 16  // arrays and objects within each other
	MaxMembers = 256 // members of all its objects together
)

// Claims is the claim set of a token (RFC 7519 section 4) as it was signed:
// member names are exact, numbers keep their digits. It is read-only and safe
// for concurrent use.
type Claims struct {
	raw     string
	members []member
	inline  [12]member // room for a usual claim set without another allocation
}

// member is one member of the outermost object: where its name and value stand
// in raw.
type member struct {
	name  string // as written, without quotes; unescaped
	value string // the JSON text of the value
}

// ParseClaims reads one JSON object. It refuses, as an ErrMalformed, what
// encoding/json lets pass: duplicate member names at any level, lone
// surrogates, invalid UTF-8, anything behind the object, and what exceeds
// MaxDepth or MaxMembers (RFC 8725 section 3.10, RFC 7493 section 2).
func ParseClaims(object string) (*Claims, error) {
	c := &Claims{raw: object}
	c.members = c.inline[:0]
	s := scanner{text: object}
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != '{' {
		return nil, malformed("not a JSON object")
	}
	if err := s.object(1, &c.members); err != nil {
		return nil, err
	}
	s.space()
	if s.at != len(s.text) {
		return nil, malformed("text behind the JSON object, at offset %d", s.at)
	}
	return c, nil
}

func (c *Claims) find(name string) (string, bool) {
	for i := range c.members {
		if c.members[i].name == name {
			return c.members[i].value, true
		}
	}
	return "", false
}

// Has reports whether there is a claim of exactly that name.
func (c *Claims) Has(name string) bool { _, ok := c.find(name); return ok }

// Raw returns the JSON text of a claim, as written.
func (c *Claims) Raw(name string) (json.RawMessage, bool) {
	v, ok := c.find(name)
	return json.RawMessage(v), ok
}

// Names returns the names of the claims in the order in which they were written.
func (c *Claims) Names() []string {
	names := make([]string, len(c.members))
	for i, m := range c.members {
		names[i] = m.name
	}
	return names
}

// String returns the value of a claim that is a string; false when it is absent
// or something else.
func (c *Claims) String(name string) (string, bool) {
	v, ok := c.find(name)
	if !ok || v[0] != '"' {
		return "", false
	}
	return unquote(v), true
}

func (c *Claims) text(name string) string { s, _ := c.String(name); return s }

// Issuer returns iss, empty when it is absent or no string.
func (c *Claims) Issuer() string { return c.text("iss") }

// Subject returns sub, empty when it is absent or no string.
func (c *Claims) Subject() string { return c.text("sub") }

// ID returns jti, or jwtid where a CipherTrust Manager issued the token; empty
// when both are absent or no strings.
func (c *Claims) ID() string {
	if id := c.text("jti"); id != "" {
		return id
	}
	return c.text("jwtid")
}

// Strings returns the value of a claim that is a string or an array of strings,
// aud say (RFC 7519 section 4.1.3); false when it is absent or something else.
func (c *Claims) Strings(name string) ([]string, bool) {
	v, ok := c.find(name)
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

// NumericDate returns a claim that is a time (RFC 7519 section 2), exp say, in
// microseconds since 1970-01-01 UTC, rounded down. present tells whether there
// is such a claim at all; err is a *ClaimError when it is not a number between
// the years -9999 and 9999.
func (c *Claims) NumericDate(name string) (microseconds int64, present bool, err error) {
	v, ok := c.find(name)
	if !ok {
		return 0, false, nil
	}
	us, ok := parseMicroseconds(v)
	if !ok {
		if len(v) > 40 {
			v = v[:40] + "…"
		}
		return 0, true, &ClaimError{Claim: name, Reason: printable(v) + " is not a time", Kind: ErrMalformed}
	}
	return us, true, nil
}

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// parseMicroseconds reads a JSON number as seconds and gives microseconds,
// exactly, without passing through a float.
func parseMicroseconds(number string) (int64, bool) {
	s, negative := strings.CutPrefix(number, "-")
	if s == "" || s[0] < '0' || s[0] > '9' || len(s) > 64 {
		return 0, false
	}
	exponent := 0
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		n, err := strconv.Atoi(s[e+1:])
		if err != nil || n > 64 || n < -64 {
			return 0, false
		}
		exponent, s = n, s[:e]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	point := len(whole) + exponent + 6 // digits before the point, in microseconds
	digits := whole + fraction
	var us int64
	rest := false
	for i := range len(digits) {
		if i >= point {
			rest = rest || digits[i] != '0'
			continue
		}
		us = us*10 + int64(digits[i]-'0')
		if us > (maxNumericDate+1)*1_000_000 {
			return 0, false
		}
	}
	for i := len(digits); i < point; i++ {
		us *= 10
		if us > (maxNumericDate+1)*1_000_000 {
			return 0, false
		}
	}
	if us > maxNumericDate*1_000_000+999_999 {
		return 0, false
	}
	if negative {
		us = -us
		if rest {
			us--
		}
	}
	return us, true
}

// Text returns the object as it was signed.
func (c *Claims) Text() string { return c.raw }

// MarshalJSON gives the claims as one line: keys sorted at every level, numbers
// digit for digit.
func (c *Claims) MarshalJSON() ([]byte, error) { return []byte(c.JSON()), nil }

// JSON is MarshalJSON as a string that is safe on a terminal: control and
// direction-changing characters are escaped.
func (c *Claims) JSON() string {
	var v any
	d := json.NewDecoder(strings.NewReader(c.raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil { // cannot be: ParseClaims is the stricter
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

// scanner judges JSON text (RFC 8259) without building values from it.
type scanner struct {
	text    string
	at      int
	members int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) broken(what string) error {
	return malformed("JSON: %s at offset %d", what, s.at)
}

// object scans an object whose opening brace is next and lists its members.
func (s *scanner) object(depth int, into *[]member) error {
	if depth > MaxDepth {
		return malformed("JSON: nested deeper than %d", MaxDepth)
	}
	s.at++
	s.space()
	if s.at < len(s.text) && s.text[s.at] == '}' {
		s.at++
		return nil
	}
	var names map[string]struct{} // only for large objects
	for {
		s.space()
		start := s.at
		if err := s.str(); err != nil {
			return err
		}
		name := unquote(s.text[start:s.at])
		if s.members++; s.members > MaxMembers {
			return malformed("JSON: more than %d members", MaxMembers)
		}
		if len(*into) >= 16 {
			if names == nil {
				names = make(map[string]struct{}, 2*len(*into))
				for _, m := range *into {
					names[m.name] = struct{}{}
				}
			}
			if _, twice := names[name]; twice {
				return malformed("JSON: member %s stands twice", strconv.Quote(name))
			}
			names[name] = struct{}{}
		} else {
			for i := range *into {
				if (*into)[i].name == name {
					return malformed("JSON: member %s stands twice", strconv.Quote(name))
				}
			}
		}
		s.space()
		if s.at >= len(s.text) || s.text[s.at] != ':' {
			return s.broken("no colon behind a name")
		}
		s.at++
		s.space()
		start = s.at
		if err := s.value(depth); err != nil {
			return err
		}
		*into = append(*into, member{name: name, value: s.text[start:s.at]})
		s.space()
		if s.at >= len(s.text) {
			return s.broken("the object does not end")
		}
		switch s.text[s.at] {
		case ',':
			s.at++
		case '}':
			s.at++
			return nil
		default:
			return s.broken("neither comma nor closing brace")
		}
	}
}

func (s *scanner) array(depth int) error {
	if depth > MaxDepth {
		return malformed("JSON: nested deeper than %d", MaxDepth)
	}
	s.at++
	s.space()
	if s.at < len(s.text) && s.text[s.at] == ']' {
		s.at++
		return nil
	}
	for {
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.at >= len(s.text) {
			return s.broken("the array does not end")
		}
		switch s.text[s.at] {
		case ',':
			s.at++
		case ']':
			s.at++
			return nil
		default:
			return s.broken("neither comma nor closing bracket")
		}
	}
}

func (s *scanner) value(depth int) error {
	if s.at >= len(s.text) {
		return s.broken("no value")
	}
	switch c := s.text[s.at]; {
	case c == '"':
		return s.str()
	case c == '{':
		var inner [8]member
		list := inner[:0]
		return s.object(depth+1, &list)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return nil
		}
	}
	return s.broken("no value")
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

func (s *scanner) number() error {
	if s.text[s.at] == '-' {
		s.at++
	}
	zero := s.at < len(s.text) && s.text[s.at] == '0'
	start := s.at
	if !s.digits() || zero && s.at > start+1 {
		return s.broken("not a number")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return s.broken("not a number")
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return s.broken("not a number")
		}
	}
	return nil
}

func (s *scanner) str() error {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return s.broken("no string")
	}
	s.at++
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.broken("a control character in a string")
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRuneInString(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				return s.broken("invalid UTF-8")
			}
			s.at += size
		}
	}
	return s.broken("the string does not end")
}

func (s *scanner) escape() error {
	if s.at+1 >= len(s.text) {
		return s.broken("the string does not end")
	}
	if s.text[s.at+1] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, s.text[s.at+1]) < 0 {
			return s.broken("an unknown escape")
		}
		s.at += 2
		return nil
	}
	r, ok := hex4(s.text[s.at:])
	if !ok {
		return s.broken("an unknown escape")
	}
	s.at += 6
	if r < 0xd800 || r > 0xdfff {
		return nil
	}
	low, ok := hex4(s.text[s.at:])
	if r > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
		return s.broken("a lone surrogate")
	}
	s.at += 6
	return nil
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

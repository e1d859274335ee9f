package token

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

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

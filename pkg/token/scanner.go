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
	for s.at < len(s.text) && s.text[s.at] <= ' ' {
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

// object scans an object whose opening brace is next and returns list with its
// members behind it.
func (s *scanner) object(depth int, list []member) ([]member, error) {
	if depth > MaxDepth {
		return nil, malformed("JSON: nested deeper than %d", MaxDepth)
	}
	s.at++
	s.space()
	if s.at < len(s.text) && s.text[s.at] == '}' {
		s.at++
		return list, nil
	}
	names := names{text: s.text}
	for {
		m, err := s.member(depth)
		if err == nil {
			err = names.add(list, &m)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		s.space()
		if s.at >= len(s.text) {
			return nil, s.broken("the object does not end")
		}
		switch s.text[s.at] {
		case ',':
			s.at++
		case '}':
			s.at++
			return list, nil
		default:
			return nil, s.broken("neither comma nor closing brace")
		}
	}
}

// member scans a name, a colon and a value.
func (s *scanner) member(depth int) (m member, err error) {
	s.space()
	start := s.at
	if m.escaped, err = s.str(); err != nil {
		return m, err
	}
	m.name, m.nameEnd = uint32(start+1), uint32(s.at-1)
	if s.members++; s.members > MaxMembers {
		return m, malformed("JSON: more than %d members", MaxMembers)
	}
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != ':' {
		return m, s.broken("no colon behind a name")
	}
	s.at++
	s.space()
	m.value = uint32(s.at)
	err = s.value(depth)
	m.valueEnd = uint32(s.at)
	return m, err
}

// names finds the names of one object that stand twice.
type names struct {
	text string
	mask uint64              // a bit for each name: most new ones have none yet
	all  map[string]struct{} // only for large objects
}

func (n *names) add(list []member, m *member) error {
	name := m.nameIn(n.text)
	bit := uint64(1) << (len(name) & 63)
	if len(name) > 0 {
		bit = 1 << ((uint(name[0])*7 + uint(name[len(name)-1])*3 + uint(len(name))) & 63)
	}
	twice := false
	if n.mask&bit != 0 {
		if n.all == nil && len(list) >= 16 {
			n.all = make(map[string]struct{}, 2*len(list))
			for i := range list {
				n.all[list[i].nameIn(n.text)] = struct{}{}
			}
		}
		if n.all != nil {
			_, twice = n.all[name]
		} else {
			for i := range list {
				twice = twice || list[i].nameIn(n.text) == name
			}
		}
	}
	if twice {
		return malformed("JSON: member %s stands twice", strconv.Quote(name))
	}
	n.mask |= bit
	if n.all != nil {
		n.all[name] = struct{}{}
	}
	return nil
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
		_, err := s.str()
		return err
	case c == '{':
		var inner [8]member
		_, err := s.object(depth+1, inner[:0])
		return err
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

// str scans a string and tells whether it holds an escape.
func (s *scanner) str() (escaped bool, err error) {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return false, s.broken("no string")
	}
	at := s.at + 1
	for {
		for at < len(s.text) && plain[s.text[at]] {
			at++
		}
		s.at = at
		if at >= len(s.text) {
			return escaped, s.broken("the string does not end")
		}
		switch c := s.text[at]; {
		case c == '"':
			s.at++
			return escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return escaped, err
			}
			at = s.at
		case c < ' ':
			return escaped, s.broken("a control character in a string")
		default:
			r, size := utf8.DecodeRuneInString(s.text[at:])
			if r == utf8.RuneError && size == 1 {
				return escaped, s.broken("invalid UTF-8")
			}
			at += size
		}
	}
}

// plain are the bytes of a string that are just themselves.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

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

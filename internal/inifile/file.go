package inifile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/ini.v1"
)

// Key is a key that a section may hold.
type Key struct {
	Name   string
	Secret bool // its value must not be shown, nor what may be a piece of it
	// Open makes Name the beginning of many keys, which end as they are written: with
	// 1 to 64 letters, digits and . - _
	Open bool
}

// is reports whether a key in lower case is this one.
func (k Key) is(name string) bool {
	end, begins := strings.CutPrefix(name, k.Name)
	return begins && (k.Open && isEnd(end) || !k.Open && end == "")
}

// written is the key as it counts: upper and lower case of a key are the same, as
// they are to the original client, but for an open end.
func (k Key) written(text, lower string) string {
	if k.Open && len(text) == len(lower) { // a letter beyond ASCII may have become one of it
		return k.Name + text[len(k.Name):]
	}
	return lower
}

// near are the keys that a mistyped one may have been meant to be.
func (k Key) near(mistyped string) []string {
	if !k.Open {
		return []string{k.Name}
	}
	var list []string
	for i, r := range mistyped {
		if end := mistyped[i+len(string(r)):]; r == '_' && isEnd(end) {
			list = append(list, k.Name+end)
		}
	}
	return list
}

func isEnd(text string) bool {
	odd := func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, odd)
}

// Schema says what a file may hold.
type Schema struct {
	// Keys returns the keys of a section: none for one that is not known, an
	// error for one whose name breaks a rule.
	Keys func(section string) ([]Key, error)
	// Sections are named when a section is mistyped.
	Sections []string
	// Called is what goes by another name in the file, "server_url in [session]" for
	// url say; empty: nothing does. Default: nothing.
	Called func(section, key string) string
}

func find(keys []Key, name string) (Key, bool) {
	for _, open := range []bool{false, true} {
		if i := slices.IndexFunc(keys, func(k Key) bool { return k.Open == open && k.is(name) }); i >= 0 {
			return keys[i], true
		}
	}
	return Key{}, false
}

// File is an ini file that holds nothing but known keys. The zero File is none.
type File struct {
	Name     string   // as it is shown
	order    []string // of the sections
	sections map[string]map[string]string
}

// Parse reads an ini file. Values survive byte for byte, apart from blanks
// around them: there is no inline comment, continuation, quoting or
// interpolation. Lines whose first character is # or ; are comments. What the
// schema does not know, or stands twice, is an *Error naming file and line; no
// error holds a piece of a secret.
func Parse(name string, data []byte, schema Schema) (File, error) {
	s := scanner{file: name, schema: schema, lines: make(map[string]int)}
	if err := s.scan(data); err != nil {
		return File{}, err
	}
	f, err := ini.LoadSources(ini.LoadOptions{
		IgnoreInlineComment:     true,
		IgnoreContinuation:      true,
		PreserveSurroundedQuote: true,
		KeyValueDelimiters:      "=",
	}, s.out.Bytes())
	if err != nil { // its text would quote the line
		return File{}, &Error{Problem: ShowName(name) + ": cannot be read as an ini file"}
	}
	d := File{Name: name, sections: make(map[string]map[string]string)}
	for _, section := range f.Sections() {
		// KeysHash gives what was written; Key would look in other sections
		// for a name with dots, and String would interpolate %(name)s.
		d.order = append(d.order, section.Name())
		d.sections[section.Name()] = section.KeysHash()
	}
	return d, nil
}

// Value returns what a section says for a key; false when it does not.
func (f File) Value(section, key string) (string, bool) {
	text, ok := f.sections[section][key]
	return text, ok
}

// Sections returns the names of the sections, sorted.
func (f File) Sections() []string { return slices.Sorted(maps.Keys(f.sections)) }

// Order returns the names of the sections as they come in the file.
func (f File) Order() []string { return slices.Clone(f.order) }

// Keys returns the keys that a section gives, sorted.
func (f File) Keys(section string) []string { return slices.Sorted(maps.Keys(f.sections[section])) }

// Holds reports whether any section gives the key a value.
func (f File) Holds(key string) bool {
	for _, section := range f.sections {
		if section[key] != "" {
			return true
		}
	}
	return false
}

// scanner goes before ini.v1: it refuses, with its line, what the library would
// take silently (unknown and repeated keys, text after a section's name) or
// would print in its error (a line that may be part of a secret), and it
// rewrites every value between backquotes, the one spelling that the library
// leaves alone whatever stands inside: by itself it reads `x`y as x, and takes
// a value that begins with a backquote or """ to run on over further lines.
type scanner struct {
	file    string
	schema  Schema
	number  int            // of the line, from 1
	section string         // that the line stands in
	keys    []Key          // that the section takes
	lines   map[string]int // where a key of a section was given
	secret  bool           // the line before this one gave a secret
	out     bytes.Buffer
}

// blanks are what is trimmed from lines and values.
const blanks = " \t\r\v\f"

// scan goes through the file.
func (s *scanner) scan(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return &Error{Problem: ShowName(s.file) + " is UTF-16 text, it must be UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range strings.SplitSeq(string(data), "\n") {
		s.number++
		if err := s.line(strings.Trim(line, blanks)); err != nil {
			return err
		}
	}
	return nil
}

// line takes one trimmed line.
func (s *scanner) line(text string) error {
	switch {
	case text == "" || text[0] == '#' || text[0] == ';':
		return nil
	case text[0] == '[':
		return s.header(text)
	}
	return s.pair(text)
}

// header takes [SECTION], with or without a comment behind it.
func (s *scanner) header(text string) error {
	name, rest, closed := strings.Cut(text[1:], "]")
	rest = strings.Trim(rest, blanks)
	if !closed || (rest != "" && rest[0] != '#' && rest[0] != ';') {
		return s.errorf("a section is [NAME] and nothing else")
	}
	name = strings.Join(strings.Fields(name), " ")
	keys, err := s.schema.Keys(name)
	switch {
	case err != nil:
		return s.errorf("%v", err)
	case len(keys) == 0:
		return s.unknownSection(name)
	}
	s.section, s.keys, s.secret = name, keys, false
	fmt.Fprintf(&s.out, "[%s]\n", name)
	return nil
}

// pair takes KEY = VALUE or KEY: VALUE.
func (s *scanner) pair(text string) error {
	at := strings.IndexAny(text, "=:")
	if at < 1 {
		return s.errorf("neither [SECTION] nor KEY = VALUE")
	}
	written := strings.Trim(text[:at], blanks)
	key := strings.ToLower(written)
	if s.section == "" {
		return s.errorf("%s stands before any [SECTION]", s.keyText(key))
	}
	row, known := find(s.keys, key)
	if !known {
		return s.unknownKey(key)
	}
	key = row.written(written, key)
	place := s.section + "\n" + key
	if first, again := s.lines[place]; again {
		return s.errorf("%s is given again, it stands in line %d", key, first)
	}
	s.lines[place], s.secret = s.number, row.Secret
	fmt.Fprintf(&s.out, "%s = `%s`\n", key, strings.Trim(text[at+1:], blanks))
	return nil
}

// unknownSection names the section where that is safe.
func (s *scanner) unknownSection(name string) error {
	if s.secret || !isName(name) {
		return s.errorf("unknown section")
	}
	return s.errorf("unknown section [%s]%s", name, DidYouMean(name, s.schema.Sections))
}

// unknownKey names the key where that is safe, and where it belongs.
func (s *scanner) unknownKey(key string) error {
	problem := fmt.Sprintf("unknown %s in [%s]", s.keyText(key), s.section)
	for _, other := range s.schema.Sections {
		keys, _ := s.schema.Keys(other)
		if _, known := find(keys, key); known {
			return s.errorf("%s, it belongs in [%s]", problem, other)
		}
	}
	if s.schema.Called != nil {
		if name := s.schema.Called(s.section, key); name != "" {
			err := s.errorf("%s", problem)
			err.Hint = "it is called " + name
			return err
		}
	}
	var names []string
	for _, k := range s.keys {
		if !k.Open || !s.secret && isName(key) { // what is near an open one has a piece of it
			names = append(names, k.near(key)...)
		}
	}
	return s.errorf("%s%s", problem, DidYouMean(key, names))
}

// isName reports whether a text is too short and plain to be more than a name.
func isName(text string) bool { return len(text) <= 32 && IsPlain(text) }

// IsPlain reports whether a text begins with a letter or digit and goes on with
// those, dots, dashes, underscores and blanks.
func IsPlain(text string) bool {
	odd := func(r rune) bool {
		return r > '~' || !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._- ", r))
	}
	return text != "" && !strings.ContainsRune("._- ", rune(text[0])) && !strings.ContainsFunc(text, odd)
}

// keyText names a key, unless it may be a piece of a secret: the line after a
// secret is often the rest of it, and anything long or odd may be one.
func (s *scanner) keyText(key string) string {
	if s.secret || !isName(key) {
		return "key"
	}
	return fmt.Sprintf("key %q", key)
}

// errorf is an *Error with file and line.
func (s *scanner) errorf(format string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf("%s:%d: ", ShowName(s.file), s.number) + fmt.Sprintf(format, args...)}
}

package profile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/ini.v1"
)

// profilePrefix begins the sections that override the others.
const profilePrefix = "profile "

// document is an ini file that holds nothing but known keys. The zero document
// is no file.
type document struct {
	name     string // as it is shown
	dir      string // that relative names in it start from
	sections map[string]map[string]string
}

// parseDocument reads an ini file. Values survive byte for byte, apart from
// blanks around them: there is no inline comment, continuation, quoting or
// interpolation. Lines whose first character is # or ; are comments.
func parseDocument(name string, data []byte) (document, error) {
	s := scanner{file: name, lines: make(map[string]int)}
	if err := s.scan(data); err != nil {
		return document{}, err
	}
	f, err := ini.LoadSources(ini.LoadOptions{
		IgnoreInlineComment:     true,
		IgnoreContinuation:      true,
		PreserveSurroundedQuote: true,
		KeyValueDelimiters:      "=",
	}, s.out.Bytes())
	if err != nil { // its text would quote the line
		return document{}, &Error{Problem: showName(name) + ": cannot be read as an ini file"}
	}
	d := document{name: name, sections: make(map[string]map[string]string)}
	for _, section := range f.Sections() {
		// KeysHash gives what was written; Key would look in other sections
		// for a name with dots, and String would interpolate %(name)s.
		d.sections[section.Name()] = section.KeysHash()
	}
	return d, nil
}

// profiles lists the names that have a section.
func (d document) profiles() []string {
	var names []string
	for _, section := range slices.Sorted(maps.Keys(d.sections)) {
		if name, ok := strings.CutPrefix(section, profilePrefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// holds reports whether any section gives the key a value.
func (d document) holds(key string) bool {
	for _, section := range d.sections {
		if section[key] != "" {
			return true
		}
	}
	return false
}

// holdsSecret reports whether any section gives a secret a value.
func (d document) holdsSecret() bool {
	return slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Secret && d.holds(s.Key) })
}

// scanner goes before ini.v1: it refuses, with its line, what the library would
// take silently (unknown and repeated keys, text after a section's name) or
// would print in its error (a line that may be part of a secret), and it
// rewrites every value between backquotes, the one spelling that the library
// leaves alone whatever stands inside: by itself it reads `x`y as x, and takes
// a value that begins with a backquote or """ to run on over further lines.
type scanner struct {
	file    string
	number  int                // of the line, from 1
	section string             // that the line stands in
	rows    map[string]Setting // that the section takes, by key
	lines   map[string]int     // where a key of a section was given
	secret  bool               // the line before this one gave a secret
	out     bytes.Buffer
}

// blanks are what is trimmed from lines and values.
const blanks = " \t\r\v\f"

// scan goes through the file.
func (s *scanner) scan(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return &Error{Problem: showName(s.file) + " is UTF-16 text, it must be UTF-8"}
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
	if p, ok := strings.CutPrefix(name, profilePrefix); ok && !isProfileName(p) {
		return s.errorf(profileNameRule)
	}
	rows := settingsOf(name)
	if rows == nil {
		return s.unknownSection(name)
	}
	s.section, s.rows, s.secret = name, rows, false
	fmt.Fprintf(&s.out, "[%s]\n", name)
	return nil
}

// pair takes KEY = VALUE or KEY: VALUE. Upper and lower case of a key are the
// same, as they are to the original client.
func (s *scanner) pair(text string) error {
	at := strings.IndexAny(text, "=:")
	if at < 1 {
		return s.errorf("neither [SECTION] nor KEY = VALUE")
	}
	key := strings.ToLower(strings.Trim(text[:at], blanks))
	if s.section == "" {
		return s.errorf("%s stands before any [SECTION]", s.keyText(key))
	}
	row, known := s.rows[key]
	if !known {
		return s.unknownKey(key)
	}
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
	return s.errorf("unknown section [%s]%s", name, didYouMean(name, []string{"session", "client", "profile NAME"}))
}

// unknownKey names the key where that is safe, and where it belongs.
func (s *scanner) unknownKey(key string) error {
	problem := fmt.Sprintf("unknown %s in [%s]", s.keyText(key), s.section)
	for _, other := range []string{"session", "client"} {
		if _, known := settingsOf(other)[key]; known {
			return s.errorf("%s, it belongs in [%s]", problem, other)
		}
	}
	return s.errorf("%s%s", problem, didYouMean(key, slices.Sorted(maps.Keys(s.rows))))
}

// isName reports whether a text is too short and plain to be more than a name.
func isName(text string) bool { return len(text) <= 32 && isPlain(text) }

// isPlain reports whether a text begins with a letter or digit and goes on with
// those, dots, dashes, underscores and blanks.
func isPlain(text string) bool {
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
func (s *scanner) errorf(format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf("%s:%d: ", showName(s.file), s.number) + fmt.Sprintf(format, args...)}
}

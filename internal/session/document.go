package session

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// document is the file by its lines: KEY: VALUE at the margin, comments, and
// what is indented below the keys of others. That is the part of YAML in which
// it is certain where each value begins and ends, so that one line can be
// changed and all others left as they are, byte for byte. Whatever could be
// read otherwise is refused. A library for the whole of YAML would be set up at
// every start of the program, which takes longer than all the rest.
type document struct {
	name    string // as it is shown
	mark    string // the byte order mark, or nothing
	lines   []string
	end     string // of a line: \n or \r\n
	entries map[string]entry
	prefix  string // of the shared keys; empty: there is none
	foreign bool   // a line is not ours, nor blank
}

// entry is one KEY: VALUE of ours.
type entry struct {
	line int // from 0
	scalar
}

// damage is an ErrDamaged with file and line, from 1.
func (d *document) damage(line int, format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf("%s:%d: ", d.name, line) + fmt.Sprintf(format, args...), Cause: ErrDamaged}
}

// parse reads a file. What is damaged, in the whole of it, is an ErrDamaged
// that names file and line.
func parse(name string, data []byte) (*document, error) {
	d := &document{name: name, end: "\n", entries: make(map[string]entry)}
	if len(data) > maxFile {
		return nil, d.damage(1+strings.Count(string(data[:maxFile]), "\n"), "the file is longer than %d bytes", maxFile)
	}
	if err := d.checkText(data); err != nil {
		return nil, err
	}
	text, marked := strings.CutPrefix(string(data), "\ufeff")
	if marked {
		d.mark = "\ufeff"
	}
	if text != "" {
		d.lines = strings.SplitAfter(text, "\n")
		d.lines = slices.DeleteFunc(d.lines, func(s string) bool { return s == "" })
		if strings.HasSuffix(d.lines[0], "\r\n") {
			d.end = "\r\n"
		}
	}
	if err := d.checkVersion(); err != nil {
		return nil, err
	}
	r := reader{document: d, fields: fields(), seen: make(map[string]int)}
	for r.number = range d.lines {
		if err := r.line(strings.TrimRight(d.lines[r.number], "\r\n")); err != nil {
			return nil, err
		}
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	return d, nil
}

// checkText refuses what is no text, and what some take for the end of a line.
func (d *document) checkText(data []byte) error {
	line := 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r >= ' ' && r <= '~':
		case r == '\n':
			line++
		case r == '\ufeff' && i == 0, r == '\t':
		case r == '\r' && i+1 < len(data) && data[i+1] == '\n':
		case r == utf8.RuneError && size == 1:
			return d.damage(line, "not UTF-8 text")
		case unicode.IsControl(r) || strings.ContainsRune("\u2028\u2029\ufeff\ufffe\uffff", r):
			return d.damage(line, "a control character")
		}
		i += size
	}
	return nil
}

// checkVersion refuses a file of a later version before anything in it can seem
// to be damage.
func (d *document) checkVersion() error {
	for i, line := range d.lines {
		text, found := strings.CutPrefix(line, versionKey+":")
		if !found {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(text))
		switch {
		case err != nil || n < 1:
			return d.damage(i+1, "%s is no number from 1 on", versionKey)
		case n > version:
			return &Error{Problem: fmt.Sprintf("%s:%d: the file is of version %d, this program knows version %d", d.name, i+1, n, version), Cause: ErrNewer}
		}
	}
	return nil
}

// reader goes through the lines.
type reader struct {
	*document
	fields []field
	number int            // of the line, from 0
	seen   map[string]int // where a key was given, from 1
	begun  bool           // a key or --- was met
	nest   nest           // what may stand indented below the last key
	open   bool           // the last key had no value: a list may follow at the margin
}

// nest is what an indented line may hold.
type nest int

const (
	nothing nest = iota
	plainly      // text that opens no quote and no bracket
	anything
)

// line takes one line without its end.
func (r *reader) line(text string) error {
	bare := strings.TrimLeft(text, blank)
	switch {
	case bare == "":
		return nil
	case len(bare) < len(text):
		return r.indented(text, bare)
	case text[0] == '#':
		r.foreign = true
		r.nest = min(r.nest, plainly) // it ends a block of text
		return nil
	case text == "-" || strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "-\t"):
		if r.open {
			return r.below(text[1:])
		}
		return r.fail("a list, where KEY: VALUE is expected")
	case text == "---" && !r.begun:
		r.begun, r.foreign = true, true
		return nil
	case strings.HasPrefix(text, "---") || strings.HasPrefix(text, "..."):
		return r.fail("a second document")
	}
	return r.pair(text)
}

func (r *reader) fail(format string, args ...any) error {
	return r.damage(r.number+1, format, args...)
}

// indented takes a line that belongs to the key above.
func (r *reader) indented(text, bare string) error {
	margin := text[:len(text)-len(bare)]
	switch {
	case r.nest == anything && text[0] == ' ':
		return nil
	case bare[0] == '#':
		r.foreign = true
		return nil
	case strings.Contains(margin, "\t"):
		return r.fail("a tab cannot indent")
	case r.nest == nothing:
		return r.fail("an indented line, where KEY: VALUE is expected")
	}
	return r.below(bare)
}

// below refuses what could go on in the next line, whatever that holds.
func (r *reader) below(text string) error {
	if strings.ContainsAny(text, "\"'[]{}|>&*!%@`\t") {
		return r.fail("a quote, bracket or sign below a key")
	}
	return nil
}

// pair takes KEY: VALUE.
func (r *reader) pair(text string) error {
	r.begun = true
	key, err := keyOf(text)
	if err != nil {
		return r.fail("%v", err)
	}
	value, err := scan(text, len(key)+len(":"))
	if err != nil {
		return r.fail("%v", err)
	}
	name := strings.ToUpper(strings.TrimRight(key, blank)) // to ksctl a and A are the same key
	if first, again := r.seen[name]; again {
		return r.fail("%s is given again, it stands in line %d", name, first)
	}
	r.seen[name] = r.number + 1
	if !r.isOurs(name) {
		r.foreign, r.nest, r.open = true, plainly, value.start == value.end
		if value.block {
			r.nest = anything
		}
		return nil
	}
	return r.ours(name, value)
}

// keyOf returns what stands before the colon.
func keyOf(text string) (string, error) {
	end := strings.IndexByte(text, ':')
	for end >= 0 && end+1 < len(text) && !strings.ContainsRune(blank, rune(text[end+1])) {
		next := strings.IndexByte(text[end+1:], ':')
		if next < 0 {
			end = -1
			break
		}
		end += 1 + next
	}
	if end < 1 || end > 128 {
		return "", errors.New("neither KEY: VALUE nor a comment")
	}
	odd := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_-./: \t", c)
	}
	if strings.ContainsAny(text[:1], "-./: ") || strings.ContainsFunc(text[:end], odd) {
		return "", errors.New("a key of other signs than letters, digits, dots, dashes, underscores")
	}
	return text[:end], nil
}

// isOurs reports whether a key is one of a login.
func (r *reader) isOurs(name string) bool {
	for _, f := range r.fields {
		rest, own := strings.CutPrefix(name, prefixOwn)
		if !own {
			rest, own = strings.CutPrefix(name, prefixKsctl)
			own = own && f.shared
		}
		if own && rest == f.name {
			return true
		}
	}
	return false
}

// ours takes a key of a login.
func (r *reader) ours(name string, value scalar) error {
	r.nest, r.open = nothing, false
	if value.block || value.flow {
		return r.fail("the value of %s must be one text in its line", name)
	}
	r.entries[name] = entry{r.number, value}
	return nil
}

// finish settles the prefix, and tries each value.
func (r *reader) finish() error {
	var scrap Login
	for _, f := range r.fields {
		for _, prefix := range []string{prefixKsctl, prefixOwn} {
			e, ok := r.entries[prefix+f.name]
			if !ok {
				continue
			}
			if err := f.set(&scrap, e.value); err != nil {
				return r.damage(e.line+1, "%s is %v", prefix+f.name, err)
			}
			if f.shared && r.prefix != "" && r.prefix != prefix {
				return r.damage(e.line+1, "%s beside keys that begin with %s", prefix+f.name, r.prefix)
			}
			if f.shared {
				r.prefix = prefix
			}
		}
	}
	return nil
}

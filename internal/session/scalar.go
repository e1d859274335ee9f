package session

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// blank is what may stand between the words of a line.
const blank = " \t"

// scalar is a value as it stands in a line.
type scalar struct {
	value      string
	start, end int  // where it stands; alike where there is none
	block      bool // text in the following, indented lines
	flow       bool // a list or map between brackets
}

// Errors about values. None quotes the value, which may be a secret.
var (
	errSign    = errors.New("a value that begins with a sign must be quoted")
	errQuote   = errors.New("a quoted value must end in its line")
	errBehind  = errors.New("only a comment may follow a quoted value")
	errPlain   = errors.New(`a value with ": " in it must be quoted`)
	errEscape  = errors.New(`an escape that is not known in a value in "..."`)
	errBracket = errors.New("a list or map between brackets must end in its line, without quotes and comments")
)

// scan reads the value that stands in a line from an offset on: plain, quoted
// either way, or none.
func scan(line string, from int) (scalar, error) {
	rest := strings.TrimLeft(line[from:], blank)
	start := len(line) - len(rest)
	if rest == "" || rest[0] == '#' && start > from {
		return scalar{start: from, end: from}, nil
	}
	s := scalar{start: start}
	var err error
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		err = s.quoted(rest)
	case c == '|' || c == '>':
		s.block, s.end = true, len(line)
		err = blockHeader(rest)
	case c == '[' || c == '{':
		s.flow, s.end = true, len(line)
		err = brackets(rest)
	case strings.ContainsRune("&*!%@`,]}#", rune(c)):
		err = errSign
	case strings.ContainsRune("-?:", rune(c)) && (len(rest) == 1 || strings.ContainsRune(blank, rune(rest[1]))):
		err = errSign
	default:
		err = s.plain(rest)
	}
	return s, err
}

// plain takes what stands up to a comment.
func (s *scalar) plain(rest string) error {
	end := len(rest)
	for i := 1; i < len(rest); i++ {
		if rest[i] == '#' && strings.IndexByte(blank, rest[i-1]) >= 0 {
			end = i
			break
		}
	}
	text := strings.TrimRight(rest[:end], blank)
	if strings.Contains(text, ": ") || strings.Contains(text, ":\t") || strings.HasSuffix(text, ":") {
		return errPlain
	}
	s.end = s.start + len(text)
	switch text {
	case "~", "null", "Null", "NULL":
		text = ""
	}
	s.value = text
	return nil
}

// quoted takes what stands between quotes.
func (s *scalar) quoted(rest string) error {
	var size int
	var err error
	if rest[0] == '"' {
		s.value, size, err = double(rest)
	} else {
		s.value, size, err = single(rest)
	}
	if err != nil {
		return err
	}
	s.end = s.start + size
	behind := strings.TrimLeft(rest[size:], blank)
	if behind != "" && (behind[0] != '#' || len(behind) == len(rest[size:])) {
		return errBehind
	}
	return nil
}

// single reads '...', in which ” stands for one quote.
func single(text string) (value string, size int, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '\'':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return b.String(), i + 1, nil
		}
	}
	return "", 0, errQuote
}

// double reads "..." with its escapes.
func double(text string) (value string, size int, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			r, width, err := escape(text[i+1:])
			if err != nil {
				return "", 0, err
			}
			b.WriteRune(r)
			i += width
		default:
			b.WriteByte(text[i])
		}
	}
	return "", 0, errQuote
}

// escape reads what follows a backslash (YAML 1.2 section 5.7).
func escape(text string) (r rune, width int, err error) {
	if text == "" {
		return 0, 0, errQuote
	}
	const letters, means = `0abtnvfre "/\`, "\x00\a\b\t\n\v\f\r\x1b \"/\\"
	if i := strings.IndexByte(letters, text[0]); i >= 0 {
		return rune(means[i]), 1, nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[0]]
	if digits == 0 || len(text) <= digits {
		return 0, 0, errEscape
	}
	n, err := strconv.ParseUint(text[1:1+digits], 16, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, 0, errEscape
	}
	return rune(n), 1 + digits, nil
}

// blockHeader takes | or > with its signs, and no more.
func blockHeader(text string) error {
	if len(text) > 3 || strings.Trim(text[1:], "+-123456789") != "" {
		return errSign
	}
	return nil
}

// brackets takes [...] and {...} that are as long as the line.
func brackets(text string) error {
	text = strings.TrimRight(text, blank)
	depth := 0
	for i, c := range text {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '"', '\'', '#', '&', '*', '!', '%', '@', '`', '|', '>':
			return errBracket
		}
		if depth == 0 && i < len(text)-1 {
			return errBracket
		}
	}
	if depth != 0 {
		return errBracket
	}
	return nil
}

// quote writes a value so that every reader of YAML, 1.1 or 1.2, takes it for
// the same text.
func quote(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errors.New("is no UTF-8 text")
	}
	if isPlain(value) {
		return value, nil
	}
	return strconv.Quote(value), nil // each escape of Go means the same in YAML
}

// isPlain reports whether a value needs no quotes: letters, digits and a few
// signs that cannot be read as a number, a time, a truth or nothing.
func isPlain(value string) bool {
	const signs = "._~/:@+-="
	odd := func(r rune) bool {
		return !isLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune(signs, r)
	}
	if value == "" || strings.ContainsFunc(value, odd) || value[len(value)-1] == ':' {
		return false
	}
	if first := value[0]; first >= '0' && first <= '9' {
		// 0x1f, 1e9, 2001-12-14t21:59:43z and the like have none of these.
		return strings.ContainsAny(strings.ToLower(value), "ghijklmnpqrsuvwy")
	}
	return (isLetter(rune(value[0])) || value[0] == '/') && !isWord(value)
}

func isLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

// isWord reports whether a text means something in YAML by itself.
func isWord(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return true
	}
	return false
}

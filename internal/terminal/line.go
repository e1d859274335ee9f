package terminal

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// keys are the terminal's own editing characters.
type keys struct {
	erase, word, kill, end, literal byte
}

// line is what was typed so far. It edits as a terminal does, which has to be
// done here: in the mode in which the terminal does it a line ends, or is cut,
// at 4096 bytes (1024 on some systems).
type line struct {
	keys
	text   []byte
	quoted bool // the character before was the one that makes the next literal
}

// add takes one byte and reports whether the line is complete.
func (l *line) add(b byte) (done bool, err error) {
	switch {
	case l.quoted:
		l.quoted = false
	case b == '\n' || b == '\r':
		return true, nil
	case b == 0: // a terminal's "no such key", which no key sends
		return false, nil
	case b == l.end:
		if len(l.text) == 0 {
			return false, io.EOF
		}
		return false, nil
	case l.edit(b):
		return false, nil
	}
	l.text = append(l.text, b)
	if len(l.text) > maxPassword {
		return false, ErrTooLong
	}
	return false, nil
}

// edit reports whether the byte was an editing character, and obeys it.
func (l *line) edit(b byte) bool {
	switch b {
	case l.erase, '\b', 0x7f:
		_, size := utf8.DecodeLastRune(l.text)
		l.cut(len(l.text) - size)
	case l.word:
		l.cut(bytes.LastIndexByte(bytes.TrimRight(l.text, " \t"), ' ') + 1)
	case l.kill:
		l.cut(0)
	case l.literal:
		l.quoted = true
	default:
		return false
	}
	return true
}

// cut forgets everything from a place on.
func (l *line) cut(to int) {
	clear(l.text[to:])
	l.text = l.text[:to]
}

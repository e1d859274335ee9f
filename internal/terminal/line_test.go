package terminal

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestALineIsEditedAsATerminalDoes(t *testing.T) {
	for typed, want := range map[string]string{
		"s3cret\n":                              "s3cret",
		"s3cret\r":                              "s3cret",
		"\n":                                    "",
		"wrongg\x7f\n":                          "wrong",
		"wrongg\b\n":                            "wrong",
		"aé\x7f\n":                              "a",
		"a☃☃\x7f\n":                             "a☃",
		"\xff\xfe\x7f\n":                        "\xff",
		"\x7f\x7fa\n":                           "a",
		"wrong\x15right\n":                      "right",
		"two words\x17x\n":                      "two x",
		"two words  \x17x\n":                    "two x",
		"word\x17x\n":                           "x",
		"a\x16\x7fb\n":                          "a\x7fb",
		"a\x16\nb\n":                            "a\nb",
		"a\x04b\n":                              "ab",
		"\x00a\x00b\n":                          "ab",
		" blanks stay \n":                       " blanks stay ",
		"tab\tand \x1b escape\n":                "tab\tand \x1b escape",
		"first\nsecond\n":                       "first",
		strings.Repeat("x", maxPassword) + "\n": strings.Repeat("x", maxPassword),
	} {
		got, err := typeAll(t, typed)
		if err != nil || got != want {
			t.Errorf("%.40q: %.40q, %v", typed, got, err)
		}
	}
}

func TestTheEndOfInputIsNoEmptyPassword(t *testing.T) {
	for typed, want := range map[string]error{
		"\x04":                             io.EOF,
		"ab\x15\x04":                       io.EOF,
		"a\x7f\x04\n":                      io.EOF,
		strings.Repeat("x", maxPassword+1): ErrTooLong,
	} {
		if got, err := typeAll(t, typed); !errors.Is(err, want) {
			t.Errorf("%.40q: %.40q, %v", typed, got, err)
		}
	}
}

func typeAll(t *testing.T, typed string) (string, error) {
	t.Helper()
	l := line{keys: keys{erase: 0x7f, word: 0x17, kill: 0x15, end: 0x04, literal: 0x16}}
	for i := range len(typed) {
		if done, err := l.add(typed[i]); done || err != nil {
			return string(l.text), err
		}
	}
	t.Fatalf("%q does not end", typed)
	return "", nil
}

func TestAPromptCannotMoveTheCursor(t *testing.T) {
	if got := printable("Password for user \x1b[2Jmärco\r\n: "); got != "Password for user ?[2Jmärco??: " {
		t.Fatalf("%q", got)
	}
}

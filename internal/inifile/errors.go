package inifile

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
)

// Error is a configuration that is missing, unreadable or refused: exit code 3.
type Error struct {
	// Problem is what is wrong, lower case, with no full stop and no secret.
	Problem string
	// Hint is a command that mends it, quoted for a POSIX shell; often empty.
	Hint string
	// Cause is what the operating system said; may be nil.
	Cause error
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Unwrap returns what the operating system said, or nil.
func (e *Error) Unwrap() error { return e.Cause }

// FileError tells what happened to a file, without naming it twice.
func FileError(name string, err error) *Error {
	reason := err
	var path *fs.PathError
	if errors.As(err, &path) {
		reason = path.Err
	}
	return &Error{Problem: fmt.Sprintf("%s: %v", ShowName(name), reason), Cause: err}
}

// ShowName prints a file's name so that it cannot move the cursor.
func ShowName(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// ShellQuote quotes a file's name for a POSIX shell; a name with control
// characters takes the $'…' form, which shows them.
func ShellQuote(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	switch {
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return ansiQuote(name)
	case name == "" || strings.ContainsFunc(name, needsQuotes):
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

// needsQuotes reports whether a shell might do something with the character.
func needsQuotes(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+,:@%=", r)
}

// ansiQuote spells every byte that is not plain as \xHH.
func ansiQuote(name string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '\'' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}

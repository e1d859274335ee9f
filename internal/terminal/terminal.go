// Package terminal asks a person for a password, on the terminal that controls
// the process: standard input and output stay free for data.
//
// It never reads standard input, never writes standard output or error, never
// keeps or prints what was typed, and never leaves the terminal without echo.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/term"
)

// ErrNoTerminal says that there is nobody to ask: the process has no
// controlling terminal.
var ErrNoTerminal = errors.New("no terminal to ask on")

// ErrTooLong says that more was typed or pasted than any password has.
var ErrTooLong = errors.New("more than 65536 bytes were typed")

// maxPassword bounds what is typed, in bytes.
const maxPassword = 64 << 10

// ReadPassword prints the prompt on the controlling terminal and returns the
// line typed there, without its end and without showing it; an empty line is an
// empty password. A paste may be longer than a line of the terminal's own.
//
// Without a terminal the error is ErrNoTerminal, at the end of input (Ctrl-D on
// an empty line, a closed window) io.EOF, after 64 KiB ErrTooLong. When the
// context ends the error is the context's; echo is on again by then. Ctrl-C and
// the like are signals as ever: it is the caller's context that must end on
// them.
func ReadPassword(ctx context.Context, prompt string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	c, err := openConsole()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	defer c.close()
	return c.ask(ctx, printable(prompt))
}

// IsTerminal reports whether a stream, such as an *os.File, is a terminal.
func IsTerminal(stream any) bool {
	conn, ok := stream.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	found := false
	err = raw.Control(func(fd uintptr) { found = term.IsTerminal(int(fd)) })
	return err == nil && found
}

// printable replaces what could move the cursor: a prompt may hold a name that
// came from a file.
func printable(prompt string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, prompt)
}

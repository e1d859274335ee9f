package terminal

import (
	"context"
	"errors"
	"os"

	"golang.org/x/term"
)

// console is the window the process runs in.
type console struct {
	in, out *os.File
	before  *term.State
}

// openConsole finds the window, whatever stdin may be.
func openConsole() (*console, error) {
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	return &console{in: in, out: out, before: before}, nil
}

// close leaves the input open: a read that was given up may still hold it.
func (c *console) close() { _ = c.out.Close() }

// ask prompts and reads one line with echo off. The read cannot be interrupted
// here, so a goroutine does it and is left behind when the context ends.
func (c *console) ask(ctx context.Context, prompt string) (string, error) {
	if _, err := c.out.WriteString(prompt); err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(int(c.in.Fd()))
		answers <- answer{text, err}
	}()
	var got answer
	select {
	case got = <-answers:
	case <-ctx.Done():
		got.err = ctx.Err()
	}
	return c.finish(string(got.text), got.err)
}

// finish puts the window back as it was and ends the line.
func (c *console) finish(text string, err error) (string, error) {
	if restore := term.Restore(int(c.in.Fd()), c.before); err == nil {
		err = restore
	}
	if _, newline := c.out.WriteString("\r\n"); err == nil {
		err = newline
	}
	if err == nil && len(text) > maxPassword {
		err = ErrTooLong
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

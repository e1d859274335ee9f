//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// tick is how long a key or the end of the context may go unnoticed while the
// other is waited for. Waiting in slices leaves no goroutine behind that would
// swallow what is typed next.
const tick = 50 * time.Millisecond

// console is the controlling terminal.
type console struct {
	fd      int
	before  unix.Termios
	resumed chan os.Signal // SIGCONT, before which somebody may have turned echo on
}

// openConsole finds the controlling terminal, whatever stdin may be.
func openConsole() (*console, error) {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/tty", Err: err}
	}
	if fd >= unix.FD_SETSIZE { // select could not wait for it
		return nil, errors.Join(errors.New("too many open files"), unix.Close(fd))
	}
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &console{fd: fd, before: *state, resumed: make(chan os.Signal, 1)}, nil
}

func (c *console) close() { _ = unix.Close(c.fd) }

// ask prompts and reads one line with echo off.
func (c *console) ask(ctx context.Context, prompt string) (string, error) {
	signal.Notify(c.resumed, unix.SIGCONT)
	defer signal.Stop(c.resumed)
	if err := c.hide(prompt); err != nil {
		return "", errors.Join(err, c.show())
	}
	text, err := c.readLine(ctx, prompt)
	if restore := c.show(); err == nil {
		err = restore
	}
	if errors.Is(err, unix.EIO) { // the terminal has gone
		err = io.EOF
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

// hide turns echo off and prints the prompt after that, so that an answer which
// comes at once is not shown.
func (c *console) hide(prompt string) error {
	if err := c.silence(); err != nil {
		return err
	}
	return c.print(prompt)
}

// silence turns echo off. Ctrl-C stays a signal; lines, the editing keys (see
// line) and the keys that stop or end the process (see raise) are ours.
func (c *console) silence() error {
	state := c.before
	state.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN
	state.Lflag |= unix.ISIG
	state.Iflag |= unix.ICRNL
	state.Cc[unix.VMIN], state.Cc[unix.VTIME] = 1, 0
	state.Cc[unix.VSUSP], state.Cc[unix.VQUIT] = vDisable, vDisable
	return unix.IoctlSetTermios(c.fd, setTermios, &state)
}

// show puts the terminal back as it was, then ends the line.
func (c *console) show() error {
	if err := unix.IoctlSetTermios(c.fd, setTermios, &c.before); err != nil {
		return err
	}
	return c.print("\n")
}

// print writes on the terminal.
func (c *console) print(text string) error {
	for len(text) > 0 {
		n, err := unix.Write(c.fd, []byte(text))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		text = text[max(n, 0):]
	}
	return nil
}

// readLine reads byte by byte: what was typed ahead of the line's end belongs
// to whoever reads the terminal next.
func (c *console) readLine(ctx context.Context, prompt string) (string, error) {
	l := line{keys: keys{
		erase: c.key(unix.VERASE), word: c.key(unix.VWERASE), kill: c.key(unix.VKILL),
		end: c.key(unix.VEOF), literal: c.key(unix.VLNEXT),
	}}
	defer func() { l.cut(0) }()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-c.resumed:
			if err := c.silence(); err != nil {
				return "", err
			}
		default:
		}
		b, ready, err := c.readByte()
		if err != nil {
			return "", err
		}
		if !ready {
			continue
		}
		if s, ok := c.signal(b); ok && !l.quoted {
			l.cut(0)
			if err := c.raise(s, prompt); err != nil {
				return "", err
			}
			continue
		}
		if done, err := l.add(b); done || err != nil {
			return string(l.text), err
		}
	}
}

// key returns an editing key; a disabled one is 0, which line never takes for a
// key.
func (c *console) key(index int) byte {
	if c.before.Cc[index] == vDisable {
		return 0
	}
	return c.before.Cc[index]
}

// readByte waits up to a tick for a byte. A read of nothing is a terminal that
// has gone.
func (c *console) readByte() (b byte, ready bool, err error) {
	var set unix.FdSet
	set.Set(c.fd)
	wait := unix.NsecToTimeval(int64(tick))
	n, err := unix.Select(c.fd+1, &set, nil, nil, &wait)
	if n == 0 || errors.Is(err, unix.EINTR) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var buf [1]byte
	n, err = unix.Read(c.fd, buf[:])
	switch {
	case errors.Is(err, unix.EINTR):
		return 0, false, nil
	case err == nil && n == 0:
		return 0, false, io.EOF
	}
	return buf[0], err == nil, err
}

// signal returns what a key would have sent if silence had left it in force.
func (c *console) signal(b byte) (unix.Signal, bool) {
	switch {
	case b == vDisable || c.before.Lflag&unix.ISIG == 0:
		return 0, false
	case b == c.before.Cc[unix.VSUSP]:
		return unix.SIGTSTP, true
	case b == c.before.Cc[unix.VQUIT]:
		return unix.SIGQUIT, true
	}
	return 0, false
}

// raise does what the terminal would have done on the key, but with the
// terminal as it was, and asks again when the process goes on after it. To catch
// SIGTSTP instead would not do: once caught, Go never lets it stop the process
// again.
func (c *console) raise(s unix.Signal, prompt string) error {
	if err := c.show(); err != nil {
		return err
	}
	if err := unix.Kill(0, s); err != nil {
		return err
	}
	select { // it may take a moment, and does nothing where no shell could resume us
	case <-c.resumed:
	case <-time.After(tick):
	}
	return c.hide(prompt)
}

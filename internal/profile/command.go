package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// commandGrace is how long a command's output may stay open after the command
// ended or was stopped.
const commandGrace = 3 * time.Second

// RunPasswordCommand runs password_command by the system's shell (sh -c, cmd /c)
// and returns its standard output without one trailing newline. env is the
// command's whole environment in the form of os.Environ; stderr receives what
// it says to the person. It has no standard input, but may use the terminal.
//
// An *Error tells that it ended with another exit code than 0, printed nothing
// or more than 64 KiB; no error quotes the command or its output. When the
// context ends the shell is killed and the error, no *Error, wraps the context's.
func RunPasswordCommand(ctx context.Context, command string, env []string, stderr io.Writer) (string, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	out := boundedBuffer{room: inifile.MaxSecret, overflow: stop}
	cmd := shell(running, command)
	cmd.Env = append([]string{}, env...) // never nil, which would mean our own
	cmd.Stdout, cmd.Stderr = &out, stderr
	cmd.WaitDelay = commandGrace
	if err := cmd.Run(); err != nil {
		return "", commandError(ctx, err, out.full)
	}
	password := inifile.DropNewline(out.held.String())
	if password == "" {
		return "", &Error{Problem: "password_command printed nothing"}
	}
	return password, nil
}

// commandError tells how a command failed and nothing of what it printed.
func commandError(ctx context.Context, err error, full bool) error {
	var exit *exec.ExitError
	switch {
	case full:
		return &Error{Problem: fmt.Sprintf("password_command printed more than %d bytes", inifile.MaxSecret)}
	case ctx.Err() != nil:
		return fmt.Errorf("password_command: %w", ctx.Err())
	case errors.As(err, &exit):
		return &Error{Problem: "password_command ended with " + exit.String(), Cause: err}
	}
	return &Error{Problem: fmt.Sprintf("password_command: %v", err), Cause: err}
}

// boundedBuffer takes no more than it has room for.
type boundedBuffer struct {
	// Not embedded: io.Copy would find its ReadFrom and pass Write by.
	held     bytes.Buffer
	room     int
	overflow func() // stops the command, which may ignore a broken pipe
	full     bool
}

// Write fails when the room is used up.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.held.Len()+len(p) > b.room {
		b.full = true
		b.overflow()
		return 0, errors.New("too much output")
	}
	return b.held.Write(p)
}

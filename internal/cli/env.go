// Package cli is the ats-auth command line: one file a command, named after its
// path. It asks, tells and prints; what a token is worth is the verifier's
// business, what a service says the client's, what is configured the profile's.
//
// Results go to stdout and nothing else does; the story goes to stderr. One
// function turns an error into an exit code.
package cli

import (
	"context"
	"io"
	"time"

	"github.com/ats-auth/ats-auth/internal/command"
)

// Env is the world a command runs in, so that a test can make its own.
type Env struct {
	Args      []string // the program's name first
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	LookupEnv func(string) (string, bool)
	Environ   []string // what child processes get
	WorkDir   string
	HomeDir   string
	Now       func() time.Time
	// ReadPassword asks on the terminal, without echo.
	ReadPassword func(ctx context.Context, prompt string) (string, error)
	// Interactive reports whether a stream is a terminal.
	Interactive func(stream any) bool
	Version     string
}

// grace is how long a command may take to see that ctx has ended; a
// password_command is waited for a little less.
const grace = 4 * time.Second

// Run runs one command line and returns its exit code. When ctx ends it returns
// before long, whatever the command waits for: opening a pipe to which nobody
// writes cannot be called off.
func Run(ctx context.Context, env Env) int {
	done := make(chan int, 1)
	go func() { done <- run(ctx, env) }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	select {
	case code := <-done:
		return code
	case <-time.After(grace):
		return exitInterrupted
	}
}

func run(ctx context.Context, env Env) int {
	a := &app{Env: env, terminalStdin: env.Interactive(env.Stdin)}
	a.Stdin = &interruptible{ctx: ctx, from: env.Stdin}
	defer a.closeLog()
	err := command.Execute(ctx, a.root(), env.Args[1:])
	if ctx.Err() != nil && err != nil {
		return exitInterrupted
	}
	return a.report(err)
}

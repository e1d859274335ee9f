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
	"sync/atomic"
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
	done, attends := make(chan int, 1), new(atomic.Bool)
	go func() { done <- run(ctx, env, attends) }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	select {
	case code := <-done:
		return code
	case <-time.After(grace):
	}
	if attends.Load() {
		return <-done
	}
	return exitInterrupted
}

func run(ctx context.Context, env Env, attends *atomic.Bool) int {
	a := &app{Env: env, terminalStdin: env.Interactive(env.Stdin), attends: attends}
	a.Stdin = &interruptible{ctx: ctx, from: env.Stdin}
	defer a.closeLog()
	args := arguments(env.Args)
	err := command.Execute(ctx, a.treeFor(args), args)
	a.endActing(ctx)
	if ctx.Err() != nil && err != nil && !attends.Load() {
		return exitInterrupted
	}
	return a.report(err)
}

// Command ats-auth obtains, inspects, verifies and revokes authentication
// tokens.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ats-auth/ats-auth/internal/cli"
	"github.com/ats-auth/ats-auth/internal/terminal"
)

// version is set when a release is built.
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	home, _ := os.UserHomeDir()
	dir, _ := os.Getwd()
	code := cli.Run(ctx, cli.Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		LookupEnv: os.LookupEnv, Environ: os.Environ(), WorkDir: dir, HomeDir: home,
		Now: time.Now, ReadPassword: terminal.ReadPassword, Interactive: terminal.IsTerminal, Version: version,
	})
	stop()
	os.Exit(code)
}

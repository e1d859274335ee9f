// Command ats-auth-server issues, checks and revokes authentication tokens.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ats-auth/ats-auth/internal/daemon"
	"github.com/ats-auth/ats-auth/internal/terminal"
)

// version is set when a release is built.
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) }) // a second Ctrl-C ends the process at once
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	home, _ := os.UserHomeDir()
	code := daemon.Run(ctx, daemon.Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), HomeDir: home, UID: os.Getuid(),
		ReadPassword: terminal.ReadPassword, Interactive: terminal.IsTerminal, Reload: reload, Program: itself(), Version: version,
	})
	stop()
	os.Exit(code)
}

// itself is this very program, on Linux also when another was put into its place since.
func itself() string {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running
	}
	name, _ := os.Executable()
	return name
}

//go:build unix

package profile

import (
	"context"
	"os/exec"
)

// shell runs a command line. It stays in our process group: a background group
// could not ask on the terminal, and Ctrl-C reaches it by itself.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}

//go:build unix

package cli

import (
	"context"
	"os/exec"
)

// helperShell runs a command line with one more word behind it.
func helperShell(ctx context.Context, command, word string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command+` "$@"`, "credential_helper", word)
}

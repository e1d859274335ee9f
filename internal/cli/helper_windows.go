package cli

import (
	"context"
	"os/exec"
	"syscall"
)

// helperShell runs a command line with one more word behind it. It is passed on
// as it stands, since cmd does not understand the quoting that os/exec would
// add; /s drops the outer quotes.
func helperShell(ctx context.Context, command, word string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /s /c "` + command + " " + word + `"`}
	return cmd
}

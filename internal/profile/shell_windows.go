package profile

import (
	"context"
	"os/exec"
	"syscall"
)

// shell runs a command line. It is passed on as it stands, since cmd does not
// understand the quoting that os/exec would add; /s drops the outer quotes.
func shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /s /c "` + command + `"`}
	return cmd
}

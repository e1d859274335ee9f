//go:build unix

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// signals are those that a child is to hear of. The ones by which a terminal
// stops and continues a job are not among them: they reach the whole process
// group, and do to us what they do to the child.
type signals chan os.Signal

// catchSignals keeps signals from ending us before the child. What was ignored
// when we began, SIGHUP under nohup say, stays so, for the child as well.
func catchSignals() signals {
	c := make(signals, 64)
	for _, s := range []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH,
	} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c
}

func (c signals) stop() { signal.Stop(c) }

// pass passes signals on until ctx ends.
func (c signals) pass(ctx context.Context, child *os.Process) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-c:
			if !(fromTerminal(s) && inForeground()) {
				_ = child.Signal(s) // it may have ended this moment
			}
		}
	}
}

// fromTerminal reports whether a terminal sends the signal by itself.
func fromTerminal(s os.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGWINCH
}

// inForeground reports whether a terminal's signals come to our process group,
// and thus to the child as well: it must not hear of one Ctrl-C twice.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}

// endOf is an exit code as shells tell it.
func endOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

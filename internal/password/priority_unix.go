//go:build unix

package password

import "syscall"

// niceness of a worker: it has about a tenth of a core beside those who want all of it,
// and all that nobody wants.
const niceness = 10

// apart gives a worker a group of its own: a Ctrl-C is not for it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// yield has all of a worker's threads go after others. Where that cannot be, they do not.
func yield(pid int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, pid, niceness) }

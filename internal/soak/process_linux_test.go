package soak

import "syscall"

// dieWithTest has a process end when the test does, however that ends.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

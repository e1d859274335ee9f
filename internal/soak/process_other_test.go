//go:build !linux

package soak

import "syscall"

func dieWithTest() *syscall.SysProcAttr { return nil }

package terminal

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS

	// vDisable in place of a key says that there is none.
	vDisable = 0
)

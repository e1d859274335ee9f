//go:build unix

package inifile

import (
	"io/fs"
	"syscall"
)

// modesMean says that permission bits keep others out.
const modesMean = true

// owner returns the user a file belongs to.
func owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

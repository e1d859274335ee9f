package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ending is how a command ended that met with an accident.
type ending struct {
	before string // what the accident was before; empty: there was none
	status syscall.WaitStatus
	says   string // on stdout and stderr
}

// accident runs a command and lets something happen while it stands before its
// nth write, counted over all its threads; 0: never.
func (s *survivor) accident(args []string, n int, what func(pid int)) (end ending) {
	s.t.Helper()
	runtime.LockOSThread() // a traced process obeys one thread
	defer runtime.UnlockOSThread()
	out, err := os.Create(filepath.Join(homeOf(s.env), "said.txt"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd := client(s.env, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		s.t.Skipf("NOT TESTED, since a process cannot be traced here: %v", err)
	} else if err != nil {
		s.t.Fatal(err)
	}
	defer cmd.Process.Release()
	late := time.AfterFunc(30*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	end.before, end.status = s.trace(cmd.Process.Pid, n, what)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		s.t.Error(err)
	}
	end.says = string(text)
	return end
}

// trace lets a process run from one system call to the next until it ends.
func (s *survivor) trace(pid, n int, what func(pid int)) (before string, status syscall.WaitStatus) {
	const exitKill = 0x100000
	options := syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACESYSGOOD | exitKill
	begun := map[int]bool{}
	for count := 0; ; {
		tid, err := syscall.Wait4(-pid, &status, syscall.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			s.t.Fatalf("wait for %d: %v", pid, err)
		case !status.Stopped() && tid == pid:
			return before, status
		case !status.Stopped():
			continue
		}
		pass := 0
		switch signal := status.StopSignal(); {
		case !begun[tid]: // its start, which is no signal of anybody's
			begun[tid] = true
			if tid == pid {
				err = syscall.PtraceSetOptions(pid, options)
			}
		case signal == syscall.SIGTRAP|0x80:
			if write := writeOf(tid); write != "" {
				if count++; count == n {
					before = write
					what(pid)
				}
			}
		case signal != syscall.SIGTRAP:
			pass = int(signal)
		}
		if next := syscall.PtraceSyscall(tid, pass); err == nil {
			err = next
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // it has been killed
			s.t.Fatalf("trace %d: %v", tid, err)
		}
	}
}

// systemCall is struct ptrace_syscall_info.
type systemCall struct {
	Op     uint8
	_      [3]uint8
	_      uint32
	_, _   uint64
	Number uint64
	Args   [6]uint64
	_      uint64
}

// writes are the system calls that change a file or tell another process.
func writes() map[uint64]string {
	all := map[uint64]string{
		unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "write", unix.SYS_WRITEV: "write", unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync",
		unix.SYS_FTRUNCATE: "truncate", unix.SYS_TRUNCATE: "truncate", unix.SYS_FALLOCATE: "reserve", unix.SYS_RENAMEAT: "rename",
		unix.SYS_RENAMEAT2: "rename", unix.SYS_UNLINKAT: "remove", unix.SYS_LINKAT: "link", unix.SYS_MKDIRAT: "mkdir",
		unix.SYS_FCHMOD: "chmod", unix.SYS_FCHMODAT: "chmod", unix.SYS_UTIMENSAT: "touch",
	}
	if runtime.GOARCH == "amd64" { // which has the older ones too
		for number, name := range map[uint64]string{82: "rename", 83: "mkdir", 84: "remove", 86: "link", 87: "remove", 90: "chmod"} {
			all[number] = name
		}
	}
	return all
}

// writeOf names the write that a stopped thread stands before, and its file
// where it is open; empty: it stands before something else, or behind it.
func writeOf(tid int) string {
	const getSyscallInfo, entry = 0x420e, 1
	var call systemCall
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(call), uintptr(unsafe.Pointer(&call)), 0, 0)
	if errno != 0 || call.Op != entry {
		return ""
	}
	if call.Number == unix.SYS_OPENAT {
		if call.Args[2]&(unix.O_CREAT|unix.O_TRUNC) != 0 {
			return "create"
		}
		return ""
	}
	name := writes()[call.Number]
	if !slices.Contains([]string{"write", "sync", "truncate"}, name) {
		return name
	}
	file, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, call.Args[0]))
	if strings.HasPrefix(file, "anon_inode:") { // a thread wakes another
		return ""
	}
	return name + " " + filepath.Base(file)
}

// page is what a small disk is taken in, in bytes.
const page = 4096

// smallDisk mounts a disk of 256 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k,mode=700"); err != nil {
		t.Skipf("NOT TESTED, since only root can mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves that many pages free.
func fill(t *testing.T, dir string, free int) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, max(0, int(disk.Bfree)-free)*page), 0o600); err != nil {
		t.Fatal(err)
	}
}

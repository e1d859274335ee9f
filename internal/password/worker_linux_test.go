package password

import (
	"os"
	"syscall"
	"testing"
)

func TestAWorkerGoesAfterOthers(t *testing.T) {
	h, w, _ := withWorkers(t, os.Args[0], "work")
	wantHashed(t, h)
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 less the niceness
	if err != nil {
		t.Fatal(err)
	}
	its, err := syscall.Getpriority(syscall.PRIO_PROCESS, w.free[0].process.Pid)
	if want := min(own, 20-niceness); its != want || err != nil {
		t.Errorf("20 less its niceness is %d, ours %d: %v", its, own, err)
	}
}

package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childrenOf are the processes that a process has started.
func childrenOf(t *testing.T, pid int) (list []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, name := range tasks {
		text, _ := os.ReadFile(name) // empty: the thread is gone
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, child)
		}
	}
	return list
}

func TestPasswordsAreHashedInAProcessThatGoesAfterTheServersAndEndsWithIt(t *testing.T) {
	needRoot(t)
	state, file := stateOf(t, nobody)
	r := start(t, filepath.Dir(state), "-c", file, "-u", "nobody")
	address := regexp.MustCompile(`"serving","url":"([^"]+)"`).FindStringSubmatch(r.says(t, `"msg":"serving"`))[1]
	if list := childrenOf(t, r.Process.Pid); len(list) != 0 {
		t.Errorf("before the first password there are processes %v", list)
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	response, err := client.Post(address+"/user/login", "application/json", strings.NewReader(`{"username":"nobody","password":"wrong"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	list := childrenOf(t, r.Process.Pid)
	if response.StatusCode != http.StatusUnauthorized || len(list) != 1 {
		t.Fatalf("%d, processes %v\n%s", response.StatusCode, list, r.says(t, ""))
	}
	if uids := threads(t, list[0], "Uid"); len(uids) == 0 || uids[0][0] != strconv.Itoa(nobody) {
		t.Errorf("it is the user %v", uids)
	}
	own, ownErr := syscall.Getpriority(syscall.PRIO_PROCESS, r.Process.Pid)
	its, err := syscall.Getpriority(syscall.PRIO_PROCESS, list[0])
	if its >= own && own > 1 || err != nil || ownErr != nil { // 20 less the niceness
		t.Errorf("its priority is %d, the server's %d: %v %v", its, own, err, ownErr)
	}
	_ = r.Process.Kill()
	_ = r.Wait()
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(list[0], 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the process outlives the server")
		}
	}
}

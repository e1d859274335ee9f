package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the server as it is shipped.
var program string

func TestMain(m *testing.M) {
	if len(os.Args) == 0 {
		// Never. But go test answers from its cache while this binary is the
		// same, and the linker leaves out what is not reached.
		main()
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ats-auth-server-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "ats-auth-server")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
			return 1
		}
		return m.Run()
	}())
}

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
)

// scriptTB lets a script be the test that a helper wants: its failure is the script's.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (s scriptTB) Fatal(args ...any)                 { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (s scriptTB) Fatalf(format string, args ...any) { s.ts.Fatalf(format, args...) }
func (s scriptTB) Cleanup(do func())                 { s.ts.Defer(do) }

// Skipf is a failure: a script looks for what it needs by a condition.
func (s scriptTB) Skipf(format string, args ...any) { s.ts.Fatalf(format, args...) }

// directoryOf makes the command directory. new NAME PASSWORD starts a directory with
// that person, sets LDAP_URL, LDAP_BASE and LDAP_BIND_DN, and writes ldap.crt and the
// password of the last into ldap.txt. stop kills it; start runs it again.
func directoryOf(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		w := worldOf(ts)
		switch {
		case len(args) == 3 && args[0] == "new":
			w.directory = slapdtest.New(scriptTB{t, ts}, slapdtest.User(args[1], args[2]))
			ts.Setenv("LDAP_URL", w.directory.SecureURL())
			ts.Setenv("LDAP_BASE", slapdtest.People)
			ts.Setenv("LDAP_BIND_DN", slapdtest.BindDN)
			ts.Check(os.WriteFile(ts.MkAbs("ldap.crt"), w.directory.CACert(), 0o600))
			ts.Check(os.WriteFile(ts.MkAbs("ldap.txt"), []byte(slapdtest.BindPassword), 0o600))
		case len(args) == 1 && args[0] == "stop" && w.directory != nil:
			w.directory.Stop()
		case len(args) == 1 && args[0] == "start" && w.directory != nil:
			w.directory.Start()
		default:
			ts.Fatalf("usage: directory new NAME PASSWORD, then directory stop and directory start")
		}
	}
}

// freeport waits until nobody listens at an address, which a script must have.
func freeport(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: freeport ADDRESS:PORT")
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		l, err := net.Listen("tcp", args[0])
		if err == nil {
			ts.Check(l.Close())
			return
		}
		if time.Since(start) > 30*time.Second {
			ts.Fatalf("this test needs %s, and another program has it: %v", args[0], err)
		}
	}
}

// slapdIsHere looks where Debian puts it, which is not always in PATH.
func slapdIsHere() bool {
	_, err := os.Stat(filepath.Join("/usr", "sbin", "slapd"))
	return err == nil
}

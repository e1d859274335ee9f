package daemon

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run runs one command line over a store of the test's.
func run(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code = Run(t.Context(), Env{
		Args: append([]string{"ats-auth-server"}, args...), Stdin: strings.NewReader("sesame"), Stdout: &out, Stderr: &complaints,
		Environ: []string{"ATS_AUTH_SERVER_STORE_URL=sqlite:" + filepath.Join(dir, "store.db")}, HomeDir: dir, UID: 1000,
		Interactive: func(any) bool { return false },
	})
	return code, out.String(), complaints.String()
}

func TestAPropertyIsSetListedAndReset(t *testing.T) {
	const name = "MAXIMUM_REFRESH_TOKEN_LIFETIME"
	dir := t.TempDir()
	if code, _, stderr := run(t, dir, "property", "list"); code != exitConfig || !strings.Contains(stderr, "there is no store") {
		t.Errorf("without a store: %d %q", code, stderr)
	}
	if code, _, stderr := run(t, dir, "user", "add", "admin", "--password-stdin"); code != exitOK {
		t.Fatalf("user add: %d %q", code, stderr)
	}
	value := func() string {
		t.Helper()
		list := shown[[]propertyView](t, dir, "property", "list")
		at := slices.IndexFunc(list, func(v propertyView) bool { return v.Name == name })
		if at < 0 || slices.ContainsFunc(list, func(v propertyView) bool { return v.Description == "" || v.Name != name && v.Value != "" }) {
			t.Fatalf("list: %+v", list)
		}
		return list[at].Value
	}
	if v := value(); v != "" {
		t.Errorf("the value at first is %q", v)
	}
	if code, stdout, stderr := run(t, dir, "property", "set", name, "30d", "-f", "json"); code != exitOK || stdout != `{"name":"`+name+"\"}\n" || stderr != "property "+name+" set\n" {
		t.Errorf("set: %d %q %q", code, stdout, stderr)
	}
	if v := value(); v != "30d" {
		t.Errorf("the value is %q, want 30d", v)
	}
	for _, args := range [][]string{{"set", name, "soon"}, {"set", "X", "1h"}, {"reset", "X"}, {"set", name}, {"reset"}} {
		code, stdout, stderr := run(t, dir, append([]string{"property"}, args...)...)
		if code != exitUsage || stdout != "" || stderr == "" {
			t.Errorf("%v: %d %q %q, want %d", args, code, stdout, stderr, exitUsage)
		}
	}
	if v := value(); v != "30d" {
		t.Errorf("the value after what was refused is %q", v)
	}
	if code, _, stderr := run(t, dir, "property", "reset", name); code != exitOK || value() != "" {
		t.Errorf("reset: %d %q", code, stderr)
	}
	if code, stdout, _ := run(t, dir, "property", "list"); code != exitOK || !strings.Contains(stdout, "(not set)") {
		t.Errorf("list: %d %q", code, stdout)
	}
}

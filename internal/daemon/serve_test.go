package daemon

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

func TestTheConfigurationIsLookedAtBeforeAPortIsOpened(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for url, want := range map[string]string{
		"postgres://u@127.0.0.1:1/d":    "set [tokens] master_key_file (or master_key)",
		"mysql://u@127.0.0.1:1/d":       "[store] url is none of",
		"sqlite:":                       "names no file",
		"sqlite:" + t.TempDir() + "/db": "address already in use",
	} {
		var complaints bytes.Buffer
		code := Run(t.Context(), Env{
			Args: []string{"ats-auth-server", "serve"}, Stdout: &complaints, Stderr: &complaints, HomeDir: t.TempDir(), UID: 1000,
			Environ:     []string{"ATS_AUTH_SERVER_STORE_URL=" + url, "ATS_AUTH_SERVER_SERVER_LISTEN=" + busy.Addr().String()},
			Interactive: func(any) bool { return false },
		})
		if code == exitOK || !strings.Contains(complaints.String(), want) {
			t.Errorf("%s: %d %q, want %q", url, code, complaints.String(), want)
		}
	}
}

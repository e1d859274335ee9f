//go:build unix

package signing

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAPipeInThePlaceOfAMasterKeyFileIsNotWaitedFor(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "master.key")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMaster(pipe); err == nil || !strings.HasSuffix(err.Error(), pipe+" is not a regular file") {
		t.Errorf("got %v", err)
	}
}

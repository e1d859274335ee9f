package signing

import (
	"encoding/base64"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestAMasterKeyFileIsMadeOnceAndReadThereafter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key")
	first, err := LoadMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	if *first.secret != *second.secret || *first.secret == [MasterBytes]byte{} {
		t.Error("the two differ, or are nothing")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != MasterBytes {
		t.Errorf("the file holds no base64 of 32 bytes: %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// loadInChild, in the environment, makes the test binary load that file.
const loadInChild = "SIGNING_TEST_LOAD"

func TestMain(m *testing.M) {
	path := os.Getenv(loadInChild)
	if path == "" {
		os.Exit(m.Run())
	}
	master, err := LoadMaster(path)
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(master.encode())
}

func TestProcessesThatStartAtOnceMakeOneMasterKey(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		path := filepath.Join(t.TempDir(), "master.key")
		keys := make([]string, 8)
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				child := exec.Command(exe)
				child.Env = append(os.Environ(), loadInChild+"="+path)
				out, err := child.Output()
				if err != nil {
					t.Errorf("%v: %s", err, err.(*exec.ExitError).Stderr)
				}
				keys[i] = string(out)
			})
		}
		wg.Wait()
		for _, k := range keys {
			if k != keys[0] || len(k) != 44 {
				t.Fatalf("the processes hold different keys: %d and %d characters", len(keys[0]), len(k))
			}
		}
	}
}

func TestLoadersThatRaceMakeOneMasterKey(t *testing.T) {
	for range 50 {
		path := filepath.Join(t.TempDir(), "master.key")
		masters := make([]*Master, 8)
		var wg sync.WaitGroup
		for i := range masters {
			wg.Go(func() {
				var err error
				if masters[i], err = LoadMaster(path); err != nil {
					t.Error(err)
					masters[i] = NewMaster()
				}
			})
		}
		wg.Wait()
		for _, m := range masters {
			if *m.secret != *masters[0].secret {
				t.Fatal("two master keys")
			}
		}
	}
}

func TestAMasterKeyFileThatOthersMayAccessIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes on Windows")
	}
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := LoadMaster(path); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[fs.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o640: false, 0o604: false, 0o620: false, 0o602: false, 0o601: false, 0o660: false, 0o644: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadMaster(path)
		if (err == nil) != good {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: no hint in %q", mode, err)
		}
	}
}

func TestABrokenMasterKeyFileIsRefusedAndKept(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "words": "hunter2\n", "long": strings.Repeat("QUJD", 1000)} {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadMaster(path)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

func TestAMasterKeyFileIsARegularFileInAFolderThatIsThere(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadMaster(dir); err == nil {
		t.Error("a folder was read")
	}
	if _, err := LoadMaster(filepath.Join(dir, "absent", "master.key")); err == nil {
		t.Error("a folder was made")
	}
}

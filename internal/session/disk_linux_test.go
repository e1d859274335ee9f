package session

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page is what the disk of a test is taken in, in bytes.
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
	name := filepath.Join(dir, "filler")
	_ = os.Remove(name)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), (int(disk.Bfree)-free)*page), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsFoundBeforeARefreshTokenIsUsedUp(t *testing.T) {
	dir := smallDisk(t)
	name := filepath.Join(dir, "config.yaml")
	rotated := strings.Replace(ksctls, admins().RefreshToken.Reveal(), "rotated", 1)
	full, done := 0, 0
	for free := range 16 {
		_ = os.Remove(name + ".lock")
		put(t, name, ksctls)
		fill(t, dir, free)
		called := false
		err := open(name).Update(t.Context(), func(l Login) (Login, error) { called = true; return rotate(l) })
		text, _ := content(t, name)
		switch {
		case err == nil && called && text == rotated:
			done++
		case errors.Is(err, syscall.ENOSPC) && !called && text == ksctls && strings.HasPrefix(err.Error(), "no room for a new "+name+": "):
			full++
		default:
			t.Errorf("%d pages free: called %v, %v, %q", free, called, err, text)
		}
		if _, left := content(t, spare(name)); left {
			t.Errorf("%d pages free: the room was not given back", free)
		}
		if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
			t.Fatal(err)
		}
	}
	if full < 8 || done < 4 {
		t.Errorf("%d full, %d done", full, done)
	}
}

func TestADiskThatFillsUpDuringTheChangeStillTakesTheNewLogin(t *testing.T) {
	dir := smallDisk(t)
	name := filepath.Join(dir, "config.yaml")
	put(t, name, ksctls)
	long := strings.Repeat("t", 30<<10)
	err := open(name).Update(t.Context(), func(l Login) (Login, error) {
		fill(t, dir, 0)
		l.RefreshToken = secret(long)
		return l, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := open(name).Read(); err != nil || l.RefreshToken.Reveal() != long {
		t.Errorf("%v", err)
	}
}

func TestAFirstLoginADamagedFileAndALogoutOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	name := filepath.Join(dir, "config.yaml")
	never := func(l Login) (Login, error) { t.Error("called"); return l, nil }
	fill(t, dir, 0)
	if err := open(name).Update(t.Context(), never); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("first login: %v", err)
	}
	if _, there := content(t, name); there {
		t.Error("an empty file was left")
	}
	fill(t, dir, 1)
	put(t, name, "- damaged\n")
	if aside, err := open(name).Replace(t.Context(), never); !errors.Is(err, syscall.ENOSPC) || aside != "" {
		t.Errorf("damaged: %q, %v", aside, err)
	}
	if text, _ := content(t, name); text != "- damaged\n" {
		t.Errorf("damaged: %q", text)
	}
	put(t, name, ksctls)
	if err := open(name).Remove(t.Context()); err != nil {
		t.Errorf("logout: %v", err)
	}
}

func TestAFullDiskKeepsTheTokenThatIsCached(t *testing.T) {
	dir := smallDisk(t)
	cache := openCache(filepath.Join(dir, "tokens"))
	key, old := Key{Login: admins()}, Token{AccessToken: secret("old"), Type: "Bearer", ExpiresAt: time.Unix(1900000000, 0).UTC()}
	if err := cache.Put(key, old); err != nil {
		t.Fatal(err)
	}
	fill(t, dir, 0)
	if err := cache.Put(key, Token{AccessToken: secret("new")}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if got, ok := cache.Get(key); !ok || got.AccessToken.Reveal() != "old" {
		t.Errorf("%v", ok)
	}
	if n := len(names(t, filepath.Join(dir, "tokens"))); n != 1 {
		t.Errorf("%d files", n)
	}
}

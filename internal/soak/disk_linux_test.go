package soak

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// smallDisk mounts one of 2 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skipf("NOT TESTED: A FULL OR READ-ONLY DISK, since only root can mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all room there is.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for page := make([]byte, 4096); ; {
		if _, err := file.Write(page); err != nil {
			return
		}
	}
}

// refuses asks for logins until one is refused, and wants it to be a 503.
func (c *client) refuses(t *testing.T, when string) {
	t.Helper()
	for range 400 {
		a := c.wire.login(t.Context(), c.peers[0], "user0")
		if a.verdict == good {
			continue
		}
		if a.text != strconv.Itoa(http.StatusServiceUnavailable) {
			t.Errorf("%s: login: %s, want 503", when, a.text)
		}
		return
	}
	t.Errorf("%s: every login is kept: nothing was tested", when)
}

// vouches wants checks to go on.
func (c *client) vouches(t *testing.T, when string, had answer) {
	t.Helper()
	if a := c.wire.check(t.Context(), c.peers[0], had.access); a.verdict != good {
		t.Errorf("%s: check: %s", when, a.text)
	}
}

func TestADiskThatIsFullIs503AndChecksGoOn(t *testing.T) {
	dir := smallDisk(t)
	r := fileReplica(t, dir)
	c := alone(t, r)
	c.http.Timeout = 20 * time.Second
	had := c.must(t)
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	c.refuses(t, "full")
	c.vouches(t, "full", had)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if a := c.wire.revoke(t.Context(), c.peers[0], had.access); a.verdict != good {
		t.Errorf("there is room again: revoke: %s", a.text)
	}
	r.kill()
	r.start(t)
	if a := c.wire.check(t.Context(), c.peers[0], had.access); a.verdict != void {
		t.Errorf("after a restart: check: %s", a.text)
	}
}

func TestADiskThatIsReadOnlyIs503AndNothingIsLost(t *testing.T) {
	dir := smallDisk(t)
	r := fileReplica(t, dir)
	c := alone(t, r)
	c.http.Timeout = 20 * time.Second
	kept, ended := c.must(t), c.must(t)
	if a := c.wire.revoke(t.Context(), c.peers[0], ended.access); a.verdict != good {
		t.Fatalf("revoke: %s", a.text)
	}
	r.kill() // a disk with files open for writing cannot be made read-only
	remount(t, dir, syscall.MS_RDONLY)
	r.launch(t)
	if r.await(time.Now().Add(3 * time.Second)) {
		t.Error("it says that it is ready, and cannot write")
	}
	c.changes(t, "read-only", kept)
	r.stop()
	remount(t, dir, 0)
	r.start(t)
	c.vouches(t, "to be written again", kept)
	if a := c.wire.check(t.Context(), c.peers[0], ended.access); a.verdict != void {
		t.Errorf("to be written again: check of what is over: %s", a.text)
	}
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=2m"); err != nil {
		t.Fatal(err)
	}
}

func TestAPoolOfOneConnectionDoesNotHangUnder32Clients(t *testing.T) {
	pg := pgtest.Start(t)
	url := pg.URL(pg.Database(t, ""), "pool_max_conns=1")
	r := newReplica(t, "server", t.TempDir(), buildServer(t, t.TempDir()), "127.0.0.1", settings(url, masterKey(t, t.TempDir())))
	c := alone(t, r)
	c.http.Timeout = 20 * time.Second
	var group sync.WaitGroup
	for range 32 {
		had := c.must(t)
		group.Go(func() {
			for range 10 {
				if had = c.refresh(t.Context(), c.peers[0], had.refresh); had.verdict != good {
					t.Errorf("refresh: %s", had.text)
					return
				}
				c.vouches(t, "refreshed", had)
			}
			if a := c.wire.revoke(t.Context(), c.peers[0], had.access); a.verdict != good {
				t.Errorf("revoke: %s", a.text)
			}
			if a := c.wire.check(t.Context(), c.peers[0], had.access); a.verdict != void {
				t.Errorf("check of what is over: %s", a.text)
			}
		})
	}
	group.Wait()
}

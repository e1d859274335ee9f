package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

type event struct {
	N int `json:"n"`
}

func read(t *testing.T, name string) (list []int) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		list = append(list, e.N)
	}
	return list
}

func open(t *testing.T, name string) *Log {
	t.Helper()
	l, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestTwoProcessesShareAFileAndLoseNoLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	var wait sync.WaitGroup
	for _, l := range []*Log{open(t, name), open(t, name)} {
		for range 4 {
			wait.Go(func() {
				for n := range 100 {
					if err := l.Write(event{n}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wait.Wait()
	if got := read(t, name); len(got) != 800 {
		t.Errorf("%d lines, want 800", len(got))
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestAfterARenameReopeningBeginsANewFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, name)
	write := func(n int) {
		t.Helper()
		if err := l.Write(event{n}); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	write(2)
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(3)
	if old, now := read(t, name+".1"), read(t, name); len(old) != 2 || len(now) != 1 || now[0] != 3 {
		t.Errorf("%v in the old file and %v in the new one, want 1, 2 and 3", old, now)
	}
}

func TestWhatCannotBeReopenedIsWrittenToStill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := open(t, filepath.Join(dir, "audit.log"))
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("a directory that is gone is no error")
	}
	if err := l.Write(event{7}); err != nil {
		t.Error(err)
	}
	if got := read(t, filepath.Join(dir+".old", "audit.log")); len(got) != 1 {
		t.Errorf("%v, want the one line", got)
	}
}

// full takes so many bytes and no more, until it is given room.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.room)
	f.room -= n
	f.Buffer.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space left")
	}
	return n, nil
}

func TestALineBehindATornOneIsWhole(t *testing.T) {
	disk := &full{room: 12}
	l := To(disk)
	for n, good := range []bool{true, false, false} {
		if err := l.Write(event{n}); (err == nil) != good {
			t.Errorf("event %d: %v", n, err)
		}
	}
	disk.room = 100
	if err := l.Write(event{9}); err != nil {
		t.Fatal(err)
	}
	if got, want := disk.String(), "{\"n\":0}\n{\"n\"\n{\"n\":9}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

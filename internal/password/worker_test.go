package password

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this binary a worker too.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "work") {
		if Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// withWorkers is a hasher that has them, and what it has told of problems.
func withWorkers(t *testing.T, command ...string) (h *Hasher, w *workers, problems *atomic.Int64) {
	t.Helper()
	problems = new(atomic.Int64)
	w = newWorkers(command, func(err error) {
		t.Log(err)
		problems.Add(1)
	})
	h = newHasher(t, Config{Params: Params{Memory: 64, Time: 1, Threads: 1}})
	h.derive = w.derive
	t.Cleanup(func() {
		for _, p := range w.free {
			if p.timer.Stop() {
				p.end()
			}
		}
	})
	return h, w, problems
}

func wantVerified(t *testing.T, h *Hasher, phc, password string, want bool) {
	t.Helper()
	if ok, _, err := h.Verify(t.Context(), phc, password); ok != want || err != nil {
		t.Errorf("%q: %v %v, want %v", password, ok, err, want)
	}
}

func TestAWorkerDerivesWhatThisProcessWould(t *testing.T) {
	here := newHasher(t, Config{Params: Params{Memory: 64, Time: 1, Threads: 1}})
	there, w, problems := withWorkers(t, os.Args[0], "work")
	for _, password := range []string{"correct horse", "", "\x00\xff\xfe no text \xc3\x28", strings.Repeat("x", MaxLength-1)} {
		for _, pair := range [][2]*Hasher{{here, there}, {there, here}, {there, there}} {
			phc, err := pair[0].Hash(t.Context(), password)
			if err != nil {
				t.Fatal(err)
			}
			wantVerified(t, pair[1], phc, password, true)
			wantVerified(t, pair[1], phc, password+"!", false)
		}
	}
	if len(w.free) != 1 || problems.Load() != 0 {
		t.Errorf("%d workers, %d problems", len(w.free), problems.Load())
	}
}

func TestWithoutAWorkerThisProcessHashes(t *testing.T) {
	t.Run("no such program", func(t *testing.T) {
		h, _, problems := withWorkers(t, "/nowhere/at-all")
		wantHashed(t, h)
		wantHashed(t, h)
		if problems.Load() != 1 {
			t.Errorf("%d problems were told, within a minute", problems.Load())
		}
	})
	t.Run("one that says nothing", func(t *testing.T) {
		h, w, problems := withWorkers(t, os.Args[0], "-test.list=^$")
		wantHashed(t, h)
		if problems.Load() != 1 || len(w.free) != 0 {
			t.Errorf("%d problems were told", problems.Load())
		}
	})
	t.Run("one that was killed", func(t *testing.T) {
		h, w, problems := withWorkers(t, os.Args[0], "work")
		wantHashed(t, h)
		if err := w.free[0].process.Kill(); err != nil {
			t.Fatal(err)
		}
		wantHashed(t, h)
		if problems.Load() != 1 || len(w.free) != 0 {
			t.Errorf("%d problems were told, %d workers", problems.Load(), len(w.free))
		}
		w.after = time.Time{} // the minute is over
		wantHashed(t, h)
		if problems.Load() != 1 || len(w.free) != 1 {
			t.Errorf("afterwards: %d problems, %d workers", problems.Load(), len(w.free))
		}
	})
}

func wantHashed(t *testing.T, h *Hasher) {
	t.Helper()
	phc, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	wantVerified(t, newHasher(t, Config{}), phc, "correct horse", true)
}

func TestAWorkerThatNobodyNeedsIsEnded(t *testing.T) {
	h, w, problems := withWorkers(t, os.Args[0], "work")
	w.idle = 10 * time.Millisecond
	wantHashed(t, h)
	first := w.free[0].process
	for deadline := time.Now().Add(10 * time.Second); first.Signal(syscall.Signal(0)) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it runs on")
		}
	}
	w.idle = time.Minute
	wantHashed(t, h)
	if problems.Load() != 0 || len(w.free) != 1 || w.free[0].process == first {
		t.Errorf("%d problems, %d workers", problems.Load(), len(w.free))
	}
}

func TestAWorkerTakesNoHostileOrders(t *testing.T) {
	for _, order := range []string{
		`{`, `7`, `{}`, `{"Params":{"Memory":4294967295,"Time":1,"Threads":1},"Size":32}`,
		`{"Params":{"Memory":64,"Time":1,"Threads":0},"Size":32}`, `{"Params":{"Memory":64,"Time":1,"Threads":1},"Size":-1}`,
		`{"Params":{"Memory":64,"Time":1,"Threads":1},"Size":4000000000}`,
	} {
		var out bytes.Buffer
		if err := Work(strings.NewReader(order), &out); err == nil || out.Len() > 0 {
			t.Errorf("%s: %q, %v", order, out.String(), err)
		}
	}
}

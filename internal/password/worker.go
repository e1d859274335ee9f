package password

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
)

// order asks a worker for a key. The password is bytes: JSON keeps no others of a text.
type order struct {
	Password []byte
	Salt     []byte
	Params   Params
	Size     int
}

func (o order) check() error {
	if o.Size < 1 || o.Size > maxKey {
		return fmt.Errorf("a key of %d bytes", o.Size)
	}
	return o.Params.check()
}

// Work derives keys for another process, which writes orders to in and reads the keys
// from out, until in ends. It is what the program does that a Config names as Worker.
func Work(in io.Reader, out io.Writer) error {
	orders, keys := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o order
		err := orders.Decode(&o)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = o.check()
		}
		if err != nil {
			return fmt.Errorf("password hashing: order: %w", err)
		}
		if err := keys.Encode(derive(o)); err != nil {
			return fmt.Errorf("password hashing: answer: %w", err)
		}
		runtime.GC() // or the blocks of two hashes lie there at once
	}
}

const (
	workerIdle = 10 * time.Second // then it is ended, and its memory with it
	workerSlow = 30 * time.Second // no hash takes longer, unless its worker is stuck
	workerRest = time.Minute      // until another is begun after one that failed
)

// newWorkers makes workers of a program and its arguments. problem is told when there is
// none to be had.
func newWorkers(command []string, problem func(error)) *workers {
	return &workers{command: command, problem: problem, idle: workerIdle}
}

// workers are processes that derive keys, at a low priority: what else the service does
// goes before. Each does one at a time; the gate bounds how many there are.
type workers struct {
	command []string
	problem func(error)
	idle    time.Duration

	mu    sync.Mutex
	free  []*worker
	after time.Time // none is begun before
}

// worker is one process.
type worker struct {
	process *os.Process
	in, out *os.File
	keys    *json.Decoder
	timer   *time.Timer // ends it; nil while it works
}

// derive has a worker do it, and does it in this process where there is none to be had.
func (w *workers) derive(o order) []byte {
	p, err := w.take()
	if err != nil {
		w.trouble(err)
	}
	if p == nil {
		return derive(o)
	}
	key, err := p.derive(o)
	if err != nil {
		p.end()
		w.trouble(err)
		return derive(o)
	}
	w.putBack(p)
	return key
}

// take returns a worker that is free, or a new one; neither while none is to be begun.
func (w *workers) take() (*worker, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := len(w.free); n > 0; n = len(w.free) {
		p := w.free[n-1]
		w.free = w.free[:n-1]
		if p.timer.Stop() {
			return p, nil
		}
	}
	if time.Now().Before(w.after) {
		return nil, nil
	}
	return begin(w.command)
}

func (w *workers) trouble(err error) {
	w.mu.Lock()
	w.after = time.Now().Add(workerRest)
	w.mu.Unlock()
	w.problem(fmt.Errorf("password hashing: worker: %w", err))
}

func (w *workers) putBack(p *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.timer = time.AfterFunc(w.idle, p.end)
	w.free = append(w.free, p)
}

// begin starts a worker. It knows nothing of this process but what it is sent.
func begin(command []string) (*worker, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	defer theirOut.Close()
	process, err := os.StartProcess(command[0], command, &os.ProcAttr{
		Env: []string{"GOMAXPROCS=1"}, Files: []*os.File{theirIn, theirOut, os.Stderr}, Sys: apart(),
	})
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	yield(process.Pid)
	return &worker{process: process, in: in, out: out, keys: json.NewDecoder(out)}, nil
}

func (p *worker) derive(o order) (key []byte, err error) {
	until := time.Now().Add(workerSlow)
	if err := errors.Join(p.in.SetDeadline(until), p.out.SetDeadline(until)); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(p.in).Encode(o); err != nil {
		return nil, err
	}
	if err := p.keys.Decode(&key); err != nil {
		return nil, err
	}
	if len(key) != o.Size {
		return nil, fmt.Errorf("a key of %d bytes", len(key))
	}
	return key, nil
}

// end ends a worker that does nothing, or nothing right.
func (p *worker) end() {
	_ = errors.Join(p.in.Close(), p.out.Close(), p.process.Kill())
	_, _ = p.process.Wait()
}

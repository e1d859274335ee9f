package cli

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// bulk judges a stream of lines on all cores: whole lines are cut into chunks,
// each chunk is judged by one worker, and the answers are written in the order
// of the questions. Memory stays flat however long the stream is.
type bulk struct {
	// judge appends a line's answer and returns its exit code.
	judge func(out []byte, number int, line string) (answer []byte, code int)
	// failFast ends the stream behind the first line whose code is not 0.
	failFast bool

	lines, failed atomic.Int64
	buffers       sync.Pool // of *[]byte, for answers
}

const (
	chunkBytes = 64 << 10
	// maxLine bounds one token on standard input, in bytes; longer ones are cut,
	// which leaves them too long to be tokens.
	maxLine = 1 << 20
)

// chunk is some whole lines and what is said of them.
type chunk struct {
	first   int // number of its first line
	text    string
	out     []byte
	gravest int // least exit code above 0; 0: all are good
	stop    bool
	done    chan struct{}
}

// run judges all of in and returns the gravest exit code: the least above 0. A
// short stream, one token say, costs no worker.
func (b *bulk) run(in io.Reader, out io.Writer) (gravest int, err error) {
	from := &cutter{in: in, buffer: make([]byte, chunkBytes), number: 1}
	for {
		c, err := from.next()
		if c == nil {
			return gravest, err
		}
		if len(c.text) >= parallelBytes {
			rest, err := b.parallel(c, from, out)
			return graver(gravest, rest), err
		}
		b.work(c)
		gravest = graver(gravest, c.gravest)
		if err := b.answer(c, out); err != nil || c.stop {
			return gravest, err
		}
	}
}

// parallelBytes is how long a chunk is that is worth a worker.
const parallelBytes = 4 << 10

// graver is the graver of two exit codes: the lesser, but 0 is none.
func graver(a, b int) int {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

func (b *bulk) answer(c *chunk, out io.Writer) error {
	_, err := out.Write(c.out)
	b.buffers.Put(&c.out)
	return err
}

// parallel judges a chunk, and all that follow, on all cores.
func (b *bulk) parallel(c *chunk, from *cutter, out io.Writer) (gravest int, err error) {
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan *chunk), make(chan *chunk, 4*workers)
	halt := make(chan struct{})
	for range workers {
		go func() {
			for c := range jobs {
				b.work(c)
				close(c.done)
			}
		}()
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(jobs)
		for ; c != nil; c, readErr = from.next() {
			select {
			case <-halt:
				return
			case order <- c:
			}
			jobs <- c
		}
	}()
	for c := range order {
		<-c.done
		gravest = graver(gravest, c.gravest)
		if err := b.answer(c, out); err != nil || c.stop {
			close(halt)
			return gravest, err
		}
	}
	return gravest, readErr
}

// cutter cuts a stream into chunks. A chunk is what was there to be read, so that
// a slow writer is answered line by line.
type cutter struct {
	in     io.Reader
	buffer []byte
	held   int // bytes of the buffer that are no whole line yet
	number int // of the next line
	over   bool
	err    error // what ended it, but for its end
}

// next is the next chunk; nil when there is none, with what is wrong with the
// stream.
func (r *cutter) next() (*chunk, error) {
	for !r.over {
		if len(r.buffer)-r.held < chunkBytes/2 {
			r.buffer = append(r.buffer, make([]byte, chunkBytes)...)
		}
		n, err := r.in.Read(r.buffer[r.held:])
		r.held += n
		end := bytes.LastIndexByte(r.buffer[:r.held], '\n') + 1
		if errors.Is(err, io.EOF) {
			end, r.over = r.held, true
		} else if err != nil {
			r.over, r.err = true, err
		}
		if end > 0 {
			c := &chunk{first: r.number, text: string(r.buffer[:end]), done: make(chan struct{})}
			r.number += strings.Count(c.text, "\n")
			r.held = min(copy(r.buffer, r.buffer[end:r.held]), maxLine+1)
			return c, nil
		}
		r.held = min(r.held, maxLine+1) // a line that is longer: what it is has been decided
	}
	return nil, r.err
}

// work judges the lines of a chunk.
func (b *bulk) work(c *chunk) {
	text, number := c.text, c.first
	if used, ok := b.buffers.Get().(*[]byte); ok {
		c.out = (*used)[:0]
	}
	for len(text) > 0 {
		line := text
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		if line = bare(line); line != "" {
			var code int
			c.out, code = b.judge(c.out, number, line)
			b.lines.Add(1)
			if code != 0 {
				b.failed.Add(1)
				if c.gravest == 0 || code < c.gravest {
					c.gravest = code
				}
				if b.failFast {
					c.stop = true
					return
				}
			}
		}
		number++
	}
}

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

// run judges all of in and returns the gravest exit code: the least above 0.
func (b *bulk) run(in io.Reader, out io.Writer) (gravest int, err error) {
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
		readErr = b.read(in, func(c *chunk) bool {
			select {
			case <-halt:
				return false
			case order <- c:
			}
			jobs <- c
			return true
		})
	}()
	for c := range order {
		<-c.done
		if c.gravest > 0 && (gravest == 0 || c.gravest < gravest) {
			gravest = c.gravest
		}
		_, err = out.Write(c.out)
		b.buffers.Put(&c.out)
		if err != nil || c.stop {
			close(halt)
			return gravest, err
		}
	}
	return gravest, readErr
}

// read cuts the stream into chunks. A chunk is what was there to be read, so
// that a slow writer is answered line by line.
func (b *bulk) read(in io.Reader, give func(*chunk) bool) error {
	buffer := make([]byte, chunkBytes)
	number, held := 1, 0
	for {
		if len(buffer)-held < chunkBytes/2 {
			buffer = append(buffer, make([]byte, chunkBytes)...)
		}
		n, err := in.Read(buffer[held:])
		held += n
		end := bytes.LastIndexByte(buffer[:held], '\n') + 1
		if errors.Is(err, io.EOF) {
			end = held
		}
		if end > 0 {
			c := &chunk{first: number, text: string(buffer[:end]), done: make(chan struct{})}
			number += strings.Count(c.text, "\n")
			if !give(c) {
				return nil
			}
			held = copy(buffer, buffer[end:held])
		}
		held = min(held, maxLine+1) // a line that is longer: what it is has been decided
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
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

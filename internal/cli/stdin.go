package cli

import (
	"context"
	"io"
)

// interruptible is standard input that stops waiting when ctx ends: since
// SIGINT ends ctx, it does not end a read by itself.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	read chan piece // of a read that is under way; nil: none
	left []byte     // of the last piece
}

type piece struct {
	data []byte
	err  error
}

// Read returns what is left, then waits for more. The waiting goroutine has a
// buffer of its own: it may outlive the call.
func (r *interruptible) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.read == nil {
			r.read = make(chan piece, 1)
			go func(read chan<- piece) {
				buffer := make([]byte, 64<<10)
				n, err := r.from.Read(buffer)
				read <- piece{buffer[:n], err}
			}(r.read)
		}
		select {
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		case c := <-r.read:
			r.left, r.read = c.data, nil
			if len(c.data) == 0 && c.err != nil {
				return 0, c.err
			}
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Package audit writes an audit log: one JSON object a line, each in one write,
// appended to a file that several processes of a machine may share.
//
// It never rewrites or removes a line, never rotates the file (Reopen lets others
// do), and does not flush it: after a loss of power the last lines may be gone.
package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Log is an audit log. It is safe for concurrent use.
type Log struct {
	path string // empty: a stream of somebody else's

	mu   sync.Mutex
	out  io.Writer
	file *os.File
	torn bool // the last line is not whole
}

// Open appends to a file, which is made, readable by its owner alone, when it is
// missing.
func Open(path string) (*Log, error) {
	l := &Log{path: path}
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	return l, nil
}

// To writes to a stream, which is the caller's to close.
func To(stream io.Writer) *Log { return &Log{out: stream} }

// Reopen opens the file by its name again, after somebody has given it another one.
// With an error the log goes on with the file that it has. A stream stays as it is.
func (l *Log) Reopen() error {
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	l.file, l.out, l.torn = file, file, false
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write appends an event. With an error it may be there in part, and the next one
// begins on a line of its own.
func (l *Log) Write(event any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := line.Bytes()
	if l.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := l.out.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if n > 0 {
		l.torn = n < len(b)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Close closes the file; later events are errors.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

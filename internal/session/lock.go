package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// poll is how often a lock that is taken is tried again.
const poll = 10 * time.Millisecond

// lock is the right to write. The operating system ends it with the process, so
// that a dead holder keeps nobody out; the file stays, since removing it would
// let two hold the lock at once.
type lock struct {
	flock *flock.Flock
	sign  *os.File // nil when it could not be opened
}

// lock waits for the lock file beside the target.
func (f *File) lock(ctx context.Context, target string) (*lock, error) {
	name := target + ".lock"
	l := &lock{flock: flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))}
	waiting, cancel := context.WithTimeout(ctx, f.c.Wait)
	defer cancel()
	_, err := l.flock.TryLockContext(waiting, poll)
	switch {
	case err == nil:
		l.sign, _ = os.OpenFile(name, os.O_WRONLY, 0) // only a word to people
		l.write(strconv.Itoa(os.Getpid()))
		return l, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("wait for %s: %w", show(name), context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &Error{Problem: fmt.Sprintf("%s is locked by %s, gave up after %s", show(f.c.File), holder(name), f.c.Wait), Cause: ErrLocked}
	}
	return nil, fault(name, err)
}

// write says who holds the lock to those who wait: behind the first byte, which
// is what is locked where locks keep readers out too. A full disk is found out
// about elsewhere.
func (l *lock) write(who string) {
	if l.sign != nil {
		_, _ = l.sign.WriteAt(fmt.Appendf(nil, "%-20s\n", who), 1)
	}
}

// release lets the next one in.
func (l *lock) release() {
	if l.sign != nil {
		l.write("")
		l.sign.Close()
	}
	_ = l.flock.Unlock()
}

// holder says who signed a lock file.
func holder(name string) string {
	const unknown = "another process"
	f, err := os.Open(name)
	if err != nil {
		return unknown
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 1, 20))
	if err != nil {
		return unknown
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return unknown
	}
	return fmt.Sprintf("process %d", pid)
}

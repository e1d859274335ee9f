package verifier

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Feed is where revocations come from: a store, a file, a server.
type Feed interface {
	// Next adds the facts that came after a cursor to a set and returns the cursor
	// behind them. The first cursor is empty. It may wait for facts, no longer
	// than ctx lasts; without any it returns the same cursor.
	Next(ctx context.Context, cursor string, into *Revocations) (next string, err error)
}

// Dated is a Feed that knows how old its answers are. Of another one it is taken
// that an answer is as old as the question.
type Dated interface {
	Feed
	// AsOf is the instant, by this machine's clock, up to which the set is whole after
	// the last Next; false: there is more to come.
	AsOf() (time.Time, bool)
}

// FollowerConfig says what is followed.
type FollowerConfig struct {
	Feed Feed         // required
	Into *Revocations // required
	// Every is the time between two looks. Default 100 ms.
	Every time.Duration
	// StaleAfter is the age at which Fresh no longer vouches for the set. Default 1
	// s.
	StaleAfter time.Duration
	// OnError is told when the feed begins to fail, and gets nil when it is well
	// again. Default: nobody.
	OnError func(error)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Follower keeps a set of revocations as new as its feed. Give its Fresh to the
// Verifier's configuration.
type Follower struct {
	FollowerConfig
	cursor string
	synced atomic.Pointer[time.Time] // nil: never
}

// NewFollower makes a Follower, which does nothing before Run.
func NewFollower(c FollowerConfig) (*Follower, error) {
	if c.Feed == nil || c.Into == nil {
		return nil, errors.New("a follower needs a feed and a set to fill")
	}
	if c.Every < 0 || c.StaleAfter < 0 {
		return nil, fmt.Errorf("a follower that looks every %s and is stale after %s", c.Every, c.StaleAfter)
	}
	if c.Every == 0 {
		c.Every = 100 * time.Millisecond
	}
	if c.StaleAfter == 0 {
		c.StaleAfter = time.Second
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Follower{FollowerConfig: c}, nil
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	for failures := 0; ; {
		// From here on, so that a feed that has waited is asked again at once.
		pause := time.NewTimer(f.pause(failures))
		was := f.cursor
		err := f.Sync(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil && failures > 0:
			failures = 0
			f.OnError(nil)
		case err != nil:
			if failures++; failures == 1 {
				f.OnError(err)
			}
		case f.cursor != was: // where there was something, there may be more
			pause.Reset(0)
		}
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// pause doubles after each failure, to 2 s at the most, and none is like another's: a
// server that comes back is not asked by all at once.
func (f *Follower) pause(failures int) time.Duration {
	if failures == 0 {
		return f.Every
	}
	longest := max(f.Every, min(f.Every<<min(failures, 8), 2*time.Second))
	return longest/2 + rand.N(longest/2+1)
}

// Sync takes over what has come since the last time. Not to be called while Run
// does.
func (f *Follower) Sync(ctx context.Context) error {
	dated, _ := f.Feed.(Dated)
	for {
		asOf := f.Now()
		next, err := f.Feed.Next(ctx, f.cursor, f.Into)
		if err != nil {
			return err
		}
		whole := next == f.cursor
		f.cursor = next
		if dated != nil {
			asOf, whole = dated.AsOf()
		}
		if whole {
			f.synced.Store(&asOf)
			return nil
		}
	}
}

// Lag is how old the set is: what was revoked before is in it. Until something was
// read it is the longest Duration.
func (f *Follower) Lag() time.Duration {
	steady, wall := f.ages()
	return max(steady, wall)
}

// ages are by both clocks: the monotonic one stands still while the machine sleeps,
// the other one can be set.
func (f *Follower) ages() (steady, wall time.Duration) {
	synced := f.synced.Load()
	if synced == nil {
		return math.MaxInt64, math.MaxInt64
	}
	now := f.Now()
	return now.Sub(*synced), now.Round(0).Sub(synced.Round(0))
}

// Fresh returns an ErrUnavailable when the set is older than StaleAfter: then
// nobody can say that a token is not revoked.
func (f *Follower) Fresh() error {
	steady, wall := f.ages()
	switch {
	case steady == math.MaxInt64:
		return token.Refuse(token.ErrUnavailable, "the revocations have not been read yet")
	// A clock that went back proves nothing.
	case min(steady, wall) >= 0 && max(steady, wall) <= f.StaleAfter:
		return nil
	}
	return token.Refuse(token.ErrUnavailable, "the revocations are %s old", span(max(steady, wall)))
}

// FileFeed follows a file that Save began and AppendFacts lets grow. A file of
// another identity in its place is read from its beginning: facts are never
// taken back, so none can be lost by that.
type FileFeed struct{ Path string }

// Next is described at Feed. A block that is being written is left for later.
func (f FileFeed) Next(_ context.Context, cursor string, into *Revocations) (string, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return cursor, err
	}
	defer file.Close()
	id, err := readHeader(file)
	if err != nil {
		return cursor, fmt.Errorf("%s: %w", f.Path, err)
	}
	name := hex.EncodeToString(id[:])
	at := int64(headerBytes)
	if old, offset, ok := strings.Cut(cursor, ":"); ok && old == name {
		if at, err = strconv.ParseInt(offset, 10, 64); err != nil {
			return cursor, fmt.Errorf("cursor %q is not of a file", clip(cursor))
		}
	}
	at, err = followBlocks(file, at, into)
	if err != nil {
		return cursor, fmt.Errorf("%s: %w", f.Path, err)
	}
	return name + ":" + strconv.FormatInt(at, 10), nil
}

// followBlocks adds the blocks from an offset on and returns that behind the last
// whole one.
func followBlocks(file *os.File, at int64, into *Revocations) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return at, err
	}
	if info.Size() < at {
		return at, fmt.Errorf("%w: it has become shorter", ErrCorrupt)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(file, at, info.Size()-at), 64<<10)
	table := castagnoli()
	for {
		b, err := readBlock(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return at, nil
		}
		if err == nil {
			err = into.addBlock(b, table)
		}
		if err != nil {
			return at, err
		}
		at += blockHeader + int64(len(b.payload))
	}
}

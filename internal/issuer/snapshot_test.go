package issuer_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// feedPage is what an answer of the feed says.
type feedPage struct {
	signed           string
	Next             string
	More             bool
	Facts            [][]any
	Tokens, Sessions *string
}

// ids are the keys among tokens, or sessions.
func ids(t testing.TB, member *string) (list []string) {
	t.Helper()
	if member == nil {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*member)
	if err != nil || len(b)%20 != 0 {
		t.Fatalf("%d bytes of ids, %v", len(b), err)
	}
	for ; len(b) > 0; b = b[20:] {
		list = append(list, string(b[:16]))
	}
	return list
}

func (w *world) feed(q issuer.FeedQuery) (p feedPage, err error) {
	w.Helper()
	q.Came = w.clock.Now()
	answer, err := w.door.Feed(w.Context(), q)
	if err != nil {
		return p, err
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(answer.Signed, ".")[1])
	w.do(errors.Join(err, json.Unmarshal(text, &p)))
	if p.signed = answer.Signed; p.Next != answer.Next {
		w.Fatalf("next is %q and %q", p.Next, answer.Next)
	}
	return p, nil
}

// revokeIDs revokes tokens whose keys begin with a byte: so many in one part.
func (w *world) revokeIDs(part byte, from, to int) {
	w.Helper()
	var commands []store.Command
	for i := from; i < to; i++ {
		commands = append(commands, store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: partKey(part, i), At: 1}})
	}
	w.do(w.hook.Store.Apply(w.Context(), commands...))
}

func partKey(part byte, i int) string {
	key := [16]byte{part}
	binary.BigEndian.PutUint64(key[8:], uint64(i+1))
	return string(key[:])
}

// The largest part decides. 8 MiB of it are within what a follower reads, and a part
// that grows beyond what is told while a snapshot is under way ends that.
func TestASnapshotIsToldWhereEachPartHasRoomInAPage(t *testing.T) {
	w := newWorld(t)
	const most = 8 << 20 / 20
	w.revokeIDs(0, 0, 10)
	w.revokeIDs(7, 0, most)
	w.reopen()
	p, err := w.feed(issuer.FeedQuery{Snapshot: true})
	w.do(err)
	if n := len(ids(t, p.Tokens)); n != 10 || !p.More {
		t.Fatalf("the first page has %d ids, more: %t", n, p.More)
	}
	middle := p.Next
	p, err = w.feed(issuer.FeedQuery{Snapshot: true, After: middle})
	w.do(err)
	if n := len(ids(t, p.Tokens)); n != most || len(p.signed) > verifier.MaxFeedAnswer || len(p.signed) < 12<<20 {
		t.Fatalf("the second page has %d ids in %d bytes", n, len(p.signed))
	}
	w.revokeIDs(7, most, most+1)
	w.reopen()
	p, err = w.feed(issuer.FeedQuery{Snapshot: true})
	w.do(err)
	if p.Tokens != nil || p.Sessions != nil || len(p.Facts) == 0 || !p.More {
		t.Errorf("a part is too large, and there is a snapshot: %.200q", p.signed)
	}
	// One that has begun goes on, to what a follower reads.
	p, err = w.feed(issuer.FeedQuery{Snapshot: true, After: middle})
	w.do(err)
	if len(ids(t, p.Tokens)) != most+1 || len(p.signed) > verifier.MaxFeedAnswer {
		t.Errorf("%d bytes", len(p.signed))
	}
	w.revokeIDs(7, most, most+60_000)
	w.reopen()
	if p, err := w.feed(issuer.FeedQuery{Snapshot: true, After: middle}); !errors.Is(err, issuer.ErrCursor) {
		t.Errorf("a page of %d bytes, %v", len(p.signed), err)
	}
}

// reopen is another start over the same store.
func (w *world) reopen() {
	w.Helper()
	w.do(w.open())
}

// TestAProcessThatBeginsKnowsAllFacts has many facts read by several at once, with and
// without large gaps in their numbers, while others add to them.
func TestAProcessThatBeginsKnowsAllFacts(t *testing.T) {
	for _, c := range []struct{ many, over int }{
		{0, 0}, {1, 0}, {4095, 0}, {4096, 0}, {4097, 0}, {8192, 0}, {20_000, 10_000}, {150_000, 0}, {150_000, 149_999}, {300_000, 290_000},
	} {
		t.Run(fmt.Sprintf("%d of %d over", c.over, c.many), func(t *testing.T) {
			w := newWorld(t)
			w.revokeIDs(1, 0, c.many-c.over-c.many%100)
			w.do(w.hook.Store.Apply(t.Context(), overIDs(c.over)...))
			w.revokeIDs(1, c.many-c.over-c.many%100, c.many-c.over)
			w.do(w.hook.Store.Apply(t.Context(), store.Purge{Before: 10, Limit: c.over + 1, Removed: new(int64)}))
			var mu sync.Mutex
			late := 0
			w.hook.set(func(h *hooked) {
				h.onFacts = func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					late++
					w.revokeIDs(2, late-1, late)
					return nil
				}
			})
			w.reopen()
			w.hook.set(func(h *hooked) { h.onFacts = nil })
			for _, snapshot := range []bool{true, false} {
				if n := len(w.told(snapshot)); n != c.many-c.over+late {
					t.Errorf("%d of %d facts are told, snapshot %t", n, c.many-c.over+late, snapshot)
				}
			}
		})
	}
}

// overIDs are facts that a purge removes.
func overIDs(n int) []store.Command {
	list := make([]store.Command, n)
	for i := range list {
		list[i] = store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: partKey(3, i), At: 1, Until: 2}}
	}
	return list
}

// told are the keys of all tokens that the feed tells from its beginning.
func (w *world) told(snapshot bool) map[string]bool {
	w.Helper()
	told, q := map[string]bool{}, issuer.FeedQuery{Snapshot: snapshot}
	for {
		p, err := w.feed(q)
		w.do(err)
		for _, key := range ids(w, p.Tokens) {
			told[key] = true
		}
		for _, f := range p.Facts {
			if key, err := base64.RawURLEncoding.DecodeString(f[1].(string)); err == nil && f[0] == store.RevokeToken {
				told[string(key)] = true
			}
		}
		if q.After = p.Next; !p.More {
			return told
		}
	}
}

// TestWhatComesBehindTheEndOfOneReaderIsNotSkipped has one reader of a process that
// begins find the end, and then so much come that the next finds facts in its stretch.
func TestWhatComesBehindTheEndOfOneReaderIsNotSkipped(t *testing.T) {
	w := newWorld(t)
	w.revokeIDs(1, 0, 5000)
	var calls atomic.Int64
	second := make(chan struct{})
	w.hook.set(func(h *hooked) {
		h.onFacts = func(context.Context) error {
			switch calls.Add(1) {
			case 2: // the first reader
				select {
				case <-second:
				case <-time.After(time.Second):
				}
			case 3: // the second
				close(second)
				time.Sleep(200 * time.Millisecond)
				w.revokeIDs(2, 0, 100_000)
			}
			return nil
		}
	})
	w.reopen()
	w.hook.set(func(h *hooked) { h.onFacts = nil })
	if n := len(w.told(true)); n != 105_000 {
		t.Errorf("%d facts are told", n)
	}
}

// TestNoReplicaTellsAPageBeforeItKnowsWhatTheFirstKnew has a snapshot begin at one
// and go on at another, which has not looked at the store since.
func TestNoReplicaTellsAPageBeforeItKnowsWhatTheFirstKnew(t *testing.T) {
	w := newWorld(t)
	w.revokeIDs(0, 0, 30_000) // a page of their own
	w.reopen()
	behind := w.twin()
	w.revokeIDs(9, 0, 1)
	w.reopen()
	first, err := w.feed(issuer.FeedQuery{Snapshot: true})
	w.do(err)
	if n := len(ids(t, first.Tokens)); n != 30_000 {
		t.Fatalf("the first page has %d", n)
	}
	second, err := behind.feed(issuer.FeedQuery{Snapshot: true, After: first.Next})
	w.do(err)
	if list := ids(t, second.Tokens); len(list) != 1 || list[0] != partKey(9, 0) {
		t.Errorf("the second page has %d", len(list))
	}
	// A fact that neither has read is not lost: it is behind the snapshot.
	w.revokeIDs(8, 0, 1)
	w.clock.move(2 * time.Second)
	third, err := w.feed(issuer.FeedQuery{Snapshot: true, After: second.Next})
	w.do(err)
	if len(third.Facts) != 1 || third.Tokens != nil || third.More {
		t.Errorf("behind the snapshot: %v", third.Facts)
	}
	// One that cannot look has no page.
	behind.hook.set(func(h *hooked) { h.broken = errDown })
	w.revokeIDs(7, 0, 1)
	w.reopen()
	first, err = w.feed(issuer.FeedQuery{Snapshot: true})
	w.do(err)
	if _, err := behind.feed(issuer.FeedQuery{Snapshot: true, After: first.Next}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("it cannot look at the store: %v", err)
	}
}

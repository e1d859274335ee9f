package cli

import (
	"context"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// quiet is a feed that has nothing to tell.
type quiet struct{ asked int }

func (q *quiet) Next(_ context.Context, cursor string, _ *verifier.Revocations) (string, error) {
	q.asked++
	return cursor, nil
}

func (q *quiet) AsOf() (time.Time, bool) { return time.Time{}, true }

func TestAStreamForgetsWhatIsOver(t *testing.T) {
	now := time.Now()
	feed, set := &quiet{}, new(verifier.Revocations)
	follower := &tidied{Dated: feed, now: func() time.Time { return now }}
	look := func() {
		t.Helper()
		if next, err := follower.Next(t.Context(), "7", set); next != "7" || err != nil {
			t.Fatal(next, err)
		}
	}
	look()
	for n := range 10 {
		set.Add(verifier.Fact{Kind: verifier.RevokedToken, Key: string([]byte{byte(n + 1), 15: 0}), Until: now.Add(time.Duration(n+1) * 20 * time.Second).UnixMicro()})
	}
	held := set.Len()
	now = now.Add(30 * time.Second)
	if look(); set.Len() != held || held != 10 {
		t.Errorf("%d of %d facts half a minute later", set.Len(), held)
	}
	now = now.Add(40 * time.Second)
	if look(); set.Len() != 7 || feed.asked != 3 {
		t.Errorf("%d facts after 70 s, want the 7 that are not over", set.Len())
	}
}

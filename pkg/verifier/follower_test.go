package verifier

import (
	"context"
	"testing"
	"time"
)

// silent is a feed that never has anything.
type silent struct{}

func (silent) Next(context.Context, string, *Revocations) (string, error) { return "", nil }

func TestAClockThatWentBackMakesNothingFresh(t *testing.T) {
	now := testNow
	f, err := NewFollower(FollowerConfig{Feed: silent{}, Into: new(Revocations), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if f.Fresh() == nil {
		t.Error("fresh before anything was read")
	}
	if err := f.Sync(t.Context()); err != nil || f.Fresh() != nil {
		t.Fatalf("not fresh when it was read just now: %v, %v", err, f.Fresh())
	}
	for _, later := range []time.Duration{-time.Hour, -time.Microsecond, time.Second + time.Microsecond, time.Hour} {
		now = testNow.Add(later)
		if f.Fresh() == nil {
			t.Errorf("fresh %s later", later)
		}
	}
}

func TestAFollowerRefusesTimesThatMakeNoSense(t *testing.T) {
	for _, c := range []FollowerConfig{{Every: -1}, {StaleAfter: -1}} {
		c.Feed, c.Into = silent{}, new(Revocations)
		if _, err := NewFollower(c); err == nil {
			t.Errorf("%s and %s were taken", c.Every, c.StaleAfter)
		}
	}
}

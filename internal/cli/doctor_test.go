package cli

import (
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestADateThatWasCutToTheSecondIsNoSkew(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(1700000000000 + ms) }
	for _, row := range []struct {
		sent, came, date int64
		want             time.Duration
	}{
		{0, 100, 0, 0},
		{900, 1100, 0, 0},
		{999, 1000, 1000, 0},
		{5000, 5100, 0, 4 * time.Second},
		{0, 100, 5000, -4900 * time.Millisecond},
		{0, 9000, 5000, 0}, // a slow answer proves nothing
	} {
		if got := skew(at(row.sent), at(row.came), at(row.date)); got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

func TestTheGravestFailureIsTheOneToMendFirst(t *testing.T) {
	d := &doctor{app: &app{}}
	if d.ok("a", "fine"); d.gravest() != exitOK {
		t.Error(d.gravest())
	}
	if d.warnOf("b", "", "odd"); d.gravest() != exitOK {
		t.Error(d.gravest())
	}
	for _, step := range []struct {
		err  error
		want int
	}{
		{token.ErrExpired, exitNotNow},
		{token.ErrRevoked, exitRevoked},
		{client.ErrUnreachable, exitUnreachable},
		{token.ErrExpired, exitUnreachable},
		{&stateError{problem: "full"}, exitState},
		{&configError{problem: "broken"}, exitConfig},
		{client.ErrUnreachable, exitConfig},
	} {
		if d.fail("c", step.err); d.gravest() != step.want {
			t.Errorf("after %v: %d", step.err, d.gravest())
		}
	}
}

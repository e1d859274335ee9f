package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// kept is a keeper in a world of its own: a clock, a service that gives tokens of
// that life, and what is said on stderr.
type kept struct {
	*keeper
	clock  time.Time
	life   time.Duration
	asked  int
	fails  error
	whose  string
	absent error
	said   []string
}

func newKept(t *testing.T, life, least time.Duration) *kept {
	t.Helper()
	file, err := session.NewTokenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	k := &kept{clock: time.Unix(1700000000, 0), life: life, whose: "marco"}
	k.keeper = &keeper{
		file: file, least: least, whose: "marco", now: func() time.Time { return k.clock }, fresh: k.give1,
		login: func() (string, error) { return k.whose, k.absent },
		tell:  func(format string, args ...any) { k.said = append(k.said, fmt.Sprintf(format, args...)) },
	}
	if k.set, err = k.give1(t.Context(), 0); err == nil {
		err = k.give()
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kept) give1(context.Context, time.Duration) (token.Set, error) {
	if k.fails != nil {
		return token.Set{}, k.fails
	}
	k.asked++
	return token.Set{AccessToken: token.NewSecret(fmt.Sprint("token-", k.asked)), ExpiresAt: k.clock.Add(k.life)}, nil
}

// pass lets time go by in steps of a second, with a look at each.
func (k *kept) pass(d time.Duration) {
	for range int(d / time.Second) {
		k.clock = k.clock.Add(time.Second)
		k.bear(k.look(context.Background()))
	}
}

func (k *kept) holds() string {
	text, err := os.ReadFile(k.file.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return "nothing"
	}
	return string(text)
}

func TestATokenIsRenewedBeforeItsEnd(t *testing.T) {
	for _, row := range []struct {
		life, least time.Duration
		first       time.Duration // when the second token comes
	}{
		{time.Hour, 0, 59 * time.Minute},
		{time.Minute, 0, 30 * time.Second},
		{time.Hour, 10 * time.Minute, 50 * time.Minute},
	} {
		k := newKept(t, row.life, row.least)
		k.pass(row.first - time.Second)
		if got := k.holds(); got != "token-1" {
			t.Errorf("life %s, least %s: %s too early", row.life, row.least, got)
		}
		k.pass(time.Second)
		if got := k.holds(); got != "token-2" {
			t.Errorf("life %s, least %s: %s, too late", row.life, row.least, got)
		}
		if len(k.said) > 0 {
			t.Errorf("said %q", k.said)
		}
	}
}

func TestAServiceThatIsAwayCostsTheFileOnlyWhenItsTokenIsOver(t *testing.T) {
	k := newKept(t, time.Hour, 0)
	k.fails = fmt.Errorf("%w: no answer in time", client.ErrUnreachable)
	k.pass(time.Hour - time.Second)
	if got := k.holds(); got != "token-1" || len(k.said) > 0 {
		t.Errorf("%s, said %q", got, k.said)
	}
	k.pass(2 * time.Minute)
	if got := k.holds(); got != "nothing" || len(k.said) != 1 || !strings.Contains(k.said[0], "has expired and cannot be renewed") {
		t.Errorf("%s, said %q", got, k.said)
	}
	k.fails = nil
	k.pass(keeperPatience)
	if got := k.holds(); got != "token-2" || len(k.said) != 2 || !strings.HasSuffix(k.said[1], "is back") {
		t.Errorf("%s, said %q", got, k.said)
	}
}

func TestALoginThatIsOverIsNoticedAtOnce(t *testing.T) {
	k := newKept(t, time.Hour, 0)
	if err := k.look(t.Context()); err != nil {
		t.Error(err)
	}
	k.absent = errors.New("read: input/output error")
	if err := k.look(t.Context()); err != nil {
		t.Errorf("a file that cannot be read for once: %v", err)
	}
	k.absent = &session.Error{Problem: "no login", Cause: session.ErrNoLogin}
	if err := k.look(t.Context()); !ended(err) {
		t.Error(err)
	}
	k.absent, k.whose = nil, "root"
	if err := k.look(t.Context()); !ended(err) {
		t.Error(err)
	}
	if k.asked != 1 {
		t.Errorf("the service was asked %d times", k.asked)
	}
}

func TestWhatEndsALoginIsNoOutage(t *testing.T) {
	for _, err := range []error{token.ErrRevoked, token.ErrUnknown, token.ErrExpired, token.ErrCredentials} {
		if !ended(fmt.Errorf("refresh: %w", err)) {
			t.Errorf("%v ends nothing", err)
		}
	}
	for _, err := range []error{nil, client.ErrUnreachable, token.ErrUnavailable, token.ErrThrottled, session.ErrLocked} {
		if ended(err) {
			t.Errorf("%v ends a login", err)
		}
	}
}

func TestWhatHasExpiredNeedNotBeRevoked(t *testing.T) {
	k := newKept(t, time.Hour, 0)
	k.pass(3*time.Hour - time.Minute)
	var voided []string
	err := k.revoke(t.Context(), func(_ context.Context, raw token.Secret) error {
		voided = append(voided, raw.Reveal())
		return nil
	})
	if err != nil || strings.Join(voided, " ") != "token-4" && strings.Join(voided, " ") != "token-4 token-3" {
		t.Errorf("%v, %v of %d", voided, err, len(k.given))
	}
	if err := k.revoke(t.Context(), func(context.Context, token.Secret) error { return client.ErrUnreachable }); !errors.Is(err, client.ErrUnreachable) {
		t.Error(err)
	}
}

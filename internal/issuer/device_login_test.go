package issuer_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) newDevice() (token.Secret, store.Ticket) {
	w.Helper()
	code, t, err := w.door.NewDevice(w.Context(), store.Ticket{Client: "billing", Scope: "read write"})
	w.do(err)
	return code, t
}

func TestAUserCodeIsEightLettersThatSpellNothingAndCannotBeMistaken(t *testing.T) {
	_, w := newDoors(t)
	form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{8}$`)
	seen, letters := map[string]bool{}, map[rune]int{}
	for range 500 {
		code, ticket := w.newDevice()
		if !form.MatchString(ticket.UserCode) || seen[ticket.UserCode] || !strings.HasPrefix(code.Reveal(), "ats_dc_") {
			t.Fatalf("user code %q, device code %.8s", ticket.UserCode, code.Reveal())
		}
		seen[ticket.UserCode] = true
		for _, r := range ticket.UserCode {
			letters[r]++
		}
	}
	for r, n := range letters { // 200 each, give or take 14
		if n < 120 || n > 280 {
			t.Errorf("the letter %c came %d times of 4000", r, n)
		}
	}
	if len(letters) != 20 {
		t.Errorf("%d letters, want 20", len(letters))
	}
}

func TestAUserCodeIsReadAsPeopleTypeIt(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", "wdjbmjht": "WDJBMJHT", " wdjb mjht ": "WDJBMJHT", "W.D.J.B_M/J\tHT": "WDJBMJHT",
		"WDJB–MJHT": "WDJBMJHT", "AEIOU": "", "": "", "é-Ж": "", "WDJB-MJH1": "WDJBMJH",
	} {
		if got := issuer.ParseUserCode(typed); got != want {
			t.Errorf("%q is read as %q, want %q", typed, got, want)
		}
	}
	if shown := issuer.ShowUserCode("WDJBMJHT"); shown != "WDJB-MJHT" || issuer.ParseUserCode(shown) != "WDJBMJHT" {
		t.Errorf("shown as %q", shown)
	}
	if shown := issuer.ShowUserCode("ABC"); shown != "ABC" {
		t.Errorf("a short one is shown as %q", shown)
	}
}

func TestAUserCodeThatSomebodyElseHasIsNotGivenAgain(t *testing.T) {
	_, w := newDoors(t)
	taken := 0
	w.hook.set(func(h *hooked) {
		h.onApply = func([]store.Command) error {
			if taken++; taken < 4 {
				return fmt.Errorf("ticket: %w", store.ErrExists)
			}
			return nil
		}
	})
	code, made := w.newDevice()
	if found, err := w.door.DeviceByUserCode(t.Context(), made.UserCode); err != nil || found.ID != made.ID || taken != 4 {
		t.Errorf("after %d tries: %v", taken, err)
	}
	if found, err := w.door.Device(t.Context(), "billing", code); err != nil || found.ID != made.ID {
		t.Errorf("by the device code: %v", err)
	}
}

func TestADeviceIsDecidedAboutOnce(t *testing.T) {
	_, w := newDoors(t)
	for _, approved := range []bool{true, false} {
		code, ticket := w.newDevice()
		w.wantNotRedeemed(code, token.ErrExpired, "before anybody decided")
		if found, err := w.door.DeviceByUserCode(t.Context(), issuer.ShowUserCode(ticket.UserCode)); err != nil || found.ID != ticket.ID {
			t.Fatalf("by what was typed: %v", err)
		}
		w.do(w.door.Decide(t.Context(), ticket, approved, "marco", "read", w.door.Tick()))
		for _, other := range []bool{true, false} {
			if err := w.door.Decide(t.Context(), ticket, other, "mallory", "write", w.door.Tick()); !errors.Is(err, token.ErrUnknown) {
				t.Errorf("a second decision: %v", err)
			}
		}
		if _, err := w.door.DeviceByUserCode(t.Context(), ticket.UserCode); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("the user code afterwards: %v", err)
		}
		if !approved {
			w.wantNotRedeemed(code, token.ErrExpired, "a denied one")
			continue
		}
		live := w.live(w.redeemed(code))
		if scope, _ := live.String("scope"); live.Subject() != "marco" || scope != "read" {
			t.Errorf("token of %q with the scope %q, want those of the decision", live.Subject(), scope)
		}
	}
}

func TestOfManyDecisionsAtOnceOneHolds(t *testing.T) {
	_, w := newDoors(t)
	for range 20 {
		code, ticket := w.newDevice()
		var held atomic.Pointer[string]
		var group sync.WaitGroup
		for i := range 32 {
			group.Go(func() {
				name := fmt.Sprintf("user%d", i)
				if w.door.Decide(t.Context(), ticket, true, name, "read", w.door.Tick()) == nil && held.Swap(&name) != nil {
					t.Error("two decisions held")
				}
			})
		}
		group.Wait()
		if held.Load() == nil {
			t.Fatal("no decision held")
		}
		if subject := w.live(w.redeemed(code)).Subject(); subject != *held.Load() {
			t.Errorf("token of %s, %s had decided", subject, *held.Load())
		}
	}
}

func TestADeviceCanBeDecidedAboutForTenMinutes(t *testing.T) {
	_, w := newDoors(t)
	w.clock.move(time.Second)
	_, early := w.newDevice()
	late, lateTicket := w.newDevice()
	w.clock.move(10*time.Minute - time.Millisecond)
	w.do(w.door.Decide(t.Context(), early, true, "marco", "read", w.door.Tick()))
	w.clock.move(2 * time.Millisecond)
	if _, err := w.door.DeviceByUserCode(t.Context(), lateTicket.UserCode); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("the user code afterwards: %v", err)
	}
	if err := w.door.Decide(t.Context(), lateTicket, true, "marco", "read", w.door.Tick()); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("a decision afterwards: %v", err)
	}
	w.wantNotRedeemed(late, token.ErrExpired, "the device code afterwards")
}

func TestADeviceOfAnotherTenantIsUnknown(t *testing.T) {
	ats := newWorld(t)
	ats.addUser("marco")
	w, other := ats.standard(), ats.standard(func(c *issuer.DoorConfig) { c.Tenant, c.Issuer = "other", "https://other.example.org" })
	code, ticket := w.newDevice()
	if _, err := other.door.DeviceByUserCode(t.Context(), ticket.UserCode); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("by its user code: %v", err)
	}
	if _, err := other.door.Device(t.Context(), "billing", code); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("by its device code: %v", err)
	}
}

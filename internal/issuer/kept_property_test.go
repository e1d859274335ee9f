package issuer_test

import (
	"errors"
	"testing"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestASettingSaysHowLongTokensThatAreRowsLive(t *testing.T) {
	w := newKept(t)
	before := w.keep("bob", "app", "write")
	w.do(w.issuer.SetProperty(t.Context(), store.DefaultTenant, issuer.PropertyAccessExpire, "60"))
	again, err := w.awx.KeepAgain(t.Context(), before.Refresh, "app", "")
	w.do(err)
	for what, k := range map[string]issuer.Kept{"made": w.keep("bob", "app", "write"), "refreshed": again} {
		if got := k.ExpiresAt - k.CreatedAt; got != 60_000_000 {
			t.Errorf("%s: it lives for %d µs, want 60 s", what, got)
		}
	}
	w.do(w.issuer.ResetProperty(t.Context(), store.DefaultTenant, issuer.PropertyAccessExpire))
	if k := w.keep("bob", "app", "write"); k.ExpiresAt-k.CreatedAt != 31_536_000_000_000_000 {
		t.Errorf("reset: it lives for %d µs", k.ExpiresAt-k.CreatedAt)
	}
	for _, name := range []string{issuer.PropertyAccessExpire, issuer.PropertyCodeExpire} {
		for _, value := range []string{"", "0", "-1", "1.5", "1h", "soon", "99999999999999999999"} {
			if err := w.issuer.SetProperty(t.Context(), store.DefaultTenant, name, value); !errors.Is(err, issuer.ErrValue) {
				t.Errorf("%s %q: %v, want %v", name, value, err, issuer.ErrValue)
			}
		}
	}
}

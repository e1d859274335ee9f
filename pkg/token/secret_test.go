package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"testing"
)

func newMAC(key []byte) hash.Hash { return hmac.New(sha256.New, key) }

func TestASecretIsPrintedByNothingButReveal(t *testing.T) {
	const value = "hunter2-hunter2"
	for _, s := range []Secret{NewSecret(value), NewPassword(value)} {
		holder := struct{ s Secret }{s}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "holder", holder)
		text, err := json.Marshal(map[string]any{"s": s})
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %s", s, s, s, s, s, s, s, holder, &holder, holder, text) + log.String()
		if strings.Contains(all, "hunter2") || strings.Contains(all, "68756e74657232") {
			t.Errorf("printed: %s", all)
		}
		if !strings.Contains(all, "<redacted") || s.Reveal() != value {
			t.Errorf("printed: %s", all)
		}
	}
	if got := NewPassword(value).String(); got != "<redacted>" {
		t.Errorf("a password prints as %s", got)
	}
	if z := (Secret{}); !z.IsZero() || z.String() != "" {
		t.Error("the zero secret is something")
	}
}

package memory_test

import (
	"fmt"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/storetest"
)

func TestMemoryKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}

func TestMemoryDoesNotClaimToBeDurable(t *testing.T) {
	if memory.New().Durable() {
		t.Error("Durable is true")
	}
}

func TestALogGrownVoidIsCompactedAndTakenBackWhole(t *testing.T) {
	s := memory.New()
	fact := func(key string, at int64) store.Command {
		return store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: key, At: at, Until: at}}
	}
	for i := range int64(500) {
		if err := s.Apply(t.Context(), fact("moved", 1000+i), fact(fmt.Sprint(i), 10)); err != nil {
			t.Fatal(err)
		}
	}
	purge := store.Purge{Before: 11, Limit: 500}
	if err := s.Apply(t.Context(), purge, store.DeleteKey{ID: "none"}); err == nil {
		t.Fatal("a missing key was deleted")
	}
	count := func(want int) {
		t.Helper()
		all, err := s.Revocations(t.Context(), 0, 1000)
		if err != nil || len(all) != want {
			t.Errorf("%d facts, error %v, want %d", len(all), err, want)
		}
	}
	count(501)
	if err := s.Apply(t.Context(), purge); err != nil {
		t.Fatal(err)
	}
	count(1)
}

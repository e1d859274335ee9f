package measured_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/measured"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/store/storetest"
)

func TestAMeasuredStoreIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return measured.New(memory.New()) })
}

func TestCommitsAreCountedWithTheirSizes(t *testing.T) {
	inner, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	s := measured.New(inner)
	defer s.Close()
	const writers, rounds = 16, 20
	var wait sync.WaitGroup
	for n := range writers {
		wait.Go(func() {
			for r := range rounds {
				u := store.User{Tenant: store.DefaultTenant, Name: fmt.Sprint(n, "-", r)}
				if err := s.Apply(t.Context(), store.CreateUser{User: u}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	got := s.Stats()
	if got.Applies.Count != writers*rounds || got.Operations.Sum != writers*rounds {
		t.Errorf("%d changes were waited for and %v committed, want %d", got.Applies.Count, got.Operations.Sum, writers*rounds)
	}
	if got.Commits.Count != got.Operations.Count || got.Commits.Count == 0 || got.Commits.Count >= writers*rounds {
		t.Errorf("%d commits took time and %d had a size, want equally many, fewer than %d", got.Commits.Count, got.Operations.Count, writers*rounds)
	}
	if got.Commits.Sum <= 0 || got.Applies.Sum < got.Commits.Sum/writers {
		t.Errorf("commits took %v s, callers waited %v s", got.Commits.Sum, got.Applies.Sum)
	}
}

// broken is a store that cannot be reached.
type broken struct{ store.Store }

var errGone = fmt.Errorf("%w: gone", store.ErrUnavailable)

func (broken) Apply(context.Context, ...store.Command) error { return errGone }

func (broken) Session(context.Context, store.ID) (store.Session, error) {
	return store.Session{}, errGone
}

func TestOnlyTheStoresFailingCountsAsAnError(t *testing.T) {
	s := measured.New(memory.New())
	_, _ = s.User(t.Context(), store.DefaultTenant, "nobody")
	_ = s.Apply(t.Context(), store.DeleteKey{ID: "none"})
	if got := s.Stats(); got.ReadErrors != 0 || got.WriteErrors != 0 {
		t.Errorf("%d reads and %d writes count as errors, want none", got.ReadErrors, got.WriteErrors)
	}
	s = measured.New(broken{memory.New()})
	_, _ = s.Session(t.Context(), store.ID{})
	_ = s.Apply(t.Context(), store.DeleteKey{ID: "none"})
	if got := s.Stats(); got.ReadErrors != 1 || got.WriteErrors != 1 {
		t.Errorf("%d reads and %d writes count as errors, want one of each", got.ReadErrors, got.WriteErrors)
	}
}

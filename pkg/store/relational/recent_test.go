package relational

import (
	"fmt"
	"testing"
)

func TestWhatWasReadOfAnotherVersionIsForgotten(t *testing.T) {
	var kept Recent[int, string]
	name := Name{"t", "a"}
	want := func(version int, want string, found bool) {
		t.Helper()
		if got, ok := kept.Find(version, name); got != want || ok != found {
			t.Errorf("of version %d: %q, %v", version, got, ok)
		}
	}
	want(0, "", false)
	kept.Keep(1, name, "one")
	want(0, "", false)
	want(1, "one", true)
	want(2, "", false)
	kept.Keep(2, Name{"t", "b"}, "two")
	want(1, "", false)
	want(2, "", false)
	kept.Keep(1, name, "late") // by who began to read before
	want(1, "late", true)
	want(2, "", false)
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	var kept Recent[int, int]
	for i := range 3 * MostRecent {
		name := Name{"t", fmt.Sprint(i)}
		kept.Keep(1, name, i)
		if got, ok := kept.Find(1, name); got != i || !ok || len(kept.known) > MostRecent {
			t.Fatalf("record %d: %d, %v, among %d", i, got, ok, len(kept.known))
		}
	}
}

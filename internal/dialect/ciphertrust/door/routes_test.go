package door

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
)

func TestWhatIsRoutedIsDescribed(t *testing.T) {
	routed := make(map[string][]string)
	for path, takes := range (&Handler{}).routes() {
		routed[strings.ReplaceAll(path, "*", "{}")] = slices.Sorted(maps.Keys(takes))
	}
	if diff := cmp.Diff(routed, openapitest.Endpoints(t, "ciphertrust")); diff != "" {
		t.Errorf("what is routed, and what is described:\n%s", diff)
	}
}

package door

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
)

func TestWhatIsRoutedIsDescribed(t *testing.T) {
	routed := make(map[string][]string)
	for path, takes := range (&Handler{}).routes() {
		routed[path] = slices.Sorted(maps.Keys(takes))
	}
	if diff := cmp.Diff(routed, openapitest.Endpoints(t, "wazo")); diff != "" {
		t.Errorf("what is routed, and what is described:\n%s", diff)
	}
}

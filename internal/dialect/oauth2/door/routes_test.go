package door

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
	"github.com/ats-auth/ats-auth/internal/pages"
)

func TestWhatIsRoutedIsDescribed(t *testing.T) {
	h := &Handler{}
	var err error
	if h.pages, err = pages.New(pages.Config{}); err != nil {
		t.Fatal(err)
	}
	h.entrances = h.newEntrances()
	routed := make(map[string][]string)
	for path, e := range h.routes() {
		if strings.HasSuffix(path, ".css") { // its name changes with what it says
			continue
		}
		routed[path] = slices.DeleteFunc(slices.Sorted(slices.Values(e.methods)), func(m string) bool { return m == "HEAD" })
	}
	if diff := cmp.Diff(routed, openapitest.Endpoints(t, "oauth2")); diff != "" {
		t.Errorf("what is routed, and what is described:\n%s", diff)
	}
}

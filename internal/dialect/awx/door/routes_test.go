package door

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
	"github.com/ats-auth/ats-auth/internal/pages"
)

func TestWhatIsRoutedIsDescribed(t *testing.T) {
	h := &Handler{}
	h.Authorize = http.NotFoundHandler()
	var err error
	if h.pages, err = pages.New(pages.Config{}); err != nil {
		t.Fatal(err)
	}
	paths, views := h.routes(), h.views()
	maps.Copy(paths, h.oauthRoutes())
	routed := make(map[string][]string)
	for path, takes := range paths {
		if strings.HasSuffix(path, ".css") { // its name changes with what it says
			continue
		}
		methods := slices.DeleteFunc(slices.Sorted(maps.Keys(takes)), func(m string) bool { return m == "OPTIONS" })
		if v, known := views[path]; known { // which answers for each method itself
			methods = slices.Sorted(maps.Keys(v.methods))
		}
		if slices.Equal(methods, []string{""}) { // the page of the oauth2 door
			methods = []string{"GET", "POST"}
		}
		routed[strings.ReplaceAll(path, variable, "{}")] = methods
	}
	if diff := cmp.Diff(routed, openapitest.Endpoints(t, "awx")); diff != "" {
		t.Errorf("what is routed, and what is described:\n%s", diff)
	}
}

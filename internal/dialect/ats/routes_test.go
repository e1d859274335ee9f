package ats

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
)

func TestWhatIsRoutedIsDescribed(t *testing.T) {
	routed := make(map[string][]string)
	for path := range NewHandler(nil, Config{}).(*handler).routes {
		routed[path] = []string{http.MethodPost}
	}
	if diff := cmp.Diff(routed, openapitest.Endpoints(t, "ats")); diff != "" {
		t.Errorf("what is routed, and what is described:\n%s", diff)
	}
}

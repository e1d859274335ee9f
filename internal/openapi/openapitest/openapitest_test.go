package openapitest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/openapi"
)

func TestEveryDoorAndAllTogetherAreAValidDescription(t *testing.T) {
	if _, err := documents(); err != nil {
		t.Error(err)
	}
	if _, err := load(Doors()...); err != nil {
		t.Errorf("all doors: %v", err)
	}
	if _, err := load("klingon"); err == nil {
		t.Error("a door that there is not is described")
	}
}

// TestADescriptionTellsOfOpenDoorsAlone: its loader takes a way to prove oneself that
// is named nowhere, and one that is named and is not there.
func TestADescriptionTellsOfOpenDoorsAlone(t *testing.T) {
	every := append([][]string{Doors()}, slices.Collect(slices.Chunk(Doors(), 1))...)
	for _, doors := range every {
		doc, err := load(doors...)
		if err != nil {
			t.Fatal(err)
		}
		named := make(map[string]bool)
		for _, item := range doc.Paths.Map() {
			for _, operation := range item.Operations() {
				for _, way := range *operation.Security {
					for name := range way {
						named[name] = true
					}
				}
			}
		}
		want, got := slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(doc.Components.SecuritySchemes))
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%v: the ways to prove oneself are %v, and the paths name %v", doors, got, want)
		}
	}
}

func TestADescriptionHasNoCommentsOfItsSource(t *testing.T) {
	text, err := openapi.Document("http://127.0.0.1:8081", "0", Doors()...)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			t.Errorf("everybody reads %q", line)
		}
	}
}

func TestAnAnswerThatIsNotDescribedIsFound(t *testing.T) {
	json, text := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	good := `{"data":["local"]}`
	for _, c := range []struct {
		name, path, method string
		status             int
		header             http.Header
		body               string
		fine               bool
	}{
		{"as it is", "/0.1/backends", "GET", 200, json, good, true},
		{"another status", "/0.1/backends", "GET", 202, json, good, false},
		{"another kind", "/0.1/backends", "GET", 200, text, good, false},
		{"another shape", "/0.1/backends", "GET", 200, json, `{"data":"local"}`, false},
		{"a member is missing", "/0.1/backends", "GET", 200, json, `{}`, false},
		{"another method", "/0.1/backends", "POST", 200, json, good, false},
		{"a refused method", "/0.1/backends", "POST", 405, json, `{}`, true},
		{"another path", "/0.1/backend", "GET", 200, json, good, false},
		{"no path", "/0.1/backend", "GET", 404, json, good, true},
		{"a body where none is", "/0.1/sessions/x", "DELETE", 204, json, good, false},
	} {
		err := judge("wazo", c.path, c.method, c.status, c.header, []byte(c.body))
		if (err == nil) != c.fine {
			t.Errorf("%s: %v, want it fine: %t", c.name, err, c.fine)
		}
	}
}

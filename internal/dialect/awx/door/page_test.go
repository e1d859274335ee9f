package door_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
)

// walk follows the links of a list from a page on.
func (w *world) walk(user, path string) (ids []int64, pages int) {
	w.Helper()
	for path != "" {
		a := w.want(w.as(user, "GET", path, ""), 200, path)
		ids, pages = append(ids, a.ids(w)...), pages+1
		path = a.text(w, "next")
	}
	return ids, pages
}

func TestAListIsWalkedByItsLinks(t *testing.T) {
	w := newHouse(t)
	var rob, all []int64
	for n := range 60 {
		owner := []string{"rob", "ben", "ben"}[n%3]
		k := w.keep(owner, "", "write")
		if all = append(all, k.Number); owner == "rob" {
			rob = append(rob, k.Number)
		}
	}
	for _, c := range []struct {
		user, path string
		want       []int64
		pages      int
	}{
		{"root", awx.PathTokens, all, 3},
		{"root", awx.PathTokens + "?page_size=7", all, 9},
		{"root", awx.PathTokens + "?page_size=60", all, 1},
		{"root", awx.PathTokens + "?page_size=1000&order_by=id", all, 1},
		{"root", awx.PathTokens + "?page=2", all[25:], 2},
		{"root", awx.PathTokens + "?page=3&page_size=20", all[40:], 1},
		{"rob", awx.PathTokens + "?page_size=6", rob, 4},
		{"rita", "/api/v2/users/rob/tokens/?page_size=6", rob, 4},
		{"bea", "/api/v2/users/?page_size=1", []int64{w.number("bea"), w.number("ben")}, 2},
	} {
		got, pages := w.walk(c.user, c.path)
		if !slices.Equal(got, c.want) || pages != c.pages {
			t.Errorf("%s %s: %v on %d pages, want %v on %d", c.user, c.path, got, pages, c.want, c.pages)
		}
	}
	a := w.as("root", "GET", awx.PathTokens+"?page=2&page_size=10", "")
	if a.number(t, "count") != 60 || a.text(t, "previous") != "/api/v2/tokens/?page=1&page_size=10" || !strings.HasPrefix(a.text(t, "next"), "/api/v2/tokens/?after="+itoa(all[19])+"&page=3&page_size=10") {
		t.Errorf("page 2: %s", a.body[len(a.body)-200:])
	}
	if first := w.as("root", "GET", awx.PathTokens, ""); first.object(t)["previous"] != nil {
		t.Errorf("the first page has one before it: %s", first.text(t, "previous"))
	}
}

func TestWhatIsDeletedDoesNotShiftTheNextPage(t *testing.T) {
	w := newHouse(t)
	var all []int64
	for range 6 {
		all = append(all, w.keep("rob", "", "write").Number)
	}
	a := w.as("rob", "GET", awx.PathTokens+"?page_size=3", "")
	for _, n := range []int64{all[0], all[2]} {
		w.want(w.as("rob", "DELETE", item(awx.PathTokens, n), ""), 204, "delete")
	}
	if got := w.as("rob", "GET", a.text(t, "next"), "").ids(t); !slices.Equal(got, all[3:]) {
		t.Errorf("page 2 holds %v, want %v", got, all[3:])
	}
}

func TestAQueryThatMakesNoSenseIsRefused(t *testing.T) {
	w := newHouse(t)
	w.keep("rob", "", "write")
	for query, status := range map[string]int{
		"page=0": 404, "page=-1": 404, "page=x": 404, "page=2": 404, "page=99999999999999": 404, "page=": 404,
		"page_size=x": 200, "page_size=0": 200, "page_size=-1": 200, "page_size=99999999999999999999": 200,
		"after=x": 400, "after=-1": 400, "after=99999999999999999999": 400, "after=9999999": 200,
		"order_by=-created": 400, "order_by=id": 200, "scope=read": 400, "user": 400, "format=json": 200, "%zz": 400, "a;b": 400,
	} {
		a := w.want(w.as("rob", "GET", awx.PathTokens+"?"+query, ""), status, query)
		if status == 404 && a.text(t, "detail") != awx.MessageInvalidPage {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	if a := w.as("rob", "GET", awx.PathTokens+"?after=9999999", ""); a.object(t)["next"] != nil || len(a.ids(t)) != 0 {
		t.Errorf("behind the end: %s", a.body)
	}
	a := w.want(w.as("rita", "GET", awx.PathOrganizations+"?name=Blue", ""), 200, "a filter")
	if a.number(t, "count") != 0 {
		t.Errorf("an organisation that she does not see: %s", a.body)
	}
}

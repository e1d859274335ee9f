// Package openapitest judges answers by the description in internal/openapi. It is for
// tests of the doors.
package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ats-auth/ats-auth/internal/openapi"
)

// Doors are all that are described.
func Doors() []string { return []string{"ats", "oauth2", "tapis", "ciphertrust", "awx", "wazo"} }

// documents are the descriptions, read once: there are many answers to judge.
var documents = sync.OnceValues(func() (map[string]*openapi3.T, error) {
	all := make(map[string]*openapi3.T)
	for _, door := range Doors() {
		doc, err := load(door)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", door, err)
		}
		all[door] = doc
	}
	return all, nil
})

func load(doors ...string) (*openapi3.T, error) {
	text, err := openapi.Document("http://127.0.0.1:8081", "0", doors...)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
}

// Judge holds an answer of a door, which may be called at a base path, against its
// description.
func Judge(t testing.TB, door, base string, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	path, behind := strings.CutPrefix(r.URL.EscapedPath(), base)
	if strings.HasPrefix(path, "/.well-known/") { // RFC 8414 section 3.1
		path = strings.TrimSuffix(path, base)
	}
	if !behind && w.Code == http.StatusNotFound {
		return
	}
	if err := judge(door, path, r.Method, w.Code, w.Header(), w.Body.Bytes()); err != nil {
		t.Errorf("%s %s: %d: the description of the door %s: %v", r.Method, r.URL.EscapedPath(), w.Code, door, err)
	}
}

func judge(door, path, method string, status int, header http.Header, body []byte) error {
	all, err := documents()
	if err != nil {
		return err
	}
	if all[door] == nil {
		return fmt.Errorf("there is no door %q", door)
	}
	item, exact := find(all[door], path)
	for _, other := range Doors() { // doors stand beside each other, and lend each other pages
		if item == nil {
			item, exact = find(all[other], path)
		}
	}
	switch {
	case !exact && status == http.StatusNotFound:
		return nil
	case item == nil && status < http.StatusMultipleChoices && !strings.HasSuffix(path, ".css"):
		return fmt.Errorf("the path is not described")
	case item == nil, method == http.MethodOptions:
		return nil
	}
	operation := operationOf(item, method)
	if operation == nil || method == http.MethodHead && item.Head == nil && status == http.StatusMethodNotAllowed {
		if status != http.StatusMethodNotAllowed && status != http.StatusBadRequest && status != http.StatusMovedPermanently && status != http.StatusForbidden {
			return fmt.Errorf("the method is not described")
		}
		return nil
	}
	response := operation.Responses.Value(strconv.Itoa(status))
	if response == nil {
		return fmt.Errorf("the status is not described")
	}
	if method == http.MethodHead {
		return nil
	}
	return judgeBody(response.Value, header, body)
}

// operationOf is that of a method; GET's is HEAD's too.
func operationOf(item *openapi3.PathItem, method string) *openapi3.Operation {
	o := item.Operations()
	if o[method] == nil && method == http.MethodHead {
		return o[http.MethodGet]
	}
	return o[method]
}

// find returns what is described of a path, and whether by this very spelling: one
// slash at its end more or less is the door's business.
func find(doc *openapi3.T, path string) (item *openapi3.PathItem, exact bool) {
	for i, spelling := range []string{path, strings.TrimSuffix(path, "/"), path + "/"} {
		if item := doc.Paths.Value(spelling); item != nil {
			return item, i == 0
		}
		for template, item := range doc.Paths.Map() {
			if matches(template, spelling) {
				return item, i == 0
			}
		}
	}
	return nil, false
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || strings.HasPrefix(w, "{") && g != "" })
}

func judgeBody(response *openapi3.Response, header http.Header, body []byte) error {
	if len(response.Content) == 0 {
		if len(body) > 0 && header.Get("Location") == "" {
			return fmt.Errorf("a body is not described: %.80q", body)
		}
		return nil
	}
	if len(body) == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return err
	}
	media := response.Content.Get(kind)
	switch {
	case media == nil:
		return fmt.Errorf("%s is not described", kind)
	case kind != "application/json":
		return nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	return media.Schema.Value.VisitJSON(value)
}

// Endpoints are what is described of a door: the methods by path, with {} in the place
// of each variable.
func Endpoints(t testing.TB, door string) map[string][]string {
	t.Helper()
	all, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string][]string)
	for template, item := range all[door].Paths.Map() {
		if template == "/openapi.yaml" {
			continue
		}
		for method := range item.Operations() {
			list[plain(template)] = append(list[plain(template)], method)
		}
		slices.Sort(list[plain(template)])
	}
	return list
}

// plain takes the names of variables away.
func plain(template string) string {
	parts := strings.Split(template, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

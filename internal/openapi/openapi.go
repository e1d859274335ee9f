// Package openapi is the description of what the doors answer, in OpenAPI 3.0. It is
// written by hand, a file for each door: its paths and, behind the line "--- schemas",
// their schemas. openapitest judges real answers by it.
//
// It parses nothing: the parts are put together as text, so that a comment in them
// would be read by everybody.
package openapi

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Document describes doors by the names of their dialects, at the address that the
// service is called by. The error names a door that there is no description of.
func Document(url, version string, doors ...string) ([]byte, error) {
	var paths, schemas strings.Builder
	for _, door := range doors {
		text, err := files.ReadFile(door + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("openapi: %w", err)
		}
		before, behind, found := strings.Cut(string(text), "--- schemas\n")
		if !found {
			return nil, fmt.Errorf("openapi: %s.yaml has no schemas", door)
		}
		paths.WriteString(before)
		schemas.WriteString(behind)
	}
	head, err := files.ReadFile("head.yaml")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	schemes, err := files.ReadFile("schemes.yaml")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	whole := strings.NewReplacer(
		"VERSION\n", strconv.Quote(version)+"\n", "SERVER\n", strconv.Quote(url)+"\n",
		"SCHEMES\n", used(string(schemes), paths.String()), "SCHEMAS\n", schemas.String(), "PATHS\n", paths.String(),
	)
	return []byte(whole.Replace(string(head))), nil
}

// used are those ways to prove oneself, a line each, that a path names.
func used(schemes, paths string) string {
	var list strings.Builder
	for line := range strings.Lines(schemes) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.Contains(paths, "{"+name+": []}") {
			list.WriteString(line)
		}
	}
	return list.String()
}

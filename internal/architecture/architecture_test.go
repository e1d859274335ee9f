// Package architecture holds the import map of the house as a test.
package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ats-auth/ats-auth/"

// mayImport says for each room which others it may stand on. A room that is not
// here does not exist; docs/architecture.md says what each is for.
var mayImport = map[string][]string{
	"cmd/ats-auth":                      {"internal/cli", "internal/terminal"},
	"cmd/ats-auth-server":               {"internal/daemon", "internal/terminal"},
	"pkg/token":                         {},
	"pkg/verifier":                      {"pkg/token", "internal/armour"},
	"pkg/client":                        {"pkg/token", "internal/dialect", "internal/dialect/ats", "internal/dialect/awx", "internal/dialect/ciphertrust", "internal/dialect/oauth2", "internal/dialect/tapis", "internal/dialect/wazo"},
	"pkg/server":                        {"pkg/token", "pkg/store", "pkg/verifier", "internal/histogram", "internal/issuer", "internal/openapi", "internal/signing", "internal/password", "internal/throttle", "internal/dialect", "internal/dialect/ats", "internal/dialect/oauth2/door", "internal/dialect/ciphertrust/door", "internal/dialect/tapis/door", "internal/dialect/awx", "internal/dialect/awx/door", "internal/dialect/wazo/door"},
	"pkg/store":                         {},
	"pkg/store/storetest":               {"pkg/store", "pkg/store/memory"},
	"pkg/store/memory":                  {"pkg/store"},
	"pkg/store/relational":              {"pkg/store"},
	"pkg/store/sqlite":                  {"pkg/store", "pkg/store/relational"},
	"pkg/store/postgres":                {"pkg/store", "pkg/store/relational"},
	"pkg/store/postgres/pgtest":         {},
	"internal/dialect":                  {"pkg/token"},
	"internal/dialect/dialecttest":      {"pkg/token", "internal/dialect"},
	"internal/dialect/ats":              {"pkg/token", "internal/dialect"},
	"internal/dialect/oauth2":           {"pkg/token", "internal/dialect", "internal/signing"},
	"internal/dialect/oauth2/door":      {"pkg/token", "pkg/store", "pkg/verifier", "internal/dialect", "internal/dialect/oauth2", "internal/issuer", "internal/pages"},
	"internal/dialect/ciphertrust":      {"pkg/token", "internal/dialect"},
	"internal/dialect/ciphertrust/door": {"pkg/token", "pkg/store", "internal/dialect", "internal/dialect/ciphertrust", "internal/issuer"},
	"internal/dialect/tapis":            {"pkg/token", "internal/dialect"},
	"internal/dialect/tapis/door":       {"pkg/token", "pkg/store", "internal/dialect", "internal/dialect/oauth2", "internal/dialect/tapis", "internal/issuer", "internal/signing"},
	"internal/dialect/awx":              {"pkg/token", "internal/dialect", "internal/dialect/oauth2"},
	"internal/dialect/awx/door":         {"pkg/token", "pkg/store", "internal/dialect", "internal/dialect/awx", "internal/dialect/oauth2", "internal/issuer", "internal/pages"},
	"internal/dialect/wazo":             {"pkg/token", "internal/dialect"},
	"internal/dialect/wazo/door":        {"pkg/token", "pkg/store", "internal/acl", "internal/dialect", "internal/dialect/wazo", "internal/issuer"},
	"pkg/store/measured":                {"pkg/store", "internal/histogram"},
	"internal/histogram":                {},
	"internal/audit":                    {},
	"internal/openapi":                  {},
	"internal/openapi/openapitest":      {"internal/openapi"},
	"internal/metrics":                  {"pkg/server", "pkg/store/measured", "internal/histogram"},
	"internal/pages":                    {},
	"internal/acl":                      {},
	"internal/backend":                  {"pkg/token"},
	"internal/backend/slapdtest":        {},
	"internal/issuer":                   {"pkg/token", "pkg/store", "pkg/verifier", "internal/acl", "internal/backend", "internal/signing", "internal/password", "internal/throttle"},
	"internal/signing":                  {"pkg/token", "internal/armour"},
	"internal/armour":                   {},
	"internal/password":                 {},
	"internal/throttle":                 {},
	"internal/inifile":                  {},
	"internal/profile":                  {"internal/inifile"},
	"internal/session":                  {"pkg/token"},
	"internal/terminal":                 {},
	"internal/command":                  {},
	"internal/cli":                      {"pkg/token", "pkg/client", "pkg/verifier", "internal/command", "internal/inifile", "internal/profile", "internal/session", "internal/signing", "internal/terminal"},
	"internal/daemon":                   {"pkg/token", "pkg/server", "pkg/store", "pkg/store/measured", "pkg/store/memory", "pkg/store/postgres", "pkg/store/sqlite", "pkg/verifier", "internal/audit", "internal/backend", "internal/command", "internal/inifile", "internal/metrics", "internal/signing"},
}

// mayUse says which rooms know a library that is to stay behind one wall.
var mayUse = map[string][]string{
	"github.com/go-resty/resty/v2":  {"pkg/client"},
	"github.com/golang-jwt/jwt/v5":  {"pkg/verifier", "internal/signing"},
	"github.com/go-jose/go-jose/v4": {"pkg/verifier", "internal/signing"},
	"github.com/prometheus":         {"internal/metrics"},
	"github.com/getkin/kin-openapi": {"internal/openapi/openapitest"},
	"github.com/go-ldap/ldap/v3":    {"internal/backend", "internal/backend/slapdtest"},
	"github.com/spf13/pflag":        {"internal/cli", "internal/command"},
	"golang.org/x/sys":              {"internal/terminal"},
	"gopkg.in/ini.v1":               {"internal/inifile"},
	"golang.org/x/term":             {"internal/terminal"},
	"modernc.org/sqlite":            {"pkg/store/sqlite"},
	"github.com/jackc/pgx/v5":       {"pkg/store/postgres", "pkg/store/postgres/pgtest"},
	"github.com/pressly/goose/v3":   {"pkg/store/sqlite", "pkg/store/postgres"},
	"github.com/spf13/cobra":        {"internal/cli", "internal/daemon", "internal/command"},
	"golang.org/x/crypto/argon2":    {"internal/password"},
	"golang.org/x/crypto/bcrypt":    {"internal/password"},
}

// imports reads the import lines of all Go files outside tests, by room.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	rooms := map[string][]string{}
	root := filepath.Join("..", "..")
	for _, top := range []string{"cmd", "pkg", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			room := path.Dir(filepath.ToSlash(rel))
			rooms[room] = append(rooms[room], "")
			for _, i := range file.Imports {
				p, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				rooms[room] = append(rooms[room], p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(rooms) < 10 {
		t.Fatalf("only %d rooms were found", len(rooms))
	}
	return rooms
}

func TestARoomStandsOnlyOnWhatTheMapSays(t *testing.T) {
	for room, list := range imports(t) {
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s is not on the map", room)
		}
		for _, p := range list {
			other, ours := strings.CutPrefix(p, module)
			if ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s, which the map does not allow", room, other)
			}
			for library, users := range mayUse {
				if (p == library || strings.HasPrefix(p, library+"/")) && !slices.Contains(users, room) {
					t.Errorf("%s imports %s, which belongs to %v", room, p, users)
				}
			}
		}
	}
}

func TestTheMapHasNoEmptyRooms(t *testing.T) {
	rooms := imports(t)
	for room := range mayImport {
		if _, there := rooms[room]; !there {
			t.Errorf("%s is on the map and not in the house", room)
		}
	}
}

// TestTheClientIsLean keeps what the server needs out of the client's start-up.
func TestTheClientIsLean(t *testing.T) {
	rooms := imports(t)
	seen := map[string]bool{}
	var walk func(room string)
	walk = func(room string) {
		if seen[room] {
			return
		}
		seen[room] = true
		for _, p := range rooms[room] {
			if other, ours := strings.CutPrefix(p, module); ours {
				walk(other)
			}
		}
	}
	walk("cmd/ats-auth")
	for _, room := range []string{"pkg/server", "pkg/store", "pkg/store/sqlite", "pkg/store/postgres", "internal/issuer", "internal/pages", "internal/dialect/oauth2/door", "internal/dialect/ciphertrust/door", "internal/dialect/tapis/door", "internal/dialect/awx/door", "internal/dialect/wazo/door", "internal/acl", "internal/backend", "internal/audit", "internal/metrics"} {
		if seen[room] {
			t.Errorf("the client links %s", room)
		}
	}
}

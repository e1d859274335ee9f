package daemon

import (
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

func TestTheServersOfTheComposeFileWithPostgreSQLAreTwoOfOneService(t *testing.T) {
	services := servicesOf(t, "compose.postgresql.yaml")
	pg := pgtest.StartInMemory(t)
	const url = "ATS_AUTH_SERVER_STORE_URL"
	database, user := pg.URL(pg.Database(t, "")), services["database"].Environment["POSTGRES_USER"]
	if want := "postgres://" + user + "@database/" + services["database"].Environment["POSTGRES_DB"] + "?sslmode=disable"; services["one"].Environment[url] != want {
		t.Errorf("the servers ask %s, where the database is %s", services["one"].Environment[url], want)
	}
	run := func(name string, args ...string) (stdout string) {
		t.Helper()
		environ := services[name].environ()
		for i, variable := range environ {
			switch key, _, _ := strings.Cut(variable, "="); key {
			case url:
				environ[i] = url + "=" + database
			case "ATS_AUTH_SERVER_TOKENS_MASTER_KEY":
				environ[i] = key + "=" + strings.Repeat("A", 43) + "="
			}
		}
		code, stdout, stderr := runAs(t, t.TempDir(), environ, args...)
		if code != exitOK {
			t.Fatalf("%s: %v: exit %d: %s", name, args, code, stderr)
		}
		return stdout
	}
	for _, name := range []string{"one", "two"} {
		s := services[name]
		if s.DependsOn["database"].Condition != "service_healthy" || len(s.Ports) != 1 || !strings.HasPrefix(s.Ports[0], "127.0.0.1:") {
			t.Errorf("%s waits for the database until %q, and is at %v", name, s.DependsOn["database"].Condition, s.Ports)
		}
		config := run(name, "--print-config")
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "ATS_") && !strings.Contains(config, "# "+variable+"\n") {
				t.Errorf("%s: %s sets nothing:\n%s", name, variable, config)
			}
		}
	}
	if services["one"].Ports[0] == services["two"].Ports[0] || !slices.Equal(slices.Sorted(slices.Values(services["one"].environ())), slices.Sorted(slices.Values(services["two"].environ()))) {
		t.Error("one and two differ in more, or in less, than the port")
	}
	run("one", "application", "add", "Build robot", "--grant", "client_credentials")
	if list := run("two", "application", "list"); !strings.Contains(list, "Build robot") {
		t.Errorf("the other server knows nothing of it:\n%s", list)
	}
	if mine, other := run("one", "key", "list", "-f", "json"), run("two", "key", "list", "-f", "json"); mine != other || !strings.Contains(mine, "kid") {
		t.Errorf("the keys of one are\n%s\nand those of two\n%s", mine, other)
	}
}

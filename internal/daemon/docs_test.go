package daemon

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/command"
)

var update = flag.Bool("update", false, "write the page instead of comparing it")

// TestTheDocsSayWhatTheServerReads keeps docs/configuration.md true.
func TestTheDocsSayWhatTheServerReads(t *testing.T) {
	a := &app{Env: Env{Version: "VERSION"}}
	var b strings.Builder
	b.WriteString("# Configuration of ats-auth-server\n\nMade from the code by `make docs`. The client's settings are in [cli.md](cli.md), under \"help environment\".\n\n" +
		"The file is `--config`, else the first there is of `$XDG_CONFIG_HOME/ats-auth-server/server.ini` and\n`/etc/ats-auth-server/server.ini`; none is fine. A variable of the environment goes before it. Lifetimes are\nseconds, or a number with `s`, `m`, `h`, `d` or `w`. `ats-auth-server --print-config` shows every key, its value\nand where it came from.\n\n" +
		"Of `[tenant NAME]` there is one for each tenant, as of every section whose title ends in NAME. A name is letters,\ndigits, `-`, `_` and `.`. A variable stands for the section whose name it has in lower case, which need not be in the\nfile: `ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING` for `[tenant dev]`. A tenant with upper case in its name, `Dev`, has its\nsection in the file, be it empty; the same variable stands for it then.\n\n" +
		"A key whose name ends in NAME stands for many too: `policy_operators` of `[backend corp]`, or\n`ATS_AUTH_SERVER_BACKEND_CORP_POLICY_OPERATORS`, is about the policy `operators`. `policy_Operators` has to stand in the file,\nbe it empty. Of several ways to read a variable the one with the longest key is meant.\n")
	section := ""
	for _, s := range settings() {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n## [%s]\n\n| key | default | meaning | variable |\n|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", s.key, s.fallback, strings.ReplaceAll(s.help, "|", `\|`), s.variable())
	}
	b.WriteString("\n# Commands of ats-auth-server\n\n" + command.Markdown(a.root()))
	page := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != b.String() {
		t.Error("docs/configuration.md is not what the code says: make docs")
	}
}

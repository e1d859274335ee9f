package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/command"
)

var update = flag.Bool("update", false, "write the page instead of comparing it")

// TestTheDocsSayWhatTheCommandLineSays keeps docs/cli.md true.
func TestTheDocsSayWhatTheCommandLineSays(t *testing.T) {
	a := &app{Env: Env{Args: []string{"ats-auth"}, Version: "VERSION"}}
	var b strings.Builder
	b.WriteString("# The command line\n\nMade from the code by `make docs`.\n\n")
	root := a.root()
	b.WriteString(command.Markdown(root))
	for _, topic := range topics() {
		b.WriteString("\n## help " + topic.name + "\n\n```text\n" + topic.text(root) + "```\n")
	}
	page := filepath.Join("..", "..", "docs", "cli.md")
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
		t.Error("docs/cli.md is not what the code says: make docs")
	}
}

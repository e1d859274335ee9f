package daemon

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestTheListsOfCommandsFitATerminal of 80 columns.
func TestTheListsOfCommandsFitATerminal(t *testing.T) {
	a := &app{Env: Env{Version: "VERSION"}}
	lists := 0
	var look func(*cobra.Command)
	look = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			lists++
			width := max(11, sub.NamePadding())
			if line := "  " + sub.Name() + strings.Repeat(" ", width-len(sub.Name())) + " " + sub.Short; len([]rune(line)) > 80 {
				t.Errorf("%s: %d columns:\n%s", c.CommandPath(), len([]rune(line)), line)
			}
			look(sub)
		}
	}
	if look(a.root()); lists < 40 {
		t.Errorf("only %d commands were looked at", lists)
	}
}

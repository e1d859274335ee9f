package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Markdown describes a tree of commands as a page: each command with its usage,
// text, examples and flags.
func Markdown(root *cobra.Command) string {
	var b strings.Builder
	describe(&b, root)
	return strings.TrimSpace(b.String()) + "\n"
}

func describe(b *strings.Builder, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	fmt.Fprintf(b, "## %s\n\n", c.CommandPath())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "```text\n%s\n\nusage: %s\n", text, c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\n%s\n", c.Example)
	}
	if flags := c.NonInheritedFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(b, "\nflags:\n%s", flags)
	}
	b.WriteString("```\n\n")
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			describe(b, sub)
		}
	}
}

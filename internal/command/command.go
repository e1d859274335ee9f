// Package command makes a tree of cobra commands strict: a mistyped command or
// flag, a missing or superfluous argument is a *UsageError, never help on
// stdout with exit code 0, and dashes that are no hyphens are noticed.
//
// It prints nothing.
package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// UsageError is a command line that cannot be meant: exit code 2.
type UsageError struct {
	Problem string // lower case, names the thing
	Hint    string // a command that helps; may be empty
}

func (e *UsageError) Error() string { return e.Problem }

// Usage returns a *UsageError with a formatted problem.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func Usage(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// Execute runs a command line through the tree, strictly.
func Execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions = cobra.CompletionOptions{DisableDefaultCmd: true}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &UsageError{flagProblem(err), help(c)} })
	harden(root)
	if err := checkDashes(args); err != nil {
		return err
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func help(c *cobra.Command) string {
	return strings.Replace(c.CommandPath(), c.Root().Name(), c.Root().Name()+" help", 1)
}

// flagProblem is what pflag says, less what stood behind an unknown letter: -pX
// may have been meant to be a password.
func flagProblem(err error) string {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "" {
		return "unknown flag: -" + unknown.GetSpecifiedName()
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		reason := invalid.Unwrap()
		var number *strconv.NumError
		if reason == nil || errors.As(reason, &number) || strings.HasPrefix(reason.Error(), "time: ") {
			reason = errors.New("not a " + invalid.GetFlag().Value.Type())
		}
		return fmt.Sprintf("--%s %q: %v", invalid.GetFlag().Name, invalid.GetValue(), reason)
	}
	return err.Error()
}

// harden makes a group's leftovers and every check of arguments usage errors.
func harden(c *cobra.Command) {
	check := c.Args
	switch {
	case c.HasSubCommands():
		check = Unknown
		if c.RunE == nil {
			c.RunE = func(c *cobra.Command, _ []string) error {
				return &UsageError{"which command of " + c.CommandPath() + "? " + names(c), help(c)}
			}
		}
	case check == nil:
		check = cobra.NoArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if err == nil {
			return nil
		}
		if usage, ok := err.(*UsageError); ok { //nolint:errorlint // our own, just made
			return usage
		}
		what := "too many arguments"
		if len(args) == 0 {
			what = "an argument is missing"
		}
		return &UsageError{what + "; usage: " + strings.TrimSuffix(c.UseLine(), " [flags]"), help(c)}
	}
	for _, sub := range c.Commands() {
		harden(sub)
	}
}

func names(c *cobra.Command) string {
	var list []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			list = append(list, sub.Name())
		}
	}
	return strings.Join(list, ", ")
}

// Unknown is the check of arguments for a group: what is left over is a mistyped
// command.
func Unknown(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	problem := fmt.Sprintf("%q is not a command of %s", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		problem += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return &UsageError{problem, help(c)}
}

// Help shows the help of the command that args name, for a help command.
func Help(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		if len(rest) == 0 {
			c, rest = root, args
		}
		return Unknown(c, rest)
	}
	c.InitDefaultHelpFlag()
	return c.Help()
}

// checkDashes finds dashes that a text processor put in the place of hyphens.
func checkDashes(args []string) error {
	for _, arg := range args {
		if arg == "--" {
			return nil
		}
		for _, dash := range []string{"–", "—", "−"} {
			if strings.HasPrefix(arg, dash) || strings.HasPrefix(arg, "-"+dash) {
				return &UsageError{
					fmt.Sprintf("%q begins with a dash that is no hyphen", arg),
					"type - or -- anew: the text it was copied from has changed them",
				}
			}
		}
	}
	return nil
}

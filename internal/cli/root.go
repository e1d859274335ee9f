package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/pkg/client"
)

// app is one run of the command line.
type app struct {
	Env
	flags    flags
	settings []profile.Setting
	set      map[string]string // settings given as flags
	profile  *profile.Profile
	profiles []string // that a command is about to make
	log      *os.File
	saved    saved
	acting   func(context.Context) error // ends the token that was made for this command alone
	asks     bool                        // a server was to be asked
	pending  map[*cobra.Command]func()

	terminalStdin bool // what Env.Stdin was before it could be interrupted

	attends *atomic.Bool // a child runs, and has its own time
	noLocal bool         // ini files of the current directory do not count
}

type flags struct {
	verbose       int
	quiet         bool
	debug         bool
	logFile       string
	format        string
	columns       []string
	prefix        string
	passwordStdin bool
	algorithm     string
	allowWeakKey  bool
	device, web   bool
	subject       tokenFlag
	actor         tokenFlag
}

// root is the tree of commands with all their flags, as it is described.
func (a *app) root() *cobra.Command {
	root := a.tree()
	a.addFlags(root)
	return root
}

// later has a command's flags added when they are needed: most calls are of one
// command, and all the flags of all take longer to make than a token to find.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func (a *app) later(c *cobra.Command, add func()) {
	if a.pending == nil {
		a.pending = make(map[*cobra.Command]func())
	}
	a.pending[c] = add
}

// addFlags adds the flags of a command and of those below it.
func (a *app) addFlags(c *cobra.Command) {
	if add := a.pending[c]; add != nil {
		delete(a.pending, c)
		add()
		if c.Flags().Lookup("backend") != nil {
			_ = c.RegisterFlagCompletionFunc("backend", cobra.NoFileCompletions)
		}
	}
	c.Long = foldText(c.Long)
	c.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = fold(f.Usage, flagWidth, "") })
	for _, sub := range c.Commands() {
		a.addFlags(sub)
	}
}

// treeFor is the tree with the flags of the command that the arguments name; of
// all where they name none that runs by itself, help say.
func (a *app) treeFor(args []string) *cobra.Command {
	root := a.tree()
	c, _, err := root.Find(args)
	if err != nil {
		c = root
	}
	a.addFlags(c)
	return root
}

// tree is the tree of commands, without the flags that are added later.
func (a *app) tree() *cobra.Command {
	cobra.EnableCommandSorting = false
	var version bool
	root := &cobra.Command{
		Use:   "ats-auth",
		Short: "Obtain, inspect, verify and revoke authentication tokens",
		Long: `ats-auth obtains, inspects, verifies and revokes authentication tokens.

Results go to stdout, everything else to stderr: TOKEN=$(ats-auth token create)
works. Settings come from flags, the environment and an ini file, in that order.

More to read: ats-auth help environment, exit-codes, formats, dialects.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				return a.printVersion()
			}
			return c.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.begin() },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	// cobra's own flag prints by a template, and what links text/template keeps
	// every method of every type in the binary.
	root.Flags().BoolVar(&version, "version", false, "print the version")
	a.globalFlags(root.PersistentFlags())
	_ = root.RegisterFlagCompletionFunc("dialect", cobra.FixedCompletions(client.Dialects(), cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.tokenCommand(), a.loginCommand(), a.logoutCommand(), a.statusCommand(), a.applicationCommand(), a.sessionCommand(), a.propertyCommand(), a.execCommand(), a.credentialCommand(), a.doctorCommand(), a.completionCommand(), a.versionCommand())
	root.SetHelpCommand(a.helpCommand(root))
	return root
}

// globalFlags stand before and behind every command.
func (a *app) globalFlags(f *pflag.FlagSet) {
	f.CountVarP(&a.flags.verbose, "verbose", "v", "tell the story on stderr")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "only errors on stderr")
	f.BoolVar(&a.flags.debug, "debug", false, "show each HTTP exchange, secrets masked")
	f.BoolVar(&a.flags.debug, "debug-requests", false, "same as --debug")
	_ = f.MarkHidden("debug-requests")
	f.StringVar(&a.flags.logFile, "log-file", "", "append the story to `FILE`")
	a.settingFlags(f, "config", "configfile", "profile", "dialect", "url", "cacert", "cert", "key", "insecure", "timeout")
}

// formatFlags choose how a result is printed.
func (a *app) formatFlags(f *pflag.FlagSet) {
	f.StringVarP(&a.flags.format, "format", "f", "", "how to print the result: "+strings.Join(formatNames(), ", "))
	f.StringArrayVarP(&a.flags.columns, "column", "c", nil, "print this `NAME` only; may be given again")
	f.StringVar(&a.flags.prefix, "prefix", "ATS_AUTH_", "what variable names begin with, in the formats for shells")
}

// settingFlags adds flags from the table of settings.
func (a *app) settingFlags(f *pflag.FlagSet, names ...string) {
	if a.set == nil {
		a.set = make(map[string]string)
	}
	if a.settings == nil {
		a.settings = profile.Settings()
	}
	for _, s := range a.settings {
		if !slices.Contains(names, s.Name) || s.Flag == "" {
			continue
		}
		v := &settingValue{into: a.set, name: s.Name, kind: s.Kind}
		flag := f.VarPF(v, s.Flag, "", fold(s.Help, flagWidth, ""))
		aliases := s.Aliases
		if v.IsBoolFlag() {
			flag.NoOptDefVal = "true"
		}
		for _, alias := range aliases {
			extra := f.VarPF(v, alias, "", "same as --"+s.Flag)
			extra.NoOptDefVal = flag.NoOptDefVal
		}
	}
}

// settingValue is a flag that goes into the profile as text.
type settingValue struct {
	into map[string]string
	name string
	kind profile.Kind
}

func (v *settingValue) Set(s string) error {
	if before, again := v.into[v.name]; again && v.kind == profile.List {
		s = before + " " + s
	}
	v.into[v.name] = s
	return nil
}
func (v *settingValue) String() string   { return v.into[v.name] }
func (v *settingValue) IsBoolFlag() bool { return v.kind == profile.Boolean }
func (v *settingValue) Type() string {
	switch v.kind {
	case profile.Path:
		return "FILE"
	case profile.PathOrURL:
		return "FILE|URL"
	case profile.Duration:
		return "TIME"
	case profile.Boolean:
		return "bool"
	case profile.List:
		return "URI"
	case profile.Port:
		return "PORT"
	}
	return strings.ToUpper(v.name[strings.LastIndexByte(v.name, '_')+1:])
}

// notEmpty refuses flags that were given empty, from a variable that is not set say:
// what they are to demand would not be asked for.
func notEmpty(c *cobra.Command, names ...string) error {
	for _, name := range names {
		f := c.Flags().Lookup(name)
		given := []string{f.Value.String()}
		if list, many := f.Value.(pflag.SliceValue); many {
			given = list.GetSlice()
		}
		if f.Changed && slices.Contains(given, "") {
			return command.Usage("--%s is empty", name)
		}
	}
	return nil
}

// begin looks at what concerns every command.
func (a *app) begin() error {
	if a.flags.quiet && a.flags.verbose > 0 {
		return command.Usage("--quiet and --verbose exclude each other")
	}
	if err := a.checkFormat(); err != nil {
		return err
	}
	return a.openLog()
}

// checkFormat refuses a format that there is not.
func (a *app) checkFormat() error {
	if a.flags.format == "" || slices.Contains(formatNames(), a.flags.format) {
		return nil
	}
	problem := fmt.Sprintf("format %q is not one of %s", safe(a.flags.format), strings.Join(formatNames(), ", "))
	a.flags.format = ""
	return &command.UsageError{Problem: problem, Hint: "ats-auth help formats"}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	_, err := fmt.Fprintf(a.Stdout, "ats-auth %s\n", a.Version)
	return err
}

func (a *app) completionCommand() *cobra.Command {
	shells := map[string]func(*cobra.Command, io.Writer) error{
		"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
		"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
	}
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a completion script for a shell", Args: cobra.ExactArgs(1),
		Long: `Print a completion script for a shell.

  bash        source <(ats-auth completion bash), with bash-completion
  zsh         ats-auth completion zsh > "${fpath[1]}/_ats-auth"
  fish        ats-auth completion fish > ~/.config/fish/completions/ats-auth.fish
  powershell  ats-auth completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(c *cobra.Command, args []string) error {
			generate, ok := shells[args[0]]
			if !ok {
				return command.Usage("shell %q is not one of bash, zsh, fish, powershell", args[0])
			}
			return generate(c.Root(), a.Stdout)
		},
	}
}

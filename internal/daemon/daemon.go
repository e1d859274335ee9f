// Package daemon is the ats-auth-server command line: it reads the
// configuration, opens the store, serves, and does an administrator's work on
// the store while a server runs.
//
// It knows nothing of tokens; pkg/server does.
package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
)

// Env is the world a command runs in.
type Env struct {
	Args    []string // the program's name first
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
	HomeDir string
	UID     int
	// ReadPassword asks on the terminal, without echo.
	ReadPassword func(ctx context.Context, prompt string) (string, error)
	// Interactive reports whether a stream is a terminal.
	Interactive func(stream any) bool
	// Reload is told when to read keys, certificates and the log level again.
	Reload <-chan os.Signal
	// Program is the file of this program, which serve runs again to hash passwords in.
	// Empty: they are hashed in this process.
	Program string
	Version string
}

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitConfig      = 3
	exitInterrupted = 130
)

// configError is a configuration that cannot be used.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

func refuse(format string, args ...any) error { return &configError{fmt.Errorf(format, args...)} }

// Run runs one command line and returns its exit code: 0 done, 1 error, 2
// usage, 3 configuration, 130 interrupted before anything was done.
func Run(ctx context.Context, env Env) int {
	a := &app{Env: env}
	err := command.Execute(ctx, a.root(), env.Args[1:])
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	code, hint := exitError, ""
	var usage *command.UsageError
	var config *configError
	var file *inifile.Error
	switch {
	case errors.As(err, &usage):
		code, hint = exitUsage, usage.Hint
	case errors.As(err, &config):
		code = exitConfig
	case errors.As(err, &file):
		code, hint = exitConfig, file.Hint
	}
	fmt.Fprintf(env.Stderr, "ats-auth-server: %s\n", strings.TrimSpace(err.Error()))
	if hint != "" {
		fmt.Fprintf(env.Stderr, "hint: %s\n", hint)
	}
	return code
}

// app is one run of the command line.
type app struct {
	Env
	configFile  string
	user        string // whom the program becomes
	userGiven   bool
	config      *config // once it is read
	logLevel    string
	leveled     bool // logLevel is given
	debug       bool
	printConfig bool
	format      string
}

func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use: "ats-auth-server [-h] [-c FILE] [-u USER] [-d] [-f] [-l LEVEL] [COMMAND]",

		DisableFlagsInUseLine: true,
		Short:                 "Issue, check and revoke authentication tokens",
		Version:               a.Version,
		Long: `ats-auth-server issues, checks and revokes authentication tokens, durably.
Without a command it serves. Every key of its configuration file is also a
variable of the environment: [store] url is ATS_AUTH_SERVER_STORE_URL, and
[tenant dev] open_minting is ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING. A variable
names a section in lower case, or one of the file that differs in case alone.`,
		RunE:              a.serve,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.begin(c) },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetVersionTemplate("ats-auth-server {{.Version}}\n")
	serve := a.serveCommand()
	a.rootFlags(root, serve)
	root.AddCommand(serve, a.userCommand(), a.serviceCommand(), a.organisationCommand(), a.applicationCommand(), a.policyCommand(), a.tenantCommand(), a.tokenCommand(), a.keyCommand(), a.propertyCommand(), a.revokeCommand(), a.backupCommand(), a.migrateCommand(), a.backendCommand(), a.checkCommand(), a.versionCommand(), a.hashCommand())
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error { return command.Help(root, args) },
	})
	return root
}

// rootFlags are those of all commands and those of serving, in the order in which
// people of the seed's program know them.
func (a *app) rootFlags(root, serve *cobra.Command) {
	all := root.PersistentFlags()
	all.StringVarP(&a.configFile, "config", "c", "", "configuration `FILE`; --config-file is the same")
	all.StringVar(&a.configFile, "config-file", "", "same as --config")
	_ = all.MarkHidden("config-file")
	all.StringVarP(&a.user, "user", "u", "", "be `USER`, a name, UID or UID:GID, before the store is opened; for root alone")
	all.BoolVarP(&a.debug, "debug", "d", false, "log debug messages, same as --log-level debug")
	all.StringVarP(&a.logLevel, "log-level", "l", "info", "log messages of `LEVEL` and above: critical, error, warning, info or debug")
	f := root.Flags()
	f.SortFlags = false
	f.BoolP("help", "h", false, "show this help and exit")
	for _, name := range []string{"config", "user", "debug", "foreground", "log-level", "print-config"} {
		f.AddFlag(cmp.Or(all.Lookup(name), serve.Flags().Lookup(name)))
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.Stdout, "ats-auth-server %s\n", a.Version)
			return err
		},
	}
}

// serveFlags are those of serving. -f changes nothing: the server always stays
// in the foreground.
func (a *app) serveFlags(c *cobra.Command) {
	c.Flags().BoolP("foreground", "f", false, "stay in the foreground, as it always does")
	c.Flags().BoolVar(&a.printConfig, "print-config", false, "print every key, its value and where it came from, and exit")
}

// formatFlag is -f of the commands that answer something.
func (a *app) formatFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&a.format, "format", "f", "table", "how to print the answer: table or json")
	return c
}

// runAsFlag is -u of a command whose --user is another.
func (a *app) runAsFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.user, "run-as", "u", "", "be `USER` before the store is opened: what --user is to other commands")
}

// begin refuses what is mistyped before anything is done.
func (a *app) begin(c *cobra.Command) error {
	if f := c.Flags().ShorthandLookup("u"); f != nil {
		a.userGiven = f.Changed
	}
	if _, ok := levels()[a.logLevel]; !ok {
		return command.Usage("log level %q is not one of critical, error, warning, info, debug", a.logLevel)
	}
	if !slices.Contains([]string{"", "table", "json"}, a.format) {
		return command.Usage("format %q is neither table nor json", a.format)
	}
	return nil
}

// answer prints an object where json is asked for, else what a person reads.
func (a *app) answer(object any, table string) error {
	if a.format == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(object)
	}
	_, err := io.WriteString(a.Stdout, table)
	return err
}

// say tells on stderr what was done.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.Stderr, format+"\n", args...) }

// newLog makes the structured log: JSON, or text on a terminal. What is logged can
// be changed.
func (a *app) newLog(c *config) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(a.level(c))
	options := &slog.HandlerOptions{Level: level}
	if a.Interactive(a.Stderr) {
		return slog.New(slog.NewTextHandler(a.Stderr, options)), level
	}
	return slog.New(slog.NewJSONHandler(a.Stderr, options)), level
}

// level is that of the flags, else the configuration's.
func (a *app) level(c *config) slog.Level {
	switch {
	case a.debug:
		return slog.LevelDebug
	case a.leveled:
		return levels()[a.logLevel]
	}
	return levels()[c.logLevel]
}

// levels are those of --log-level.
func levels() map[string]slog.Level {
	return map[string]slog.Level{
		"critical": slog.LevelError + 4, "error": slog.LevelError, "warning": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
	}
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
)

// The marks of what a doctor finds.
const (
	markOK   = "ok"
	markWarn = "warn"
	markFail = "fail"
)

// finding is one line of the report. Nothing in it is a secret.
type finding struct {
	Check string `json:"check"`
	Mark  string `json:"status"`
	Text  string `json:"text"`
	Code  string `json:"code,omitempty"` // the exit code's word, of a failure
	Hint  string `json:"hint,omitempty"`
	exit  int
}

// doctor looks at everything, and goes on whatever it finds.
type doctor struct {
	*app
	findings []finding
	given    map[string]string // the flags
}

func (a *app) doctorCommand() *cobra.Command {
	var offline bool
	c := &cobra.Command{
		Use: "doctor", Short: "Look at what is configured, at the files and at the server", Args: cobra.NoArgs,
		Long: `Look at what is configured, and say what is good (ok), odd (warn) or broken (fail):
the ini file and what it hides, each setting with its source and the sources it
hides, variables that are none, modes and owners of files, the saved login; then
the server: its name, the way there, its certificate, its addresses and grants,
and whether the two clocks agree.

Nothing is changed, nobody is logged in, and no secret is shown. The exit code is
0 when nothing has failed, else that of the gravest failure: what is local counts
before what the network says, and that before a token.`,
		Example: `  ats-auth doctor --offline
  ats-auth doctor -f json | jq '.checks[] | select(.status != "ok")'`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runDoctor(c.Context(), offline) },
	}
	a.later(c, func() {
		c.Flags().BoolVar(&offline, "offline", false, "look at this machine only")
		c.Flags().StringVarP(&a.flags.format, "format", "f", "", "json prints one object")
		a.settingFlags(c.Flags(), "username", "backend")
		a.applicationFlags(c)
	})
	return c
}

func (a *app) runDoctor(ctx context.Context, offline bool) error {
	format := a.flags.format
	if format != "" && format != "json" {
		return command.Usage("doctor cannot print its report as %s, only as json", format)
	}
	d := &doctor{app: a, given: a.set}
	a.flags.format = "value" // of no account; a broken setting must not stop us
	d.configuration()
	d.variables()
	if a.profile != nil {
		d.settings()
		d.files()
		d.login()
		if !offline {
			d.server(ctx)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := d.print(format); err != nil {
		return err
	}
	if code := d.gravest(); code != exitOK {
		return &reported{code}
	}
	return nil
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Mark: markOK, Text: safe(fmt.Sprintf(format, args...))})
}

func (d *doctor) warnOf(check, hint, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Mark: markWarn, Text: safe(fmt.Sprintf(format, args...)), Hint: hint})
}

// fail is an error, in the words and with the code that a command would give.
func (d *doctor) fail(check string, err error) {
	code := exitCode(err)
	d.findings = append(d.findings, finding{
		Check: check, Mark: markFail, Text: safe(err.Error()), Code: exitWord(code), Hint: d.hintOf(err), exit: code,
	})
}

// gravest is the exit code of the failure to mend first.
func (d *doctor) gravest() int {
	order := []int{
		exitConfig, exitState, exitUsage, exitUnreachable, exitServer, exitRefused, exitNotGenuine, exitRevoked, exitNotNow, exitError,
	}
	for _, code := range order {
		if slices.ContainsFunc(d.findings, func(f finding) bool { return f.Mark == markFail && f.exit == code }) {
			return code
		}
	}
	return exitOK
}

// print writes the report.
func (d *doctor) print(format string) error {
	if format == "json" {
		text, err := json.Marshal(struct {
			Checks []finding `json:"checks"`
			Exit   int       `json:"exit"`
		}{d.findings, d.gravest()})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(d.Stdout, string(text))
		return err
	}
	var b strings.Builder
	count := map[string]int{}
	width := 0
	for _, f := range d.findings {
		width = max(width, len(f.Check))
	}
	for _, f := range d.findings {
		count[f.Mark]++
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", f.Mark, width, f.Check, f.Text)
		if f.Hint != "" {
			fmt.Fprintf(&b, "      %-*s  hint: %s\n", width, "", f.Hint)
		}
	}
	fmt.Fprintf(&b, "%d ok, %d to look at, %d failed\n", count[markOK], count[markWarn], count[markFail])
	_, err := fmt.Fprint(d.Stdout, b.String())
	return err
}

// configuration reads the profile. Where that fails it says why, and reads what
// can be read without the part that is broken: the ini file, then the
// environment, then the flags.
func (d *doctor) configuration() {
	err := d.load()
	if err == nil {
		d.iniFile()
		return
	}
	d.fail("configuration", err)
	lookUp := d.LookupEnv
	defer func() { d.LookupEnv = lookUp }()
	d.set = without(d.given, "config")
	d.set["config"] = os.DevNull
	if runtime.GOOS != "windows" && d.load() == nil {
		d.warnOf("configuration", "", "what follows goes without an ini file")
		return
	}
	d.LookupEnv = func(name string) (string, bool) {
		if strings.HasPrefix(name, "XDG_") || name == "HOME" {
			return lookUp(name)
		}
		return "", false
	}
	if d.load() == nil {
		d.warnOf("configuration", "", "what follows goes without an ini file and without variables")
		return
	}
	d.set = map[string]string{"config": os.DevNull}
	if d.load() == nil {
		d.warnOf("configuration", "", "what follows goes without an ini file, variables and flags")
	}
}

// without is a copy less one name.
func without(m map[string]string, name string) map[string]string {
	rest := map[string]string{}
	for k, v := range m {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

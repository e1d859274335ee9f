package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/command"
)

// record is a result: named fields, the first being what a script wants.
type record []field

type field struct {
	name  string
	value any // string, int64, bool or rawJSON
}

// rawJSON is a value that is JSON text already.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func (f field) text() string {
	if s, ok := f.value.(string); ok {
		return s
	}
	return fmt.Sprint(f.value)
}

// formats are how a record can be printed.
func formats() []format {
	return []format{
		{"value", "values alone, a line each; of all columns only the first unless -c names others", nil},
		{"json", "one object", nil},
		{"yaml", "a line a column", printLine(func(name, value string) string { return name + ": " + value }, yamlName)},
		{"table", "two columns for a person", nil},
		{"shell", "NAME='value' for sh, bash, zsh", printLine(assign("%s=%s", quoteSh), variable)},
		{"export", "export NAME='value'", printLine(assign("export %s=%s", quoteSh), variable)},
		{"fish", "set -gx NAME 'value'", printLine(assign("set -gx %s %s", quoteFish), variable)},
		{"powershell", "$env:NAME = 'value'", printLine(assign("$env:%s = %s", quotePowerShell), variable)},
		{"curl", "a header line for curl -K -, so that the token stands on no command line", nil},
		{"header", "Authorization: Bearer …, in the wazo dialect X-Auth-Token: …", nil},
	}
}

type format struct {
	name, help string
	line       func(a *app, f field) string // of the formats that print a line a field
}

func formatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// checkColumns refuses a column that the command does not have, before
// anything is done.
func (a *app) checkColumns(known ...string) error {
	for _, c := range a.flags.columns {
		if !slices.Contains(known, c) {
			return command.Usage("column %q is not one of %s", safe(c), strings.Join(known, ", "))
		}
	}
	return nil
}

// print writes a record to stdout, as -f and -c ask.
func (a *app) print(r record) error {
	text, err := a.render(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Stdout, text)
	return err
}

func (a *app) render(r record) (string, error) {
	primary, chosen := r[0].text(), a.chosen(r)
	switch a.flags.format {
	case "", "value":
		if len(a.flags.columns) == 0 {
			return primary + "\n", nil
		}
		return lines(chosen, func(f field) string {
			if a.Interactive != nil && a.Interactive(a.Stdout) {
				return safe(f.text())
			}
			return f.text() // a program wants every byte
		}), nil
	case "json":
		return chosen.json()
	case "table":
		width := 0
		for _, f := range chosen {
			width = max(width, len(f.name))
		}
		return lines(chosen, func(f field) string { return fmt.Sprintf("%-*s  %s", width, f.name, safe(f.text())) }), nil
	case "curl":
		return "header = " + quoteCurl(a.headerOf(r)+primary) + "\n", nil
	case "header":
		return a.headerOf(r) + safe(primary) + "\n", nil
	}
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == a.flags.format })
	return lines(chosen, func(f field) string { return formats()[i].line(a, f) }), nil
}

// chosen is what -c picks of a record.
func (a *app) chosen(r record) record {
	if len(a.flags.columns) == 0 {
		return r
	}
	var list record
	for _, c := range a.flags.columns {
		if i := slices.IndexFunc(r, func(f field) bool { return f.name == c }); i >= 0 {
			list = append(list, r[i])
		}
	}
	return list
}

func lines(r record, line func(field) string) string {
	var b strings.Builder
	for _, f := range r {
		b.WriteString(line(f) + "\n")
	}
	return b.String()
}

// headerOf is what stands before a token in a header.
func (a *app) headerOf(r record) string {
	if a.profile != nil && a.dialect() == "wazo" {
		return "X-Auth-Token: "
	}
	return "Authorization: " + r.scheme() + " "
}

// scheme is how a token stands in a header: a bound one behind DPoP (RFC 9449
// section 7.1), all others behind Bearer.
func (r record) scheme() string {
	if slices.ContainsFunc(r, func(f field) bool { return f.name == "token_type" && strings.EqualFold(f.text(), "DPoP") }) {
		return "DPoP"
	}
	return "Bearer"
}

func (r record) json() (string, error) {
	var b strings.Builder
	b.WriteString("{")
	for i, f := range r {
		if i > 0 {
			b.WriteString(",")
		}
		value, err := marshal(f.value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%q:%s", f.name, value)
	}
	return b.String() + "}\n", nil
}

// printJSON writes a JSON object with a line for each member.
func (a *app) printJSON(object string) error {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(object), "", "\t"); err != nil {
		return err
	}
	_, err := a.Stdout.Write(b.Bytes())
	return err
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func printLine(write func(name, value string) string, name func(a *app, f field) (string, string)) func(*app, field) string {
	return func(a *app, f field) string { return write(name(a, f)) }
}

// yamlName gives the value as JSON, which is YAML.
func yamlName(_ *app, f field) (string, string) {
	value, err := marshal(f.value)
	if err != nil {
		value = "null"
	}
	return f.name, value
}

// variable names a field in an environment: ATS_AUTH_TOKEN, ATS_AUTH_EXPIRES_AT.
func variable(a *app, f field) (string, string) {
	name := f.name
	if name == "access_token" {
		name = "token"
	}
	return a.flags.prefix + strings.ToUpper(name), f.text()
}

func assign(form string, quote func(string) string) func(name, value string) string {
	return func(name, value string) string { return fmt.Sprintf(form, name, quote(value)) }
}

// quoteSh quotes for a POSIX shell: nothing within single quotes is special.
func quoteSh(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoteFish quotes for fish, where \ and ' are special within single quotes.
func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quotePowerShell quotes for PowerShell, which takes typographic quotes for
// quotes too.
func quotePowerShell(s string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(s) + "'"
}

// quoteCurl quotes for a curl configuration file.
func quoteCurl(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

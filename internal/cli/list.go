package cli

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// listFormats are how a list of records can be printed.
func listFormats() []string { return []string{"table", "json", "yaml", "value"} }

// printList writes records to stdout, as -f and -c ask. As values they are a line
// each, of all columns only the first unless -c names others.
func (a *app) printList(list []record) error {
	var b strings.Builder
	switch a.flags.format {
	case "json":
		var objects []string
		for _, r := range list {
			object, err := a.chosen(r).json()
			if err != nil {
				return err
			}
			objects = append(objects, strings.TrimSuffix(object, "\n"))
		}
		b.WriteString("[" + strings.Join(objects, ",\n ") + "]\n")
	case "yaml":
		a.writeYAML(&b, list)
	case "value":
		for _, r := range list {
			if len(a.flags.columns) == 0 {
				r = r[:1]
			}
			b.WriteString(cells(a.chosen(r), "\t") + "\n")
		}
	default:
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for i, r := range list {
			if i == 0 {
				var names []string
				for _, f := range a.chosen(r) {
					names = append(names, strings.ToUpper(strings.ReplaceAll(f.name, "_", " ")))
				}
				fmt.Fprintln(w, strings.Join(names, "\t"))
			}
			fmt.Fprintln(w, cells(a.chosen(r), "\t"))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// writeYAML writes a sequence of mappings.
func (a *app) writeYAML(b *strings.Builder, list []record) {
	if len(list) == 0 {
		b.WriteString("[]\n")
	}
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == "yaml" })
	for _, r := range list {
		for n, f := range a.chosen(r) {
			b.WriteString(map[bool]string{true: "- ", false: "  "}[n == 0] + formats()[i].line(a, f) + "\n")
		}
	}
}

// cells are the fields of a line; what is empty is seen to be.
func cells(r record, separator string) string {
	var texts []string
	for _, f := range r {
		text := safe(f.text())
		if text == "" {
			text = "-"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, separator)
}

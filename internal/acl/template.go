package acl

import (
	"cmp"
	"slices"
	"strings"
	"text/template/parse"
	"unicode/utf8"
)

// maxTemplate is how many bytes a template may have.
const maxTemplate = 4096

// hole stands in a text for a variable that has no value. It is no UTF-8: Check
// refuses what still has one.
const hole = "\xff"

// Render makes access strings of templates: every line of what one gives, trimmed, in
// order and once each. list is bounded; over is how many did not fit (see bound).
//
// A template is text with variables in it, {{ uuid }} or {{ .uuid }}, and nothing else
// of text/template or Jinja2. A "." in a value becomes "_". A value cannot be used
// that would mean more than itself in a list or make a string of it that is none: one
// that is empty, that Check refuses, that holds "*", "#" or "!", or is one of the words
// me, my_session, edit and update.
//
// A template allows nothing where it names a variable that vars does not have, or one
// whose value cannot be used. What it denies stays denied, with whatever stands in the
// place of the variable: a line that begins with "!" is kept, with "*" for the variable
// and "#" for a word that the variable is a part of. The same goes for such a line that
// the values make too long. A template that cannot be read, or is longer than 4096
// bytes, gives those of its lines that begin with "!" and can be read alone.
//
// dropped are the templates that allow nothing for these reasons, and the lines that
// Check refuses.
func Render(templates []string, vars map[string]string) (list, dropped []string, over int) {
	values := usable(vars)
	seen := map[string]bool{}
	for _, template := range templates {
		lines, ok := read(template)
		if ok = ok && known(lines, values); !ok {
			dropped = append(dropped, template)
		}
		for _, l := range lines {
			access := l.access(values)
			switch denies := strings.HasPrefix(access, "!"); {
			case access == "" || !ok && !denies || seen[access]:
			case Check(access) != nil:
				dropped = append(dropped, l.source())
			default:
				seen[access] = true
				list = append(list, access)
			}
		}
	}
	list, over = bound(list)
	return list, dropped, over
}

// Fault is a line of a template, and why Check refuses it.
type Fault struct{ Line, Why string }

// Faults returns the lines of a template that Check refuses, with the values of vars,
// which are samples, in the place of variables. One that denies must also do with "*",
// which it can come to. Of a template that cannot be read no more is looked at than
// Render keeps.
func Faults(template string, vars map[string]string) (faults []Fault) {
	lines, _ := read(template)
	for _, l := range lines {
		text := l.text(func(name string) string { return cmp.Or(vars[name], "x") })
		why := refusal(text)
		if strings.HasPrefix(text, "!") {
			why = cmp.Or(why, refusal(l.text(func(string) string { return "*" })))
		}
		if text != "" && why != "" {
			faults = append(faults, Fault{l.source(), why})
		}
	}
	return faults
}

// Reach returns access strings that stand for all that a template could make,
// whatever the values, and could deny: "*" in the place of a variable, and "#" in that
// of a word that a variable is a part of. A template that cannot be read could make
// anything some day.
func Reach(template string) (list []string) {
	lines, ok := read(template)
	if !ok {
		list = append(list, "#")
	}
	for _, l := range lines {
		if access := l.widest(); access != "" {
			list = append(list, access)
		}
	}
	return list
}

// usable are the values that are, in a list, themselves alone.
func usable(vars map[string]string) map[string]string {
	values := make(map[string]string, len(vars))
	for name, value := range vars {
		value = strings.ReplaceAll(value, ".", "_")
		if _, word := reserved(value); !word && Check(value) == nil && !strings.ContainsAny(value, "*#!") {
			values[name] = value
		}
	}
	return values
}

// known reports whether all variables of lines have a value.
func known(lines []line, values map[string]string) bool {
	return !slices.ContainsFunc(lines, func(l line) bool { return strings.Contains(l.with(values), hole) })
}

// A line is an access string to be, in its parts.
type line []span

// span is a text, or the name of a variable.
type span struct {
	text     string
	variable bool
}

// text returns the line with texts in the place of its variables.
func (l line) text(of func(name string) string) string {
	var b strings.Builder
	for _, s := range l {
		if s.variable {
			b.WriteString(of(s.text))
		} else {
			b.WriteString(s.text)
		}
	}
	return strings.TrimSpace(b.String())
}

// with returns the line with values, and with a hole for what has none.
func (l line) with(values map[string]string) string {
	return l.text(func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return hole
	})
}

// source returns the line about as it was written.
func (l line) source() string {
	return l.text(func(name string) string { return "{{ " + name + " }}" })
}

// access returns what the line is with values. One that denies, and cannot stand in a
// list with these though it could with others, denies all that it could with any.
func (l line) access(values map[string]string) string {
	access := l.with(values)
	if !strings.HasPrefix(access, "!") || Check(access) == nil || Check(l.text(func(string) string { return "x" })) != nil {
		return access
	}
	if access = l.widest(); Check(access) != nil { // it has too many wildcards
		return "!#"
	}
	return access
}

// widest returns what covers the line whatever the values. A part of a word could make
// me of it, or edit, which are more than "*".
func (l line) widest() string {
	access, denies := strings.CutPrefix(l.with(nil), "!")
	words := strings.Split(access, ".")
	for i, word := range words {
		switch {
		case word == hole:
			words[i] = "*"
		case strings.Contains(word, hole):
			words[i] = "#"
		}
	}
	access = strings.Join(words, ".")
	if denies {
		return "!" + access
	}
	return access
}

// read returns the lines of a template. Of one that cannot be read as a whole they are
// those that begin with "!" and can be read alone.
func read(template string) (lines []line, ok bool) {
	if lines, ok = parsed(template); ok {
		return lines, true
	}
	for text := range strings.Lines(template) {
		if text = strings.TrimSpace(text); strings.HasPrefix(text, "!") {
			alone, _ := parsed(text)
			lines = append(lines, alone...)
		}
	}
	return lines, false
}

func parsed(template string) (lines []line, ok bool) {
	// In Jinja2's own eyes a condition or a comment, these would be text here: what they
	// keep back would be given.
	if len(template) > maxTemplate || !utf8.ValidString(template) || strings.Contains(template, "{%") || strings.Contains(template, "{#") {
		return nil, false
	}
	// Nothing that a template defines can have a name longer than the template.
	tree, set := parse.New(template+"."), map[string]*parse.Tree{}
	tree.Mode = parse.SkipFuncCheck // a name is that of a variable, which need not be there
	if _, err := tree.Parse(template, "", "", set); err != nil || len(set) != 1 {
		return nil, false
	}
	lines = []line{nil}
	add := func(s span) { lines[len(lines)-1] = append(lines[len(lines)-1], s) }
	for _, node := range tree.Root.Nodes {
		if node, ok := node.(*parse.TextNode); ok {
			for at, text := range strings.Split(string(node.Text), "\n") {
				if at > 0 {
					lines = append(lines, nil)
				}
				add(span{text: text})
			}
			continue
		}
		name, ok := variable(node)
		if !ok {
			return nil, false
		}
		add(span{name, true})
	}
	return lines, true
}

// variable returns the name of the variable that a node is, if it is one.
func variable(node parse.Node) (name string, ok bool) {
	action, ok := node.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) != 0 || len(action.Pipe.Cmds) != 1 || len(action.Pipe.Cmds[0].Args) != 1 {
		return "", false
	}
	switch word := action.Pipe.Cmds[0].Args[0].(type) {
	case *parse.IdentifierNode:
		return word.Ident, true
	case *parse.FieldNode:
		return word.Ident[0], len(word.Ident) == 1
	}
	return "", false
}

package acl

import (
	"slices"
	"strings"
	"text/template/parse"
	"unicode"
)

// What a rendering is bounded by.
const (
	maxTemplate = 4096 // bytes of a template
	maxList     = 1000 // access strings from one call of Render
)

// Render makes access strings of templates: every line of what one gives that Check
// accepts, trimmed, in order and once each.
//
// A template is text with variables in it, {{ uuid }} or {{ .uuid }}, and nothing else
// of text/template or Jinja2. It is dropped as a whole where it is longer than 4096
// bytes, cannot be parsed, names a variable that vars does not have, or one whose value
// would mean more than itself in a list or make a string of it that is none: where it
// is empty, longer than 1024 bytes, holds white space or one of ".", "*", "#" and "!",
// or is one of the words me, my_session, edit and update. dropped are those templates.
//
// At most 1000 access strings are given. Where there would be more, the last of those
// that allow are left out first, so that nothing is allowed which one would deny.
func Render(templates []string, vars map[string]string) (list, dropped []string) {
	seen := map[string]bool{}
	for _, template := range templates {
		text, ok := render(template, vars)
		if !ok {
			dropped = append(dropped, template)
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if Check(line) == nil && !seen[line] {
				seen[line] = true
				list = append(list, line)
			}
		}
	}
	return bound(list), dropped
}

// bound leaves out what is too much.
func bound(list []string) []string {
	allows := maxList
	for _, access := range list {
		if strings.HasPrefix(access, "!") {
			allows--
		}
	}
	list = slices.DeleteFunc(list, func(access string) bool {
		if strings.HasPrefix(access, "!") {
			return false
		}
		allows--
		return allows < 0
	})
	return list[:min(len(list), maxList)] // a longer list is of denials alone, which allows nothing
}

// render returns what one template gives.
func render(template string, vars map[string]string) (text string, ok bool) {
	// In Jinja2's own eyes a condition or a comment, these would be text here: what they
	// keep back would be given.
	if len(template) > maxTemplate || strings.Contains(template, "{%") || strings.Contains(template, "{#") {
		return "", false
	}
	names := make(map[string]any, len(vars))
	for name := range vars {
		names[name] = true
	}
	// Nothing that a template defines can have a name longer than the template.
	tree, set := parse.New(template+"."), map[string]*parse.Tree{}
	if _, err := tree.Parse(template, "", "", set, names); err != nil || len(set) != 1 {
		return "", false
	}
	var b strings.Builder
	for _, node := range tree.Root.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			b.Write(node.Text)
		default:
			name, ok := variable(node)
			value := vars[name] // none is empty, which is not plain
			if !ok || !plain(value) {
				return "", false
			}
			b.WriteString(value)
		}
	}
	return b.String(), true
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

// plain reports whether a value is, in a list, itself alone.
func plain(value string) bool {
	_, word := reserved(value)
	return value != "" && len(value) <= maxLength && !word &&
		!strings.ContainsAny(value, ".*#!") && !strings.ContainsFunc(value, unicode.IsSpace)
}

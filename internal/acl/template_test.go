package acl

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var variables = map[string]string{
	"uuid": user, "id": "42", "agent": "é", "entity": "a.b", "star": "a*", "hash": "#", "not": "!x", "space": "a b",
	"tab": "a\t", "empty": "", "word": "edit", "mine": "me", "long": strings.Repeat("a", 1025), "dash": "-", "": "nameless",
}

func TestATemplateIsRendered(t *testing.T) {
	for template, want := range map[string][]string{
		"confd.users.read":                   {"confd.users.read"},
		"confd.users.{{ uuid }}.read":        {"confd.users." + user + ".read"},
		"confd.users.{{ .uuid }}.read":       {"confd.users." + user + ".read"},
		"{{uuid}}.{{.id}}.{{- id -}}":        {user + ".42.42"},
		"!confd.{{ agent }}.#":               {"!confd.é.#"},
		"a{{ dash }}b":                       {"a-b"},
		" a.b \r\n\n\tc.{{ id }}\n a.b\n":    {"a.b", "c.42"},
		"a\nb c\nd":                          {"a", "d"},
		"a\n!\n" + strings.Repeat("b", 1025): {"a"},
		"{{ id }}":                           {"42"},
		"a.}}":                               {"a.}}"},
		"":                                   nil,
		" \n ":                               nil,
		strings.Repeat("\n", 4095) + "a":     {"a"},
		strings.Repeat("a.b\n", 1000) + "{{ id }}": {"a.b", "42"},
	} {
		list, dropped := Render([]string{template}, variables)
		if !slices.Equal(list, want) || len(dropped) != 0 {
			t.Errorf("%.40q: %q, %q, want %q", template, list, dropped, want)
		}
	}
}

func TestATemplateThatIsMoreThanVariablesIsDroppedWhole(t *testing.T) {
	for _, template := range []string{
		"{{ unknown }}", "{{ .unknown }}", "{{ .uuid.id }}", "{{ uuid.id }}", "{{ . }}", "{{ $ }}", "{{ $.uuid }}", "{{ (uuid) }}",
		"{{ uuid id }}", "{{ uuid | id }}", "{{ .uuid .id }}", "{{ $x := uuid }}", "{{ $x := uuid }}{{ $x }}", "{{ print uuid }}",
		"{{ len uuid }}", "{{ printf `x` }}", "{{ 42 }}", "{{ `x` }}", `{{ "x" }}`, "{{ 'x' }}", "{{ true }}", "{{ nil }}", "{{ }}",
		"{{ if uuid }}b{{ end }}", "{{ range .uuid }}b{{ end }}", "{{ with uuid }}b{{ end }}", "{{ end }}", "{{ break }}",
		`{{ define "x" }}b{{ end }}`, `{{ define "x" }}{{ end }}`, `{{ block "x" . }}b{{ end }}`, `{{ template "x" }}`,
		"{{ uuid", "{{", "{{ uuid }", "{{ lines[0] }}", "{{ UUID }}",
		"{% if admin %}\nb\n{% endif %}", "{% for l in lines %}b{% endfor %}", "{#\nb\n#}",
		"{{ entity }}", "{{ star }}", "{{ hash }}", "{{ not }}", "{{ space }}", "{{ tab }}", "{{ empty }}", "{{ word }}", "{{ mine }}", "{{ long }}",
		strings.Repeat("b", 4097),
	} {
		text := "a\n" + template
		list, dropped := Render([]string{"first", text, "last"}, variables)
		if !slices.Equal(list, []string{"first", "last"}) || !slices.Equal(dropped, []string{text}) {
			t.Errorf("%.40q: %.100q, %.100q", template, list, dropped)
		}
	}
}

// The names of what a template defines share a map with its own.
func TestATemplateCannotPassForWhatItDefines(t *testing.T) {
	for _, name := range []string{"", ".", "acl", "a."} {
		for _, body := range []string{"", "b"} {
			for _, rest := range []string{"", "a"} {
				text := fmt.Sprintf("{{ define %q }}%s{{ end }}%s", name, body, rest)
				if list, dropped := Render([]string{text}, variables); len(list) != 0 || len(dropped) != 1 {
					t.Errorf("%s: %q, %q", text, list, dropped)
				}
			}
		}
	}
}

func TestARenderingIsBoundedAndKeepsItsDenials(t *testing.T) {
	lines := func(format string, n int) (templates []string) {
		for i := range n {
			templates = append(templates, fmt.Sprintf(format, i))
		}
		return templates
	}
	exact := lines("a%d", 1000)
	if list, _ := Render(exact, nil); !slices.Equal(list, exact) {
		t.Errorf("%d of 1000", len(list))
	}
	list, dropped := Render(slices.Concat(lines("a%d", 990), lines("!d%d", 20), lines("b%d", 5)), nil)
	if want := slices.Concat(lines("a%d", 980), lines("!d%d", 20)); !slices.Equal(list, want) || len(dropped) != 0 {
		t.Errorf("%d access strings, %d dropped, want 980 that allow and all that deny", len(list), len(dropped))
	}
	if list, _ := Render(slices.Concat(lines("a%d", 5), lines("!d%d", 1001)), nil); !slices.Equal(list, lines("!d%d", 1000)) {
		t.Errorf("%d access strings, want 1000 that deny", len(list))
	}
}

func FuzzRender(f *testing.F) {
	f.Add("confd.users.{{ uuid }}.#\n!a", "x")
	f.Add(`{{ define "a" }}{{ end }}{{ .uuid }}`, "edit")
	f.Add("{{ range uuid }}{{ else }}{{/* c */}}", "a.b")
	f.Fuzz(func(t *testing.T, template, value string) {
		list, dropped := Render([]string{template}, map[string]string{"uuid": value})
		if len(dropped) != 0 && (len(list) != 0 || dropped[0] != template) {
			t.Errorf("%q is dropped and gives %q", template, list)
		}
		wild := func(s string) int { return strings.Count(s, "*") + strings.Count(s, "#") + strings.Count(s, "!") }
		most := wild(template)
		for _, access := range list {
			if err := Check(access); err != nil {
				t.Errorf("%q gives %q: %v", template, access, err)
			}
			if most -= wild(access); most < 0 {
				t.Errorf("%q gives %q, with more wildcards", template, list)
			}
		}
	})
}

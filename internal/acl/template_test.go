package acl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var variables = map[string]string{
	"uuid": user, "id": "42", "agent": "é", "entity": "a.b", "star": "a*", "hash": "#", "not": "!x", "space": "a b",
	"tab": "a\t", "empty": "", "word": "edit", "mine": "me", "dotted": "my.session", "long": strings.Repeat("a", 1025),
	"large": strings.Repeat("a", 1000), "nul": "a\x00", "odd": "a\xff", "dash": "-", "": "nameless",
}

// unusable are the names of values that mean more than themselves, and of one that is
// not there.
var unusable = []string{"star", "hash", "not", "space", "tab", "empty", "word", "mine", "dotted", "long", "nul", "odd", "unknown"}

func TestATemplateIsRendered(t *testing.T) {
	for template, want := range map[string][]string{
		"confd.users.read":                  {"confd.users.read"},
		"confd.users.{{ uuid }}.read":       {"confd.users." + user + ".read"},
		"confd.users.{{ .uuid }}.read":      {"confd.users." + user + ".read"},
		"{{uuid}}.{{.id}}.{{- id -}}":       {user + ".42.42"},
		"!confd.{{ agent }}.#":              {"!confd.é.#"},
		"confd.{{ entity }}\n!{{ entity }}": {"confd.a_b", "!a_b"},
		"a{{ dash }}b":                      {"a-b"},
		" a.b \r\n\n\tc.{{ id }}\n a.b\n":   {"a.b", "c.42"},
		"{{ id }}":                          {"42"},
		"a.}}":                              {"a.}}"},
		"":                                  nil,
		" \n ":                              nil,
		strings.Repeat("\n", 4095) + "a":    {"a"},
		strings.Repeat("a.b\n", 1000) + "{{ id }}": {"a.b", "42"},
	} {
		list, dropped, over := Render([]string{template}, variables)
		if !slices.Equal(list, want) || len(dropped) != 0 || over != 0 {
			t.Errorf("%.40q: %q, %q, want %q", template, list, dropped, want)
		}
	}
}

func TestALineThatIsNoAccessStringIsDroppedAndTold(t *testing.T) {
	tooMany := strings.Repeat("*", 33)
	for template, want := range map[string][]string{
		"a\nb c\nd":    {"b c"},
		"a\n!\nd":      {"!"},
		"a\n! x\nd":    {"! x"},
		"a\n!a, !b\nd": {"!a, !b"},
		"a\n!" + tooMany + "\n" + tooMany + "\nd": {"!" + tooMany, tooMany},
		"a\n" + strings.Repeat("b", 1025) + "\nd": {strings.Repeat("b", 1025)},
		"a\n! {{ id }}\nd":                        {"! {{ id }}"},
		"a\n!{{ star }} x\nd":                     {"a\n!{{ star }} x\nd", "!{{ star }} x"},
	} {
		list, dropped, _ := Render([]string{template}, variables)
		given := []string{"a", "d"}
		if want[0] == template {
			given = nil
		}
		if !slices.Equal(list, given) || !slices.Equal(dropped, want) {
			t.Errorf("%.40q: %q, %q, want %q", template, list, dropped, want)
		}
	}
}

func TestATemplateThatIsMoreThanVariablesAllowsNothing(t *testing.T) {
	odd := []string{
		"{{ .uuid.id }}", "{{ uuid.id }}", "{{ . }}", "{{ $ }}", "{{ $.uuid }}", "{{ (uuid) }}",
		"{{ uuid id }}", "{{ uuid | id }}", "{{ .uuid .id }}", "{{ $x := uuid }}", "{{ $x := uuid }}{{ $x }}", "{{ print uuid }}",
		"{{ len uuid }}", "{{ printf `x` }}", "{{ 42 }}", "{{ `x` }}", `{{ "x" }}`, "{{ 'x' }}", "{{ true }}", "{{ nil }}", "{{ }}",
		"{{ if uuid }}b{{ end }}", "{{ range .uuid }}b{{ end }}", "{{ with uuid }}b{{ end }}", "{{ end }}", "{{ break }}",
		`{{ define "x" }}b{{ end }}`, `{{ define "x" }}{{ end }}`, `{{ block "x" . }}b{{ end }}`, `{{ template "x" }}`,
		"{{ uuid", "{{", "{{ uuid }", "{{ lines[0] }}", "{{ UUID }}", "{{ .unknown }}", "{{ print }}", "\xff",
		"{% if admin %}\nb\n{% endif %}", "{% for l in lines %}b{% endfor %}", "{#\nb\n#}",
		strings.Repeat("b", 4097),
	}
	for _, name := range unusable {
		odd = append(odd, "{{ "+name+" }}")
	}
	for _, template := range odd {
		text := "!c.{{ id }}\na\n" + template
		list, dropped, _ := Render([]string{"first", text, "last"}, variables)
		if !slices.Equal(list, []string{"first", "!c.42", "last"}) || !slices.Equal(dropped, []string{text}) {
			t.Errorf("%.40q: %.100q, %.100q", template, list, dropped)
		}
	}
}

func TestADenialIsKeptWhateverTheValues(t *testing.T) {
	for _, name := range unusable {
		for template, want := range map[string]string{
			"!confd.{{ X }}.delete":            "!confd.*.delete",
			"! \n!{{ .X }}":                    "!*",
			"!confd.m{{ X }}.{{ X }}":          "!confd.#.*",
			"!{{ X }}{{ X }}.*":                "!#.*",
			"!a.{{ uuid }}.{{ X }}":            "!a.*.*",
			"!" + strings.Repeat(".{{X}}", 33): "!#",
			"!a.{{ X }}\n{{ id":                "!a.*",
			"!a.{{ X }}\n{% if x %}":           "!a.*",
		} {
			text := "b\n" + strings.ReplaceAll(template, "X", name)
			list, dropped, _ := Render([]string{text}, variables)
			if !slices.Equal(list, []string{want}) || !slices.Contains(dropped, text) {
				t.Errorf("%q: %q, %q, want %q", text, list, dropped, want)
			}
		}
	}
	list, dropped, _ := Render([]string{"b\n!{{ large }}.{{ large }}.c"}, variables)
	if !slices.Equal(list, []string{"b", "!*.*.c"}) || len(dropped) != 0 {
		t.Errorf("one that is too long: %.100q, %.100q", list, dropped)
	}
}

// templates gives texts of lines, some of which deny, with the variables x and y.
func templates() *rapid.Generator[[]string] {
	some := slices.Concat(pieces, []string{"\n", "\n!", "\n!", " ", "{{ x }}", "{{x}}", ".{{ .x }}.", "{{- y }}", "{{ y -}}", ".{{ y }}", "m", "e", "ed"})
	one := rapid.Custom(func(t *rapid.T) string {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(some), 0, 9).Draw(t, "pieces"), "")
		if rapid.IntRange(0, 9).Draw(t, "statement") == 0 {
			text += "\n{% if x %}"
		}
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
			text += "\n!" + strings.Repeat(rapid.SampledFrom([]string{"{{x}}", "{{y}}.", "*{{x}}.", "ab"}).Draw(t, "unit"), rapid.IntRange(20, 520).Draw(t, "times"))
		}
		return rapid.SampledFrom([]string{"", "!"}).Draw(t, "sign") + text
	})
	return rapid.SliceOfN(one, 1, 4)
}

func TestUnusableValuesAllowNothingThatUsableOnesDeny(t *testing.T) {
	good := rapid.SampledFrom([]string{"a", "b", "e", "it", "it_", "a.b", user, strings.Repeat("a", 200)})
	bad := rapid.SampledFrom(unusable)
	var denied int
	rapid.Check(t, func(t *rapid.T) {
		text := append(templates().Draw(t, "templates"), "#")
		usable := map[string]string{"x": good.Draw(t, "x"), "y": good.Draw(t, "y")}
		worse := maps.Clone(usable)
		for _, name := range rapid.SampledFrom([][]string{{"x"}, {"y"}, {"x", "y"}}).Draw(t, "unusable") {
			if value, ok := variables[bad.Draw(t, name)]; ok {
				worse[name] = value
			} else {
				delete(worse, name)
			}
		}
		list, _, _ := Render(text, usable)
		other, _, _ := Render(text, worse)
		better, lesser := Compile(list, user, userSession), Compile(other, user, userSession)
		for range 20 {
			required := requireds(list).Draw(t, "required")
			denies := !better.Allows(required) // for "#" is there
			if denies {
				denied++
			}
			if denies && lesser.Allows(required) {
				t.Fatalf("%q: %q denies %q, %q with %q allows it", text, list, required, other, worse)
			}
		}
	})
	if denied == 0 {
		t.Error("nothing was denied")
	}
}

func TestWhatATemplateCanMakeIsWithinItsReach(t *testing.T) {
	values := rapid.SampledFrom([]string{"a", "b", "e", "it", "me", "my_session", "a.b", "x", "date", "#", user})
	var allowed int
	rapid.Check(t, func(t *rapid.T) {
		text := templates().Draw(t, "templates")
		vars := map[string]string{"x": values.Draw(t, "x"), "y": values.Draw(t, "y")}
		var reach []string
		for _, one := range text {
			reach = append(reach, Reach(one)...)
		}
		for _, denies := range []bool{false, true} {
			list, _, _ := Render(text, vars)
			list, widest := only(list, denies), only(reach, denies)
			one, wide := Compile(list, user, userSession), Compile(widest, user, userSession)
			for range 10 {
				required := requireds(list).Draw(t, "required")
				if one.Allows(required) {
					allowed++
					if !wide.Allows(required) && !slices.Contains(list, "#") {
						t.Fatalf("%q with %q: %q is beyond %q", text, vars, required, widest)
					}
				}
			}
		}
	})
	if allowed == 0 {
		t.Error("nothing was allowed")
	}
}

// only are the strings of a list that deny, without their "!", or the others.
func only(list []string, deny bool) (some []string) {
	for _, access := range list {
		rest, denies := strings.CutPrefix(access, "!")
		if denies == deny {
			some = append(some, rest)
		}
	}
	return some
}

func TestFaultsNameTheLinesThatCannotStandInAList(t *testing.T) {
	for template, want := range map[string]string{
		"a.b\n!c.{{ uuid }}\n\n":                "[]",
		"a b":                                   "[{a b holds white space}]",
		"a\n! x\n!a, !b\nc":                     "[{! x holds white space} {!a, !b holds white space}]",
		"!":                                     "[{! denies nothing}]",
		strings.Repeat("*", 33):                 "[{" + strings.Repeat("*", 33) + " holds more than 32 wildcards}]",
		"{{ unknown }} b":                       "[{{{ unknown }} b holds white space}]",
		"{{ unknown }}":                         "[]",
		"{% if x %}\nb c\n! x":                  "[{! x holds white space}]",
		"!" + strings.Repeat("{{uuid}}.", 33):   "[{!" + strings.Repeat("{{ uuid }}.", 33) + " has 1222 bytes, more than 1024}]",
		"!" + strings.Repeat("{{id}}.", 33):     "[{!" + strings.Repeat("{{ id }}.", 33) + " holds more than 32 wildcards}]",
		strings.Repeat("{{id}}.", 33):           "[]",
		strings.Repeat("a", 989) + "{{ uuid }}": "[{" + strings.Repeat("a", 989) + "{{ uuid }} has 1025 bytes, more than 1024}]",
		strings.Repeat("a", 988) + "{{ uuid }}": "[]",
	} {
		if got := fmt.Sprint(Faults(template, variables)); got != want {
			t.Errorf("%.40q: %.200s, want %.200s", template, got, want)
		}
	}
}

// The names of what a template defines share a map with its own.
func TestATemplateCannotPassForWhatItDefines(t *testing.T) {
	for _, name := range []string{"", ".", "acl", "a."} {
		for _, body := range []string{"", "b"} {
			for _, rest := range []string{"", "a"} {
				text := fmt.Sprintf("{{ define %q }}%s{{ end }}%s", name, body, rest)
				if list, dropped, _ := Render([]string{text}, variables); len(list) != 0 || len(dropped) != 1 {
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
	if list, _, over := Render(exact, nil); !slices.Equal(list, exact) || over != 0 {
		t.Errorf("%d of 1000, %d over", len(list), over)
	}
	list, dropped, over := Render(slices.Concat(lines("a%d", 990), lines("!d%d", 20), lines("b%d", 5)), nil)
	if want := slices.Concat(lines("a%d", 980), lines("!d%d", 20)); !slices.Equal(list, want) || len(dropped) != 0 || over != 15 {
		t.Errorf("%d access strings, %d dropped, %d over, want 980 that allow and all that deny", len(list), len(dropped), over)
	}
	long, wild := strings.Repeat("x", 1020), strings.Repeat("*", 32)
	for what, c := range map[string]struct {
		list       []string
		want, over int
	}{
		"denials alone, too many":          {slices.Concat(lines("a%d", 5), lines("!d%d", 1001)), 0, 1006},
		"denials alone, as many as can be": {slices.Concat(lines("a%d", 5), lines("!d%03d", 1000)), 1000, 5},
		"bytes":                            {lines("%04d"+long, 100), 64, 36},
		"bytes of denials":                 {slices.Concat(lines("a%d", 1), lines("!%03d"+long, 64)), 64, 1},
		"bytes of denials, too many":       {slices.Concat(lines("a%d", 1), lines("!%03d"+long, 65)), 0, 66},
		"wildcards":                        {lines("%d"+wild, 100), 62, 38},
		"wildcards of denials":             {slices.Concat(lines("a%d#", 20), lines("!%d"+wild, 62)), 62 + 16, 4},
		"wildcards of denials, too many":   {slices.Concat(lines("a%d", 1), lines("!%d"+wild, 63)), 0, 64},
		"what fits behind what does not":   {slices.Concat(lines("!%d"+wild, 62), lines("a%d"+wild, 1), lines("b%d", 1)), 62, 2},
	} {
		list, _, over := Render(c.list, nil)
		if len(list) != c.want || over != c.over {
			t.Errorf("%s: %d, %d over, want %d and %d", what, len(list), over, c.want, c.over)
		}
		if denials := only(list, true); len(list) > 0 && len(denials) != len(only(c.list, true)) {
			t.Errorf("%s: %d denials", what, len(denials))
		}
	}
}

func TestWhatARenderingCostsIsBounded(t *testing.T) {
	dear := make([]string, 1000)
	for i := range dear {
		dear[i] = "!" + strings.Repeat("#"+strings.Repeat("a", 30), 32) + fmt.Sprint(1000+i)
	}
	steps := func(list []string) int {
		allowed, steps := Compile(append(list, "#"), user, userSession).Weigh(strings.Repeat("a", maxLength))
		if !allowed {
			t.Errorf("%d access strings: not allowed", len(list))
		}
		return steps
	}
	list, _, _ := Render(dear[:62], nil)
	if len(list) != 62 {
		t.Fatalf("%d of 62 access strings", len(list))
	}
	if all, bounded := steps(dear), steps(list); bounded > 2*maxListBytes*maxLength || all < 10*bounded {
		t.Errorf("%d steps, without a bound %d", bounded, all)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("confd.users.{{ uuid }}.#\n!a", "x")
	f.Add(`{{ define "a" }}{{ end }}{{ .uuid }}`, "edit")
	f.Add("{{ range uuid }}{{ else }}{{/* c */}}", "a.b")
	f.Fuzz(func(t *testing.T, template, value string) {
		list, dropped, _ := Render([]string{template}, map[string]string{"uuid": value})
		if slices.Contains(dropped, template) && len(only(list, false)) != 0 {
			t.Errorf("%q is dropped and gives %q", template, list)
		}
		wild := func(s string) int { return wildcards(s) + strings.Count(s, "!") }
		most := wild(template)
		for _, access := range list {
			if err := Check(access); err != nil {
				t.Errorf("%q gives %q: %v", template, access, err)
			}
		}
		for _, access := range only(list, false) {
			if most -= wild(access); most < 0 {
				t.Errorf("%q gives %q, with more wildcards", template, list)
			}
		}
	})
}

package daemon

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// namePart ends the section of a setting that stands in the table for many: there
// may be a [tenant NAME] for each tenant.
const namePart = " NAME"

// kind is what the sections of a setting are called whose sections have names:
// "tenant". false: there is one section, of that very name.
func (s setting) kind() (string, bool) { return strings.CutSuffix(s.section, namePart) }

// kindOf takes the name of a section apart: "tenant" and "dev" of "tenant dev".
func kindOf(section string) (kind, name string) {
	kind, name, _ = strings.Cut(section, " ")
	return kind, name
}

// kindSettings are the settings of a kind of sections; none: there is no such kind.
func kindSettings(kind string) []setting {
	return slices.DeleteFunc(settings(), func(s setting) bool {
		of, named := s.kind()
		return !named || of != kind
	})
}

// isSectionName takes the names that tenants have too.
func isSectionName(name string) bool {
	odd := func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, odd)
}

// schema is what the configuration file may hold.
func schema() inifile.Schema {
	known := make(map[string][]inifile.Key)
	var sections []string
	for _, s := range settings() {
		if known[s.section] == nil {
			sections = append(sections, s.section)
		}
		known[s.section] = append(known[s.section], inifile.Key{Name: s.key, Secret: s.secret})
	}
	return inifile.Schema{Sections: sections, Keys: func(section string) ([]inifile.Key, error) {
		kind, name := kindOf(section)
		keys, named := known[kind+namePart]
		switch {
		case !named:
			return known[section], nil
		case !isSectionName(name):
			return nil, errors.New("[" + kind + namePart + "] takes a name of 1 to 64 letters, digits and . - _")
		}
		return keys, nil
	}}
}

// open makes a section of a kind known, its settings at their defaults.
func (v *values) open(section string) {
	if slices.Contains(v.sections, section) {
		return
	}
	v.sections = append(v.sections, section)
	slices.Sort(v.sections)
	kind, _ := kindOf(section)
	for _, s := range kindSettings(kind) {
		s.section = section
		v.given[s.name()] = value{s.fallback, "default"}
	}
}

// settings is the table with the sections that there are in the place of those
// that stand for many.
func (v *values) settings() []setting {
	list := slices.DeleteFunc(settings(), func(s setting) bool { _, named := s.kind(); return named })
	for _, section := range v.sections {
		kind, _ := kindOf(section)
		for _, s := range kindSettings(kind) {
			s.section = section
			list = append(list, s)
		}
	}
	return list
}

// names are those of the sections of a kind, sorted.
func (v *values) names(kind string) []string {
	var list []string
	for _, section := range v.sections {
		if of, name := kindOf(section); of == kind {
			list = append(list, name)
		}
	}
	return list
}

// variables are those that a mistyped one may have been meant to be: where a section
// has a name, with the one that it gives.
func variables(mistyped string) []string {
	var list []string
	for _, s := range settings() {
		kind, many := s.kind()
		prefix := variablePrefix + strings.ToUpper(kind) + "_"
		rest, begins := strings.CutPrefix(mistyped, prefix)
		for i, r := range rest {
			if many && begins && r == '_' && isSectionName(rest[:i]) {
				list = append(list, prefix+rest[:i]+"_"+strings.ToUpper(s.key))
			}
		}
	}
	for _, s := range settings() {
		list = append(list, s.variable())
	}
	return list
}

// settingOf is the setting that a variable of the environment names.
func (v *values) settingOf(variable string) (setting, bool) {
	s, known := named(settings(), variable)
	if _, many := kindOf(s.section); many != "" {
		s.section = v.spelling(s.section)
	}
	return s, known
}

// named finds what a variable names in a table. Where it is a setting of a section
// with a name, the longest key that ends the variable wins, and what stands before
// it is the name.
func named(table []setting, variable string) (setting, bool) {
	var found []setting
	for _, s := range table {
		kind, many := s.kind()
		if !many {
			if s.variable() == variable {
				return s, true
			}
			continue
		}
		rest, begins := strings.CutPrefix(variable, variablePrefix+strings.ToUpper(kind)+"_")
		name, ends := strings.CutSuffix(rest, "_"+strings.ToUpper(s.key))
		if begins && ends && isSectionName(name) {
			s.section = kind + " " + strings.ToLower(name)
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return setting{}, false
	}
	return slices.MaxFunc(found, func(a, b setting) int { return cmp.Compare(len(a.key), len(b.key)) }), true
}

// spelling is a section as the file has it: the environment tells no upper case
// from lower.
func (v *values) spelling(section string) string {
	if slices.Contains(v.sections, section) {
		return section
	}
	same := func(other string) bool { return strings.EqualFold(other, section) }
	if i := slices.IndexFunc(v.sections, same); i >= 0 {
		return v.sections[i]
	}
	return section
}

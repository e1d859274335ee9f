package daemon

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// namePart ends the section of a setting that stands in the table for many: there
// may be a [tenant NAME] for each tenant.
const namePart = " NAME"

// stem is what a key begins with that stands in the table for many: "policy_" of
// policy_NAME. false: it is the whole key.
func (s setting) stem() (string, bool) { return strings.CutSuffix(s.key, namePart[1:]) }

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
		stem, open := s.stem()
		known[s.section] = append(known[s.section], inifile.Key{Name: stem, Secret: s.secret, Open: open})
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
	}, Called: func(section, key string) string {
		if kind, name := kindOf(section); kind == "backend" && name != "" && key == "bind_password" {
			return "bind_password_file, and names a file that holds the password"
		}
		return ""
	}}
}

// open makes a section of a kind known, its settings at their defaults.
func (v *values) open(section string) {
	if slices.Contains(v.sections, section) {
		return
	}
	v.sections = append(v.sections, section)
	kind, _ := kindOf(section)
	for _, s := range kindSettings(kind) {
		if _, many := s.stem(); !many {
			s.section = section
			v.given[s.name()] = value{s.fallback, "default"}
		}
	}
}

// openKey makes a key of a section known that is not in the table by itself.
func (v *values) openKey(section, key string) {
	s := setting{section: section, key: key}
	if _, known := v.given[s.name()]; !known {
		v.given[s.name()] = value{"", "default"}
		v.keys[section] = append(v.keys[section], key)
	}
}

// settings is the table with the sections and keys that there are in the place of
// those that stand for many.
func (v *values) settings() []setting {
	list := slices.DeleteFunc(settings(), func(s setting) bool { _, named := s.kind(); return named })
	for _, section := range v.sections {
		kind, _ := kindOf(section)
		for _, s := range kindSettings(kind) {
			s.section = section
			list = append(list, v.each(s)...)
		}
	}
	return list
}

// each is a setting, or those that there are of what stands for many.
func (v *values) each(s setting) []setting {
	stem, many := s.stem()
	if !many {
		return []setting{s}
	}
	var list []setting
	for _, key := range v.keys[s.section] {
		if strings.HasPrefix(key, stem) {
			s.key = key
			list = append(list, s)
		}
	}
	return list
}

// names are those of the sections of a kind: as they come in the file, then those
// that the environment alone makes, sorted.
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
		if many && begins {
			for name, key := range cuts(rest) {
				list = append(list, s.near(prefix+name+"_", key)...)
			}
		}
	}
	for _, s := range settings() {
		list = append(list, s.variable())
	}
	return list
}

// near are the variables of a setting whose mistyped key is given.
func (s setting) near(prefix, mistyped string) []string {
	stem, many := s.stem()
	if !many {
		return []string{prefix + strings.ToUpper(s.key)}
	}
	var list []string
	for _, end := range cuts(mistyped) {
		list = append(list, prefix+strings.ToUpper(stem)+end)
	}
	return list
}

// cuts takes a text apart at each _ behind what may be the name of a section.
func cuts(text string) iter.Seq2[string, string] {
	return func(yield func(name, key string) bool) {
		for i, r := range text {
			if r == '_' && isSectionName(text[:i]) && !yield(text[:i], text[i+1:]) {
				return
			}
		}
	}
}

// settingOf is the setting that a variable of the environment names.
func (v *values) settingOf(variable string) (setting, bool) {
	s, known := named(settings(), variable)
	if _, many := kindOf(s.section); many != "" {
		s.section = spelled(v.sections, s.section)
		s.key = spelled(v.keys[s.section], s.key)
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
		if !begins {
			continue
		}
		for name, key := range cuts(rest) {
			if whole, fits := s.takes(key); fits {
				found = append(found, setting{kind + " " + strings.ToLower(name), whole, s.fallback, s.secret, s.help})
			}
		}
	}
	if len(found) == 0 {
		return setting{}, false
	}
	return slices.MaxFunc(found, func(a, b setting) int { return cmp.Compare(len(a.key), len(b.key)) }), true
}

// takes reports whether the end of a variable is the setting's key, and returns the
// key as it is written in a file.
func (s setting) takes(text string) (key string, fits bool) {
	stem, many := s.stem()
	end, begins := strings.CutPrefix(text, strings.ToUpper(stem))
	end = strings.ToLower(end)
	return stem + end, begins && (many && isSectionName(end) || !many && end == "")
}

// spelled is a name as the file has it: the environment tells no upper case from
// lower.
func spelled(list []string, name string) string {
	if slices.Contains(list, name) {
		return name
	}
	same := func(other string) bool { return strings.EqualFold(other, name) }
	if i := slices.IndexFunc(list, same); i >= 0 {
		return list[i]
	}
	return name
}

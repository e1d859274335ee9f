package pages

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// words are what the templates say of values.
func (p *Pages) words() template.FuncMap {
	return template.FuncMap{
		"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
		"relative": func(t time.Time) string { return relative(t.Unix() - p.config.Now().Unix()) },
		"fields":   strings.Fields,
	}
}

// units are those of relative, the widest first, in seconds. Each is used from
// two of it on: "47 hours" says more than "1 day".
var units = []struct {
	name    string
	seconds int64
}{{"year", 31_557_600}, {"month", 2_629_800}, {"day", 86_400}, {"hour", 3_600}, {"minute", 60}}

// relative says how far away an instant is. It counts seconds: a time.Duration
// is over after 292 years, and lifetimes may be longer.
func relative(seconds int64) string {
	form, away := "in %s", seconds
	if seconds < 0 {
		form, away = "%s ago", -seconds
	}
	for _, u := range units {
		if n := away / u.seconds; n >= 2 {
			return fmt.Sprintf(form, fmt.Sprintf("%d %ss", n, u.name))
		}
	}
	switch {
	case away >= 60:
		return fmt.Sprintf(form, "a minute")
	case seconds > 0:
		return "in less than a minute"
	}
	return "just now"
}

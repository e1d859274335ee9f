package acl

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// oracle answers by regular expressions, made straight from the rules.
type oracle struct{ allows, denies []*regexp.Regexp }

func newOracle(list []string, me, session string) oracle {
	var o oracle
	for _, access := range list {
		if strings.HasPrefix(access, "!") {
			o.denies = append(o.denies, expression(access[1:], me, session))
		} else {
			o.allows = append(o.allows, expression(access, me, session))
		}
	}
	return o
}

// A word that is also others.
func also(word, other string) string {
	if other == "" {
		return regexp.QuoteMeta(word)
	}
	return "(?:" + regexp.QuoteMeta(word) + "|" + regexp.QuoteMeta(other) + ")"
}

func expression(access, me, session string) *regexp.Regexp {
	special := map[string]string{
		"me": also("me", me), "my_session": also("my_session", session),
		"edit": "(?:edit|update)", "update": "(?:edit|update)",
	}
	words := strings.Split(access, ".")
	for i, word := range words {
		if e, ok := special[word]; ok {
			words[i] = e
			continue
		}
		words[i] = strings.NewReplacer(`\*`, `[^.#]*`, `#`, `.*`).Replace(regexp.QuoteMeta(word))
	}
	return regexp.MustCompile(`(?s)\A(?:` + strings.Join(words, `\.`) + `)\z`)
}

func (o oracle) allowed(required string) bool {
	hit := func(e *regexp.Regexp) bool { return e.MatchString(required) }
	return slices.ContainsFunc(o.allows, hit) && !slices.ContainsFunc(o.denies, hit)
}

const (
	user        = "5cdff4a3-24a3-494f-8d32-9c8695e868f9"
	userSession = "b5d4c2a1-0f0e-4b6d-8a8b-1c2d3e4f5a6b"
)

// pieces are what the access strings of the tests are made of.
var pieces = []string{
	".", ".", ".", "..", "*", "*", "#", "#", "!", "me", "my_session", "edit", "update", user, userSession,
	"a", "a", "b", "ab", "aab", "confd", "read", "med", "ME", "editor", "é", "日本", "\u2028", "\n", "\x00", "\ufffd",
	"+", "?", "(", ")", "[^", "]", "{2}", "|", "^", "$", `\`, `\.`, "-", "_", "%",
}

func accesses(least, most int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom(pieces), least, most), func(s []string) string { return strings.Join(s, "") })
}

// lists gives access strings of which some deny.
func lists(least, most, pieces int) *rapid.Generator[[]string] {
	one := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "", "!"}).Draw(t, "sign") + accesses(0, pieces).Draw(t, "access")
	})
	return rapid.SliceOfN(one, least, most)
}

// requireds gives what a list might allow: strings of it with something in the place
// of its wildcards and words, and now and then one of its own.
func requireds(list []string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if len(list) == 0 || rapid.IntRange(0, 3).Draw(t, "own") == 0 {
			return accesses(0, 8).Draw(t, "required")
		}
		var b strings.Builder
		for i, word := range strings.Split(strings.TrimPrefix(rapid.SampledFrom(list).Draw(t, "like"), "!"), ".") {
			if i > 0 {
				b.WriteString(".")
			}
			switch word {
			case "me", "my_session", "edit", "update":
				word = rapid.SampledFrom([]string{word, word, user, userSession, "a.b", "edit", "update", "me"}).Draw(t, "word")
			}
			for _, c := range word {
				if c == '*' || c == '#' {
					b.WriteString(accesses(0, 4).Draw(t, "run"))
				} else {
					b.WriteRune(c)
				}
			}
		}
		return b.String()
	})
}

func TestAListAllowsWhatTheRulesSay(t *testing.T) {
	var allowed, denied, refused int
	rapid.Check(t, func(t *rapid.T) {
		list := lists(0, 5, 7).Draw(t, "list")
		me := rapid.SampledFrom([]string{user, user, "", "a.b", "me.a", "a*b"}).Draw(t, "me")
		session := rapid.SampledFrom([]string{userSession, "", "#", "a"}).Draw(t, "session")
		compiled, judge := Compile(list, me, session), newOracle(list, me, session)
		for range 20 {
			required := requireds(list).Draw(t, "required")
			got, want := compiled.Allows(required), judge.allowed(required)
			if got != want {
				t.Fatalf("%q of %q (me %q, session %q): %v, want %v", required, list, me, session, got, want)
			}
			switch {
			case got:
				allowed++
			case newOracle(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasPrefix(s, "!") }), me, session).allowed(required):
				denied++
			default:
				refused++
			}
		}
	})
	if allowed == 0 || denied == 0 || refused == 0 {
		t.Errorf("%d allowed, %d denied, %d refused: one was not tried", allowed, denied, refused)
	}
}

func TestALongTextIsMatchedAsAShortOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(1, 3, 40).Draw(t, "list")
		fill := rapid.SampledFrom([]string{"a", "ab", "aab", ".", "a.", "é"}).Draw(t, "fill")
		required := requireds(list).Draw(t, "start") + strings.Repeat(fill, rapid.IntRange(0, 1300).Draw(t, "times")) + requireds(list).Draw(t, "end")
		got, want := Compile(list, user, userSession).Allows(required), newOracle(list, user, userSession).allowed(required)
		if got != want {
			t.Fatalf("%q of %q: %v, want %v", required, list, got, want)
		}
	})
}

// bytewise makes a string whose characters are the bytes of another: regexp takes all
// bytes that are no UTF-8 for one character, Allows takes each for itself.
func bytewise(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func FuzzAllows(f *testing.F) {
	f.Add("confd.users.me.#.read", user, userSession, "confd.users."+user+".lines.read")
	f.Add("#\n!auth.#", user, userSession, "auth.users.read")
	f.Add("a*b*a.*\n*.my_session", "", "s", "aabba.s")
	f.Add("x.edit\n!x.update.#", "a.b", "#", "x.update")
	f.Add("\xff*\n!\xff\xfe", "\xff", "", "\xff\xfe")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, text, me, session, required string) {
		list := strings.Split(text, "\n")
		wide := make([]string, len(list))
		for i, access := range list {
			wide[i] = bytewise(access)
		}
		got := Compile(list, me, session).Allows(required)
		if want := newOracle(wide, bytewise(me), bytewise(session)).allowed(bytewise(required)); got != want {
			t.Errorf("%q of %q (me %q, session %q): %v, want %v", required, list, me, session, got, want)
		}
	})
}

func TestWhatIsCoveredGivesNothingNew(t *testing.T) {
	some := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6), func(s []string) string { return strings.Join(s, "") })
	var covered int
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(some, 1, 4).Draw(t, "list")
		access := some.Draw(t, "access")
		if rapid.Bool().Draw(t, "like") {
			access = requireds(list).Draw(t, "access like the list's")
		}
		holder := Compile(list, user, userSession)
		if strings.HasPrefix(access, "!") || !holder.Covers(access) {
			return
		}
		covered++
		given := Compile([]string{access}, user, userSession)
		for range 20 {
			required := requireds([]string{access}).Draw(t, "required")
			if given.Allows(required) && !holder.Allows(required) {
				t.Fatalf("%q covers %q, which gives %q", list, access, required)
			}
		}
	})
	if covered == 0 {
		t.Error("nothing was covered")
	}
}

package acl

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestAListAllows(t *testing.T) {
	for _, c := range []struct {
		list     []string
		required string
		want     bool
	}{
		// What is literal.
		{nil, "confd.users.read", false},
		{nil, "", false},
		{[]string{"confd.users.read"}, "confd.users.read", true},
		{[]string{"confd.users.read"}, "confd.users.Read", false},
		{[]string{"confd.users.read"}, "confd.users.read.", false},
		{[]string{"confd.users.read"}, "confd.users.rea", false},
		{[]string{"confd.users.read"}, "xconfd.users.read", false},
		{[]string{"confd.users.read"}, "confdXusers.read", false},
		{[]string{"confd.users.read"}, "confd.users.read\n", false},
		{[]string{"(a|b)+"}, "a", false},
		{[]string{"(a|b)+"}, "(a|b)+", true},
		{[]string{""}, "", true},
		{[]string{"confd"}, "", false},

		// One word.
		{[]string{"confd.users.*"}, "confd.users.read", true},
		{[]string{"confd.users.*"}, "confd.users.", true},
		{[]string{"confd.users.*"}, "confd.users", false},
		{[]string{"confd.users.*"}, "confd.users.1.read", false},
		{[]string{"confd.users.*"}, "confd.users.#", false},
		{[]string{"confd.users.*"}, "confd.users.*", true},
		{[]string{"confd.users.*.read"}, "confd.users.1.read", true},
		{[]string{"confd.*.*.read"}, "confd.users.1.read", true},
		{[]string{"confd.u*s.read"}, "confd.users.read", true},
		{[]string{"confd.u*s.read"}, "confd.us.read", true},
		{[]string{"confd.u*s.read"}, "confd.u.s.read", false},
		{[]string{"*"}, "", true},
		{[]string{"*"}, "日本", true},

		// Any words.
		{[]string{"#"}, "", true},
		{[]string{"#"}, "confd.users.#.\n", true},
		{[]string{"confd.#"}, "confd.users.1.read", true},
		{[]string{"confd.#"}, "confd.", true},
		{[]string{"confd.#"}, "confd", false},
		{[]string{"confd.#.read"}, "confd.users.1.lines.read", true},
		{[]string{"confd.#.read"}, "confd.read", false},
		{[]string{"confd.#.read"}, "confd..read", true},
		{[]string{"#.read"}, "confd.users.read", true},
		{[]string{"#read"}, "confd.users.unread", true},
		{[]string{"#.*.read"}, "a.b.c.read", true},
		{[]string{"a*b#c*d"}, "axb.c.cyd", true},
		{[]string{"a*b#c*d"}, "a.xb.c.cyd", false},
		{[]string{"#a*b"}, "a.ab", true},

		// Words that are more than themselves.
		{[]string{"confd.users.me.read"}, "confd.users.me.read", true},
		{[]string{"confd.users.me.read"}, "confd.users." + user + ".read", true},
		{[]string{"confd.users.me.read"}, "confd.users." + strings.ToUpper(user) + ".read", false},
		{[]string{"confd.users.me.read"}, "confd.users." + userSession + ".read", false},
		{[]string{"confd.users.me.#"}, "confd.users." + user + ".lines.1.read", true},
		{[]string{"confd.users.me"}, "confd.users." + user + "1", false},
		{[]string{"me"}, user, true},
		{[]string{"me.me"}, user + ".me", true},
		{[]string{"confd.users.me*"}, "confd.users." + user, false},
		{[]string{"confd.users.me*"}, "confd.users.mew", true},
		{[]string{"confd.users." + user}, "confd.users.me", false},
		{[]string{"auth.sessions.my_session.delete"}, "auth.sessions." + userSession + ".delete", true},
		{[]string{"auth.sessions.my_session.delete"}, "auth.sessions.my_session.delete", true},
		{[]string{"auth.sessions.my_session.delete"}, "auth.sessions." + user + ".delete", false},
		{[]string{"confd.users.edit"}, "confd.users.update", true},
		{[]string{"confd.users.update"}, "confd.users.edit", true},
		{[]string{"confd.users.update"}, "confd.users.update", true},
		{[]string{"confd.users.update"}, "confd.users.delete", false},
		{[]string{"confd.edits"}, "confd.updates", false},
		{[]string{"confd.Edit"}, "confd.update", false},

		// Denials.
		{[]string{"#", "!auth.#"}, "auth.users.read", false},
		{[]string{"!auth.#", "#"}, "auth.users.read", false},
		{[]string{"!auth.#", "#"}, "confd.users.read", true},
		{[]string{"auth.users.read", "!auth.users.read"}, "auth.users.read", false},
		{[]string{"!auth.#"}, "confd.users.read", false},
		{[]string{"#", "!confd.users.me.edit"}, "confd.users." + user + ".update", false},
		{[]string{"#", "!me"}, "me", false},
		{[]string{"#", "!!me"}, "!me", false},
		{[]string{"#", "!!me"}, "!" + user, true},
		{[]string{"a!b"}, "a!b", true},
		{[]string{"#", "!"}, "", false},
	} {
		if got := Compile(c.list, user, userSession).Allows(c.required); got != c.want {
			t.Errorf("%q of %q: %v", c.required, c.list, got)
		}
	}
}

func TestWithoutIdentifiersTheirWordsAreThemselvesAlone(t *testing.T) {
	list := Compile([]string{"a.me", "a.my_session"}, "", "")
	for required, want := range map[string]bool{"a.me": true, "a.my_session": true, "a.": false, "a": false, "a." + user: false} {
		if got := list.Allows(required); got != want {
			t.Errorf("%q: %v", required, got)
		}
	}
}

func TestTheZeroListAllowsNothing(t *testing.T) {
	var list List
	if list.Allows("") || list.Allows("a") || list.Covers("a") {
		t.Error("it does")
	}
}

func TestAListCovers(t *testing.T) {
	for _, c := range []struct {
		list   []string
		access string
		want   bool
	}{
		{nil, "confd.users.read", false},
		{nil, "!confd.users.read", true},
		{[]string{"confd.#"}, "confd.users.read", true},
		{[]string{"confd.#"}, "confd.*.read", true},
		{[]string{"confd.#"}, "confd.#", true},
		{[]string{"confd.#"}, "#", false},
		{[]string{"confd.*"}, "confd.*", true},
		{[]string{"confd.*"}, "confd.a*", true},
		{[]string{"confd.*"}, "confd.#", false},
		{[]string{"confd.users"}, "confd.*", false},
		{[]string{"confd.users.me.#"}, "confd.users.me.read", true},
		{[]string{"confd.users.me.#"}, "confd.users." + user + ".read", true},
		{[]string{"#", "!auth.#"}, "confd.users.read", true},
		{[]string{"#", "!auth.#"}, "auth.users.read", false},
		{[]string{"#", "!auth.#"}, "#", false},
		{[]string{"#", "!auth.#"}, "*.users.read", false},
		{[]string{"#", "!auth.#"}, "confd.*", false},
		{[]string{"#", "!auth.#"}, "!#", true},
		{[]string{"x.e*"}, "x.edit", false},
		{[]string{"x.*"}, "x.edit", true},
		{[]string{"x.edit"}, "x.update", true},
		{[]string{"e*.e*", "u*.u*"}, "edit.edit", false},
		{[]string{"x.m*"}, "x.me", false},
		{[]string{"x.me"}, "x.me", true},
		{[]string{"*my_session"}, "my_session", false},
		{[]string{"#"}, strings.Repeat("edit.", 8) + "me", false},
		{[]string{"#", "!users.a.read"}, "users.me.read", false},
		{[]string{"#", "!users.a.read"}, "users.my_session.read", false},
	} {
		if got := Compile(c.list, user, userSession).Covers(c.access); got != c.want {
			t.Errorf("%q by %q: %v", c.access, c.list, got)
		}
	}
}

func TestAnAccessStringIsChecked(t *testing.T) {
	for access, want := range map[string]string{
		"confd.users.me.#.read":        "",
		"!auth.*":                      "",
		"!!":                           "",
		"日本":                           "",
		strings.Repeat("a", 1024):      "",
		"":                             `access string "" is empty`,
		"!":                            `access string "!" denies nothing`,
		strings.Repeat("é", 512) + "a": `access string "` + strings.Repeat("é", 64) + `" has 1025 bytes, more than 1024`,
		"a\xff":                        `access string "a\xff" is not UTF-8`,
		"confd users":                  `access string "confd users" holds white space`,
		"confd\n":                      `access string "confd\n" holds white space`,
		"a\u00a0b":                     `access string "a\u00a0b" holds white space`,
		"a\x00":                        `access string "a\x00" holds a control character`,
		"a\u009f":                      `access string "a\u009f" holds a control character`,
	} {
		err := Check(access)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || err != nil && got != want {
			t.Errorf("%q: %v, want %q", access, err, want)
		}
	}
}

func TestListsThatMeanTheSameShareIt(t *testing.T) {
	one := Compile([]string{"confd.#", "!auth.#", "a.b"}, user, userSession)
	two := Compile([]string{"a.b", "!auth.#", "confd.#", "a.b"}, userSession, user)
	other := Compile([]string{"a.b", "auth.#", "confd.#"}, user, userSession)
	if one.rules != two.rules {
		t.Error("they do not")
	}
	if one.rules == other.rules {
		t.Error("one that denies shares with one that allows")
	}
}

func TestTheListThatWasGivenMayChangeAfterwards(t *testing.T) {
	given := []string{"a.*", "!a.b"}
	list := Compile(given, user, userSession)
	given[0], given[1] = "#", "c"
	if !list.Allows("a.c") || list.Allows("a.b") || list.Allows("b") {
		t.Error("the list changed with it")
	}
}

func TestAListIsUsedByManyAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				list := Compile(typical, fmt.Sprint("u", i), fmt.Sprint("s", j%7))
				if !list.Allows(fmt.Sprintf("confd.users.u%d.lines.read", i)) || list.Allows(fmt.Sprintf("confd.users.u%d.lines.read", i+1)) {
					t.Error("a list allows what is another's")
				}
			}
		})
	}
	all.Wait()
}

// work returns what matching one access string took.
func work(access, text string) (matched bool, steps int) {
	list := Compile(nil, user, userSession)
	words := len(text)/64 + 1
	w := walk{list: list, text: text, at: make([]uint64, words), open: make([]uint64, words)}
	return w.run(compile(access)), w.steps
}

func TestWorkGrowsWithTheProductOfTheSizesAtMost(t *testing.T) {
	for _, unit := range []string{"*a", "#a", "*#a", "*a*", "#*", "#a*a", "*a.*", "#.*", "*aa#", "me.#", "#.edit"} {
		for _, end := range []string{"", "b", "*b", "#b"} {
			for _, fill := range []string{"a", "aa.", "a.", "me.", "edit.", "ab"} {
				for _, size := range []int{250, 1000} {
					access, text := strings.Repeat(unit, size)+end, strings.Repeat(fill, 2*size/len(fill))
					_, steps := work(access, text)
					// A part looks at each place once and compares its own length there.
					if most := 2 * (len(access) + 16*strings.Count(access, "me") + 6*strings.Count(access, "edit") + 1) * (len(text) + 1); steps > most {
						t.Errorf("%d x %q and %q in %d x %q: %d steps, more than %d", size, unit, end, 2*size/len(fill), fill, steps, most)
					}
				}
			}
		}
	}
}

func TestManyWildcardsStillMatchWhatTheyShould(t *testing.T) {
	for _, c := range []struct {
		access, text string
		want         bool
	}{
		{strings.Repeat("*a", 1000), strings.Repeat("a", 1000), true},
		{strings.Repeat("*a", 1000), strings.Repeat("a", 999), false},
		{strings.Repeat("*a", 1000), strings.Repeat("a", 20_000) + "b", false},
		{strings.Repeat("#a", 1000), strings.Repeat("ab.", 1000) + "a", true},
		{strings.Repeat("#a", 1000), strings.Repeat("ab.", 20_000), false},
		{strings.Repeat("*a", 500) + "#" + strings.Repeat("*b", 500), strings.Repeat("a", 500) + "." + strings.Repeat("b", 500), true},
	} {
		if got := Compile([]string{c.access}, user, userSession).Allows(c.text); got != c.want {
			t.Errorf("%.10q... of %d bytes in %.10q... of %d: %v", c.access, len(c.access), c.text, len(c.text), got)
		}
	}
}

// typical is a user's list.
var typical = slices.Concat([]string{
	"auth.users.me.password.edit", "auth.users.me.sessions.read", "auth.users.me.tokens.#", "auth.users.me.external.#",
	"auth.sessions.my_session.delete", "!auth.users.me.external.*.config.#", "!confd.users.me.voicemails.delete",
	"calld.users.me.#", "chatd.users.*.presences.read", "chatd.users.me.presences.update", "chatd.users.me.rooms.#",
	"confd.infos.read", "confd.users.me.read", "confd.users.me.update", "confd.users.me.#.read", "confd.users.me.fallbacks.*",
	"dird.#.me.read", "events.#", "websocketd", "webhookd.users.me.subscriptions.#",
}, func() (more []string) {
	for _, service := range []string{"agentd", "amid", "callogd", "directories", "provd", "plugind", "setupd", "asterisk", "phoned", "ctid"} {
		more = append(more, service+".status.read", service+".users.me.*.read", service+".users.me.services.#")
	}
	return more
}())

func TestAllowsTakesNoMemory(t *testing.T) {
	list := Compile(typical, user, userSession)
	for _, required := range []string{
		"confd.users." + user + ".lines.1.read", "dird.a.b.c." + user + ".read", "confd.devices.read", "websocketd", "",
		strings.Repeat("a.", maxLength/2),
	} {
		if n := testing.AllocsPerRun(100, func() { list.Allows(required) }); n != 0 {
			t.Errorf("%.40q: %v allocations", required, n)
		}
	}
}

func BenchmarkAllows(b *testing.B) {
	requireds := []string{
		"confd.users." + user + ".lines.1.read", "websocketd", "ctid.users.me.services.dnd.update", "confd.devices.1.delete",
	}
	list, expressions := Compile(typical, user, userSession), newOracle(typical, user, userSession)
	for name, allows := range map[string]func(string) bool{"list": list.Allows, "regexp": expressions.allowed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				allows(requireds[i%len(requireds)])
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Compile(typical, user, userSession)
	}
}

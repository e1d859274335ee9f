// Package acl answers whether a token's list of access strings allows what is
// required, and renders such lists from templates.
//
// An access string is words between dots, like confd.users.me.read. In a list, "*"
// stands for any run of characters without "." and "#", also an empty one, and "#" for
// any run of any characters; both may stand inside a word. The whole word me is also
// the user's identifier, my_session also that of the session, and edit and update are
// one. A leading "!" denies, and wins over whatever allows. All else is literal, with
// its case, from the first character to the last. An empty list allows nothing.
//
// The package never decides what a request requires, knows neither tokens nor users,
// and takes time at most in proportion to the product of two lengths: that of what is
// required and that of the list. It never makes less of a denial than it was.
package acl

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
	"unique"
)

// maxLength is how many bytes an access string may have.
const maxLength = 1024

// maxWildcards bounds what a match can cost.
const maxWildcards = 32

// List is a compiled list of access strings. It does not change, and may be used by
// many at once. Lists that hold the same access strings, in whatever order, share
// them in memory whomever they belong to. The zero List allows nothing.
type List struct {
	rules       unique.Handle[string] // the length of those that deny, they, and those that allow: see pack
	me, session string
}

// Compile reads a list. me is the identifier of the token's user and session that of
// its session, both as literal text; where one is empty, its word is itself alone.
// Every string is taken as it is, also one that Check refuses.
func Compile(list []string, me, session string) *List {
	var denies, allows []string
	for _, access := range list {
		if denied, ok := strings.CutPrefix(access, "!"); ok {
			denies = append(denies, compile(denied))
		} else {
			allows = append(allows, compile(access))
		}
	}
	packed := pack(denies)
	rules := binary.AppendUvarint(nil, uint64(len(packed)))
	rules = append(append(rules, packed...), pack(allows)...)
	return &List{rules: unique.Make(string(rules)), me: me, session: session}
}

// pack writes rules one behind the other, each after its length. Their order means
// nothing: sorted, lists that mean the same are the same.
func pack(rules []string) []byte {
	slices.Sort(rules)
	var b []byte
	for _, rule := range slices.Compact(rules) {
		b = append(binary.AppendUvarint(b, uint64(len(rule))), rule...)
	}
	return b
}

// sections returns the rules that deny and those that allow.
func (l *List) sections() (denies, allows string) {
	if l.rules == (unique.Handle[string]{}) {
		return "", ""
	}
	length, rest := number(l.rules.Value())
	return rest[:length], rest[length:]
}

// Allows reports whether the list gives a required access. An empty one is an access
// like any other, which "*" and "#" give.
func (l *List) Allows(required string) bool {
	allowed, _ := l.Weigh(required)
	return allowed
}

// Weigh is Allows, with how many rules, places and bytes were looked at at most.
func (l *List) Weigh(required string) (allowed bool, steps int) {
	denies, allows := l.sections()
	allowed, steps = l.any(allows, required)
	if allowed {
		denied, more := l.any(denies, required)
		allowed, steps = !denied, steps+more
	}
	return allowed, steps
}

// any reports whether one of the packed rules matches.
func (l *List) any(rules, required string) (matched bool, steps int) {
	for rules != "" && !matched {
		length, rest := number(rules)
		var more int
		matched, more = l.match(rest[:length], required)
		steps += 1 + more
		rules = rest[length:]
	}
	return matched, steps
}

// Covers reports whether who holds the list may give an access string to others. One
// that denies may always be given. One that allows must be allowed as it is written,
// and with each of its words me, my_session, edit and update as what else they match:
// "*" does not match "#", so nobody gives more than they hold. Where the list denies
// anything, nothing with "*", "#", me or my_session is covered, since it could reach
// what is denied; nor is what has more than 8 such words.
func (l *List) Covers(access string) bool {
	if strings.HasPrefix(access, "!") {
		return true
	}
	words := strings.Split(access, ".")
	if denies, _ := l.sections(); denies != "" && (strings.ContainsAny(access, "*#") || slices.ContainsFunc(words, belongs)) {
		return false
	}
	return l.allowsAll(words, 0, 8)
}

// allowsAll reports whether all is allowed that the words can match where those from
// one on, so many at most, match something else too.
func (l *List) allowsAll(words []string, from, most int) bool {
	for at := from; at < len(words); at++ {
		other := l.other(words[at])
		if other == "" {
			continue
		}
		if most == 0 {
			return false
		}
		spelled := slices.Clone(words)
		spelled[at] = other
		return l.allowsAll(words, at+1, most-1) && l.allowsAll(spelled, at+1, most-1)
	}
	return l.Allows(strings.Join(words, "."))
}

// other is what a word of an access string matches besides itself; empty: nothing.
func (l *List) other(word string) string {
	switch word {
	case "edit":
		return "update"
	case "update":
		return "edit"
	case "me":
		return l.me
	case "my_session":
		return l.session
	}
	return ""
}

// belongs tells a word that means another thing to each who holds it.
func belongs(word string) bool { return word == "me" || word == "my_session" }

// Check tells why a string cannot stand in a list: it has 1 to 1024 bytes of UTF-8
// without white space and control characters, is not "!" alone, and has at most 32
// of "*" and "#".
func Check(access string) error {
	if why := refusal(access); why != "" {
		return fmt.Errorf("access string %.64q %s", access, why)
	}
	return nil
}

// refusal is what is wrong with an access string; empty: nothing is.
func refusal(access string) string {
	switch {
	case access == "":
		return "is empty"
	case len(access) > maxLength:
		return fmt.Sprintf("has %d bytes, more than %d", len(access), maxLength)
	case !utf8.ValidString(access):
		return "is not UTF-8"
	case strings.ContainsFunc(access, unicode.IsSpace):
		return "holds white space"
	case strings.ContainsFunc(access, unicode.IsControl):
		return "holds a control character"
	case access == "!":
		return "denies nothing"
	case wildcards(access) > maxWildcards:
		return fmt.Sprintf("holds more than %d wildcards", maxWildcards)
	}
	return ""
}

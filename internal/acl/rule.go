package acl

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// A rule is an access string in parts, each a number: one of these, or, from literal
// on, the length of a text that follows.
const (
	star    = iota // any run without "." and "#"
	hash           // any run
	me             // the word, or the user
	session        // the word, or the session
	edit           // the word, or update
	literal        // and its length, above 0
)

// Words that are not only themselves, where they are whole ones.
const (
	wordMe      = "me"
	wordSession = "my_session"
	wordEdit    = "edit"
	wordUpdate  = "update"
)

// reserved returns the part that a word is, if it is not only itself.
func reserved(word string) (part int, ok bool) {
	switch word {
	case wordMe:
		return me, true
	case wordSession:
		return session, true
	case wordEdit, wordUpdate:
		return edit, true
	}
	return 0, false
}

// compile makes a rule of an access string without its "!".
func compile(access string) string {
	var rule, text []byte
	add := func(part int) {
		if len(text) > 0 {
			rule = append(binary.AppendUvarint(rule, uint64(literal+len(text))), text...)
			text = text[:0]
		}
		if part != literal {
			rule = append(rule, byte(part))
		}
	}
	for at, word := range strings.Split(access, ".") {
		if at > 0 {
			text = append(text, '.')
		}
		if part, ok := reserved(word); ok {
			add(part)
			continue
		}
		for _, c := range []byte(word) {
			switch c {
			case '*':
				add(star)
			case '#':
				add(hash)
			default:
				text = append(text, c)
			}
		}
	}
	add(literal)
	return string(rule)
}

// number reads a number that binary.AppendUvarint wrote.
func number(s string) (n int, rest string) {
	for at, shift := 0, 0; ; at, shift = at+1, shift+7 {
		n |= int(s[at]&0x7f) << shift
		if s[at] < 0x80 {
			return n, s[at+1:]
		}
	}
}

// match reports whether a rule matches all of a text. Most rules are told apart by
// the text they begin with.
func (l *List) match(rule, text string) (matched bool, steps int) {
	if rule != "" {
		if part, rest := number(rule); part > literal {
			lead := rest[:part-literal]
			if !strings.HasPrefix(text, lead) {
				return false, 0
			}
			rule, text = rest[len(lead):], text[len(lead):]
		}
	}
	if rule == "" {
		return text == "", 0
	}
	var at, open [maxLength/64 + 1]uint64 // on the stack
	w := walk{list: l, text: text, at: at[:], open: open[:]}
	if len(text)/64 >= len(at) {
		w.at, w.open = make([]uint64, len(text)/64+1), make([]uint64, len(text)/64+1)
	}
	matched = w.run(rule)
	return matched, w.steps
}

// walk goes through a rule with all the places in the text where the parts so far can
// end. No part looks at a place twice, however many wildcards there are.
type walk struct {
	list   *List
	text   string
	at     []uint64 // the places: a bit for each, from 0 to len(text)
	open   []uint64 // those in front of neither "." nor "#" nor the end, once parted
	parted bool
	steps  int // places and bytes looked at at most
}

func (w *walk) has(place int) bool { return w.at[place/64]&(1<<(place%64)) != 0 }
func (w *walk) set(place int)      { w.at[place/64] |= 1 << (place % 64) }

// run reports whether a rule, from the start of the text, can end where that ends.
func (w *walk) run(rule string) bool {
	words := len(w.text)/64 + 1
	w.at, w.open = w.at[:words], w.open[:words]
	w.set(0)
	for going := true; going && rule != ""; {
		var part int
		switch part, rule = number(rule); part {
		case star:
			w.star()
		case hash:
			w.hash()
		case me:
			going = w.either(wordMe, w.list.me)
		case session:
			going = w.either(wordSession, w.list.session)
		case edit:
			going = w.either(wordEdit, wordUpdate)
		default:
			text := rule[:part-literal]
			rule = rule[len(text):]
			if rule == "" {
				return w.ends(text)
			}
			going = w.either(text, "")
		}
	}
	return w.has(len(w.text))
}

// part marks the open places.
func (w *walk) part() {
	w.parted = true
	w.steps += len(w.text)
	for place, c := range []byte(w.text) {
		if c != '.' && c != '#' {
			w.open[place/64] |= 1 << (place % 64)
		}
	}
}

// star reaches, from every place, those up to the next that is not open. Adding a
// place to the open ones carries through just these, and changes them.
func (w *walk) star() {
	if !w.parted {
		w.part()
	}
	w.steps += len(w.at)
	var sum, carry uint64
	for i, open := range w.open {
		sum, carry = bits.Add64(w.at[i]&open, open, carry)
		w.at[i] |= sum ^ open
	}
}

// hash reaches, from the first place, all that follow.
func (w *walk) hash() {
	w.steps += len(w.at)
	var all uint64
	for i, at := range w.at {
		w.at[i] = all | -(at & -at) // from its lowest bit on
		if at != 0 {
			all = math.MaxUint64
		}
	}
	w.at[len(w.at)-1] &= 2<<(len(w.text)%64) - 1
}

// either leaves every place for those behind a text or its other, empty: none, and
// reports whether there are any. It goes from the last places to the first, since what
// it reaches lies behind.
func (w *walk) either(text, other string) (any bool) {
	for i := len(w.at) - 1; i >= 0; i-- {
		from := w.at[i]
		w.at[i] = 0
		any = w.pass(i, from, text) || any
		any = other != "" && w.pass(i, from, other) || any
	}
	return any
}

// pass reaches the places behind a text from those that are the bits of word i.
func (w *walk) pass(i int, from uint64, text string) (any bool) {
	w.steps += 1 + bits.OnesCount64(from)*len(text)
	for ; from != 0; from &= from - 1 {
		place := i*64 + bits.TrailingZeros64(from)
		if strings.HasPrefix(w.text[place:], text) {
			w.set(place + len(text))
			any = true
		}
	}
	return any
}

// ends reports whether what is left of the text, at one of the places, is this.
func (w *walk) ends(text string) bool {
	w.steps += len(text)
	place := len(w.text) - len(text)
	return place >= 0 && w.has(place) && w.text[place:] == text
}

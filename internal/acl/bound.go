package acl

import "strings"

// What a list from Render is bounded by. It bounds what a match can cost.
const (
	maxList          = 1000
	maxListBytes     = 64 << 10
	maxListWildcards = 2000
)

// size is how much of its bounds a list takes.
type size struct{ strings, bytes, wildcards int }

func (s *size) add(access string) {
	s.strings++
	s.bytes += len(access)
	s.wildcards += wildcards(access)
}

func (s *size) fits() bool {
	return s.strings <= maxList && s.bytes <= maxListBytes && s.wildcards <= maxListWildcards
}

func wildcards(access string) int { return strings.Count(access, "*") + strings.Count(access, "#") }

// bound leaves out what is too much, and tells how many that are. All that denies has
// its place before anything that allows, of which the last are left out: nothing is
// allowed that one left out would deny. Where what denies is too much by itself, the
// list is empty, and allows nothing.
func bound(list []string) (bounded []string, over int) {
	var sum size
	for _, access := range list {
		if strings.HasPrefix(access, "!") {
			sum.add(access)
		}
	}
	if !sum.fits() {
		return nil, len(list)
	}
	full := false
	for _, access := range list {
		if !strings.HasPrefix(access, "!") {
			sum.add(access)
			full = full || !sum.fits()
			if full {
				continue
			}
		}
		bounded = append(bounded, access)
	}
	return bounded, len(list) - len(bounded)
}

package profile

import (
	"fmt"
	"strings"
)

// maxSuggest is the longest word that is compared with others.
const maxSuggest = 64

// didYouMean returns `, did you mean "x"` when a known word is close.
func didYouMean(word string, known []string) string {
	if len(word) > maxSuggest {
		return ""
	}
	word = strings.ReplaceAll(strings.ToLower(word), "-", "_")
	best, least := "", len(word)/4+2
	for _, candidate := range known {
		if d := distance(word, strings.ReplaceAll(strings.ToLower(candidate), "-", "_")); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q", best)
}

// distance counts the letters to insert, drop, change or swap with a neighbour
// to turn one word into the other.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

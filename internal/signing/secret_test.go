package signing

import (
	"math"
	"strings"
	"testing"
)

func TestGeneratedSecretsAreStrongLettersAndDigitsEachAsLikely(t *testing.T) {
	seen := map[string]bool{}
	counts := map[rune]int{}
	const secrets, length = 3000, 43
	for range secrets {
		s := GenerateSecret()
		if len(s) != length || strings.Trim(s, alphanumerics) != "" || seen[s] {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		for _, c := range s {
			counts[c]++
		}
	}
	if bits := length * math.Log2(float64(len(alphanumerics))); bits < 256 {
		t.Errorf("%.1f bits", bits)
	}
	// 3,000 x 43 / 62 is 2,081 with a deviation of 45: six of them either way.
	for _, c := range alphanumerics {
		if n := counts[c]; n < 1810 || n > 2350 {
			t.Errorf("%c came %d times of about 2081", c, n)
		}
	}
}

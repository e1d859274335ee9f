package pages

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTheStyleFetchesNothing(t *testing.T) {
	for _, word := range []string{"url(", "@import", "src:"} {
		if strings.Contains(string(newPages(t, Config{}).style), word) {
			t.Errorf("the style has %s", word)
		}
	}
}

func TestEveryClassIsStyled(t *testing.T) {
	style := string(newPages(t, Config{}).style)
	for name, v := range full() {
		for _, n := range read(t, answer(newPages(t, Config{}), 200, v)).elements {
			if class := attr(n, "class"); class != "" && !regexp.MustCompile(`\.`+class+`\b`).MatchString(style) {
				// The header's own parts may look as the header does.
				if n.Parent.Data != "header" {
					t.Errorf("%s: class %s", name, class)
				}
			}
		}
	}
}

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// luminance is that of WCAG 2.2.
func luminance(hex string) float64 {
	sum := 0.0
	for i, share := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += share * c
	}
	return sum
}

// Section 1.4.3 of WCAG 2.2 wants 4.5 for text, section 1.4.11 3 for the edges
// of what can be used.
func TestTextAndEdgesStandOutInLightAndDark(t *testing.T) {
	light, dark, found := strings.Cut(string(newPages(t, Config{}).style), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark colours")
	}
	for name, part := range map[string]string{"light": light, "dark": dark} {
		c := map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(part, -1) {
			c[m[1]] = m[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 7},
			{"ink", "ground", 7},
			{"soft", "paper", 4.5},
			{"soft", "ground", 4.5},
			{"accent", "paper", 4.5},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-over", 4.5},
			{"bad", "bad-ground", 4.5},
			{"paper", "bad", 4.5},
			{"good", "good-ground", 4.5},
			{"care", "care-ground", 4.5},
			{"edge", "paper", 3},
		} {
			if c[pair.front] == "" || c[pair.back] == "" {
				t.Fatalf("%s: no colour %s or %s", name, pair.front, pair.back)
			}
			a, b := luminance(c[pair.front]), luminance(c[pair.back])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < pair.least {
				t.Errorf("%s: %s on %s has %.2f, want %.1f", name, pair.front, pair.back, ratio, pair.least)
			}
		}
	}
}

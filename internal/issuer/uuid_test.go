package issuer

import (
	"strings"
	"testing"
)

func TestUUIDsOfLaterInstantsComeLater(t *testing.T) {
	const at = 1_645_557_742_000_000 // the instant of the example in RFC 9562, appendix A.6
	if got := timeUUID(at); !strings.HasPrefix(got, "017f22e2-79b0-7000-") || !isUUID(got) {
		t.Errorf("%s", got)
	}
	last := ""
	for _, later := range []int64{0, 1, 2, 3, 999, 1000, 1001, 999_999, 1_000_000, 86_400_000_000} {
		got := timeUUID(at + later)
		if variant := got[19]; got[14] != '7' || !strings.ContainsRune("89ab", rune(variant)) {
			t.Errorf("%s is not of version 7", got)
		}
		if got <= last {
			t.Errorf("%s, of %d us later, after %s", got, later, last)
		}
		last = got
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[timeUUID(at)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 are different", len(seen))
	}
}

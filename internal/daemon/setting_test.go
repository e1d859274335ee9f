package daemon

import (
	"net/netip"
	"slices"
	"testing"
)

func TestANetworkOfIPv4HasOneSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3":            "10.1.2.3/32",
		"::ffff:10.1.2.3":     "10.1.2.3/32",
		"10.1.2.3/8":          "10.0.0.0/8",
		"::ffff:10.1.2.3/104": "10.0.0.0/8",
		"::ffff:10.1.2.3/128": "10.1.2.3/32",
		"2001:db8::1/32":      "2001:db8::/32",
		"::1":                 "::1/128",
		"::/0":                "::/0", // of IPv6 alone
	} {
		v := &values{given: map[string]value{"[server] trusted_gateways": {text, "a test"}}}
		got := v.networks("server", "trusted_gateways")
		if v.err != nil || !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix(want)}) {
			t.Errorf("%s: %v, %v, want %s", text, got, v.err, want)
		}
	}
}

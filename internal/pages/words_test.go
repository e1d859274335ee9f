package pages

import (
	"strings"
	"testing"
	"time"
)

func TestAnInstantIsSaidInWords(t *testing.T) {
	const hour, day = 3600, 86400
	for seconds, want := range map[int64]string{
		0: "just now", -59: "just now", 59: "in less than a minute", 60: "in a minute", -119: "a minute ago",
		-120: "2 minutes ago", 2*hour - 1: "in 119 minutes", 2 * hour: "in 2 hours", 2*day - 1: "in 47 hours",
		2 * day: "in 2 days", 30*day - 1: "in 29 days", -60 * day: "60 days ago", 90 * day: "in 2 months",
		365 * day: "in 11 months", 800 * day: "in 2 years", 31_536_000_000: "in 999 years",
	} {
		if got := relative(seconds); got != want {
			t.Errorf("%d s: %s, want %s", seconds, got, want)
		}
	}
}

func TestTimesAreShownInUTC(t *testing.T) {
	at := noon.In(time.FixedZone("east", 5*3600))
	p := read(t, answer(newPages(t, Config{}), 200, Account{Logins: []AccountLogin{{Expires: at.Add(30*24*time.Hour - time.Second)}}}))
	n := p.one("time")
	if attr(n, "datetime") != "2026-12-21T14:02:59Z" || text(n) != "21 Dec 2026, 14:02 UTC" {
		t.Errorf("%s: %s", attr(n, "datetime"), text(n))
	}
	if got := text(n.Parent); got != "in 29 days, 21 Dec 2026, 14:02 UTC" {
		t.Error(got)
	}
}

func TestALoginWithoutEndSaysSo(t *testing.T) {
	p := read(t, answer(newPages(t, Config{}), 200, Account{Logins: []AccountLogin{{ID: "id1"}}}))
	if !strings.Contains(text(p.one("dl")), "never by itself") {
		t.Error("nothing is said of the end")
	}
}

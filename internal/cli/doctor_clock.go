package cli

import (
	"net/http"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	// clockOdd is from where a difference between two clocks is spoken of: a token
	// that was just issued is not yet valid here, and the other way round.
	clockOdd = 2 * time.Second
	// clockBroken is from where it is a failure: more than the leeway that
	// services allow each other.
	clockBroken = 5 * time.Minute
)

// clocks compares this machine's clock with the server's, and asks what the
// difference does to a token that is at hand.
func (d *doctor) clocks(a probe) {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		d.warnOf("clock", "", "the server does not say what time it is")
		return
	}
	// The header is cut to the second, and was written on the way.
	ahead := skew(a.sent, a.came, date)
	switch size := ahead.Abs(); {
	case size > clockBroken:
		d.fail("clock", token.Refuse(token.ErrNotYetValid, "this machine's clock is %s: set one of the two", aheadOrBehind(ahead)))
	case size > clockOdd:
		d.warnOf("clock", "", "this machine's clock is %s: tokens may be refused as not yet valid or expired", aheadOrBehind(ahead))
	default:
		d.ok("clock", "it agrees with the server's")
	}
	d.tokenTimes(date)
}

// skew is how far the local clock is ahead of a Date header that was written
// between sending and receiving; 0 while that may be none.
func skew(sent, came, date time.Time) time.Duration {
	earliest, latest := date, date.Add(time.Second)
	switch {
	case sent.After(latest):
		return sent.Sub(latest)
	case came.Before(earliest):
		return came.Sub(earliest)
	}
	return 0
}

func aheadOrBehind(ahead time.Duration) string {
	if ahead < 0 {
		return span(-ahead) + " behind the server's"
	}
	return span(ahead) + " ahead of the server's"
}

// tokenTimes compares what the two clocks say of iat and exp.
func (d *doctor) tokenTimes(server time.Time) {
	set, from := d.held()
	decoded, err := token.Decode(set.AccessToken.Reveal())
	if err != nil {
		return // none, or no JWT
	}
	var r token.Registered
	if err := decoded.Claims.Registered(&r); err != nil {
		return
	}
	here := d.Now()
	if issued := time.UnixMicro(r.IssuedAt.Microseconds); r.IssuedAt.Present && issued.After(here) {
		d.fail("token times", token.Refuse(token.ErrNotYetValid, "the token from %s is issued %s from now by this machine's clock", from, span(issued.Sub(here))))
		return
	}
	expires := time.UnixMicro(r.Expires.Microseconds)
	switch over, overThere := !expires.After(here), !expires.After(server); {
	case !r.Expires.Present:
	case over && !overThere:
		d.fail("token times", token.Refuse(token.ErrExpired, "the token from %s has expired by this machine's clock, not by the server's", from))
	case overThere && !over:
		d.fail("token times", token.Refuse(token.ErrExpired, "the token from %s has expired by the server's clock, not by this machine's", from))
	case over:
		d.ok("token times", "the token from %s has expired", from)
	default:
		d.ok("token times", "the token from %s lives for %s by both clocks", from, span(expires.Sub(here)))
	}
}

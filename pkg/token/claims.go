package token

import (
	"strconv"
	"strings"
)

// Claims is the claim set of a token (RFC 7519 section 4).
type Claims struct{ Object }

// ParseClaims is ParseObject for a claim set.
func ParseClaims(text string) (*Claims, error) {
	c := new(Claims)
	if err := c.parse(text); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Claims) text(name string) string { s, _ := c.String(name); return s }

// Issuer returns iss, empty when it is absent or no string.
func (c *Claims) Issuer() string { return c.text("iss") }

// Subject returns sub, empty when it is absent or no string.
func (c *Claims) Subject() string { return c.text("sub") }

// ID returns jti, or jwtid where a CipherTrust Manager issued the token; empty
// when both are absent or no strings.
func (c *Claims) ID() string {
	if id := c.text("jti"); id != "" {
		return id
	}
	return c.text("jwtid")
}

// NumericDate returns a member that is a time (RFC 7519 section 2), exp say, in
// microseconds since 1970-01-01 UTC, rounded down. present tells whether there
// is such a claim at all; err is a *ClaimError when it is not a number between
// the years -9999 and 9999.
func (o *Object) NumericDate(name string) (microseconds int64, present bool, err error) {
	v, ok := o.find(name)
	if !ok {
		return 0, false, nil
	}
	us, ok := parseMicroseconds(v)
	if !ok {
		if len(v) > 40 {
			v = v[:40] + "…"
		}
		return 0, true, &ClaimError{Claim: name, Reason: printable(v) + " is not a time", Kind: ErrMalformed}
	}
	return us, true, nil
}

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// parseMicroseconds reads a JSON number as seconds and gives microseconds,
// exactly, without passing through a float.
func parseMicroseconds(number string) (int64, bool) {
	s, negative := strings.CutPrefix(number, "-")
	if s == "" || s[0] < '0' || s[0] > '9' || len(s) > 64 {
		return 0, false
	}
	exponent := 0
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		n, err := strconv.Atoi(s[e+1:])
		if err != nil || n > 64 || n < -64 {
			return 0, false
		}
		exponent, s = n, s[:e]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	point := len(whole) + exponent + 6 // digits before the point, in microseconds
	digits := whole + fraction
	var us int64
	rest := false
	for i := range len(digits) {
		if i >= point {
			rest = rest || digits[i] != '0'
			continue
		}
		us = us*10 + int64(digits[i]-'0')
		if us > (maxNumericDate+1)*1_000_000 {
			return 0, false
		}
	}
	for i := len(digits); i < point; i++ {
		us *= 10
		if us > (maxNumericDate+1)*1_000_000 {
			return 0, false
		}
	}
	if us > maxNumericDate*1_000_000+999_999 {
		return 0, false
	}
	if negative {
		us = -us
		if rest {
			us--
		}
	}
	return us, true
}

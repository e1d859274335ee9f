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

// Registered is the claims of RFC 7519 section 4.1. Strings are empty and Audience
// is nil where there is no such claim.
type Registered struct {
	Issuer, Subject, ID          string
	Audience                     []string
	Expires, NotBefore, IssuedAt Instant
	one                          [1]string // room for an audience
}

// Instant is a claim that is a time, in microseconds since 1970-01-01 UTC.
type Instant struct {
	Microseconds int64
	Present      bool
}

// Registered reads them all into r. A claim of the wrong kind, or an empty iss,
// sub, jti or list in aud, is a *ClaimError of ErrMalformed.
func (c *Claims) Registered(r *Registered) error {
	*r = Registered{}
	for i := range c.members {
		m := &c.members[i]
		if m.nameEnd-m.name != 3 && !m.escaped {
			continue
		}
		var err error
		value := c.raw[m.value:m.valueEnd]
		switch name := m.nameIn(c.raw); name {
		case "iss":
			r.Issuer, err = someText(name, value)
		case "sub":
			r.Subject, err = someText(name, value)
		case "jti":
			r.ID, err = someText(name, value)
		case "aud":
			err = r.readAudience(value)
		case "exp":
			r.Expires, err = instant(name, value)
		case "nbf":
			r.NotBefore, err = instant(name, value)
		case "iat":
			r.IssuedAt, err = instant(name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func someText(name, value string) (string, error) {
	if value[0] != '"' || len(value) == 2 {
		return "", &ClaimError{Claim: name, Reason: "not a string with something in it", Kind: ErrMalformed}
	}
	return unquote(value), nil
}

func (r *Registered) readAudience(value string) error {
	if value[0] == '"' {
		r.one[0] = unquote(value)
		r.Audience = r.one[:]
		return nil
	}
	list, ok := stringsOf(value)
	if !ok || len(list) == 0 {
		return &ClaimError{Claim: "aud", Reason: "neither a string nor an array of strings", Kind: ErrMalformed}
	}
	r.Audience = list
	return nil
}

func instant(name, value string) (Instant, error) {
	us, ok := parseMicroseconds(value)
	if ok {
		return Instant{us, true}, nil
	}
	if len(value) > 40 {
		value = strings.ToValidUTF8(value[:40], "") + "…"
	}
	return Instant{}, &ClaimError{Claim: name, Reason: Printable(value) + " is not a time", Kind: ErrMalformed}
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
	t, err := instant(name, v)
	return t.Microseconds, true, err
}

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// parseMicroseconds reads a JSON number as seconds and gives microseconds,
// exactly, without passing through a float.
func parseMicroseconds(number string) (int64, bool) {
	if us, ok := usualTime(number); ok {
		return us, true
	}
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

// usualTime reads the times of this age: ten digits, and up to six behind a point.
func usualTime(number string) (us int64, ok bool) {
	if len(number) < 10 || len(number) > 17 || len(number) == 11 {
		return 0, false
	}
	for i := range len(number) {
		c := number[i] - '0'
		if i == 10 {
			if number[i] != '.' {
				return 0, false
			}
			continue
		}
		if c > 9 {
			return 0, false
		}
		us = us*10 + int64(c)
	}
	for i := max(len(number), 11); i < 17; i++ {
		us *= 10
	}
	return us, true
}

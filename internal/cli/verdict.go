package cli

import (
	"strconv"

	"github.com/ats-auth/ats-auth/pkg/token"
)

var verdictColumns = []string{"verdict", "code", "sub", "iss", "exp", "jti"}

// okRecord is what is printed of one token that is good.
func okRecord(c *token.Claims) record {
	exp, _ := c.Member("exp")
	return record{
		{"verdict", "ok"},
		{"code", int64(exitOK)},
		{"sub", c.Subject()},
		{"iss", c.Issuer()},
		{"exp", rawJSON(exp)},
		{"jti", c.ID()},
	}
}

// appendVerdict writes what is said of one token of many, as a line of JSON, and
// returns the exit code it stands for. Claims go over as they were written.
func appendVerdict(out []byte, line int, c *token.Claims, err error) ([]byte, int) {
	out = strconv.AppendInt(append(out, `{"line":`...), int64(line), 10)
	if err != nil {
		code := exitCode(err)
		out = append(append(append(out, `,"verdict":"`...), exitWord(code)...), `","code":`...)
		out = strconv.AppendInt(out, int64(code), 10)
		text, marshalErr := marshal(safe(err.Error()))
		if marshalErr == nil {
			out = append(append(out, `,"error":`...), text...)
		}
		return append(out, "}\n"...), code
	}
	out = append(out, `,"verdict":"ok","code":0`...)
	for _, name := range [...]string{"sub", "iss", "exp", "jti"} {
		text, ok := c.Member(name)
		if !ok && name == "jti" { // as a CipherTrust Manager spells it
			text, ok = c.Member("jwtid")
		}
		if ok {
			out = append(append(append(out, `,"`...), name...), `":`...)
			out = append(out, token.Printable(text)...)
		}
	}
	return append(out, "}\n"...), exitOK
}

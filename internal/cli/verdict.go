package cli

import (
	"encoding/json"
	"strconv"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// verdict is what is said of one token.
type verdict struct {
	Line    int
	Verdict string
	Code    int
	Subject string
	Issuer  string
	ID      string
	Expires json.RawMessage
	Error   string
}

var verdictColumns = []string{"verdict", "code", "sub", "iss", "exp", "jti"}

func newVerdict(line int, c *token.Claims, err error) verdict {
	if err != nil {
		code := exitCode(err)
		return verdict{Line: line, Code: code, Verdict: exitWord(code), Error: safe(err.Error())}
	}
	v := verdict{Line: line, Verdict: "ok"}
	v.Subject, v.Issuer, v.ID = c.Subject(), c.Issuer(), c.ID()
	v.Expires, _ = c.Raw("exp")
	return v
}

func (v verdict) record() record {
	return record{
		{"verdict", v.Verdict},
		{"code", int64(v.Code)},
		{"sub", v.Subject},
		{"iss", v.Issuer},
		{"exp", rawJSON(v.Expires)},
		{"jti", v.ID},
	}
}

// appendString appends a JSON string.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, err := marshal(s)
			if err != nil {
				return append(out, `""`...)
			}
			return append(out, token.Printable(text)...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// append writes a verdict as a line of JSON.
func (v verdict) append(out []byte) []byte {
	out = append(out, `{"line":`...)
	out = strconv.AppendInt(out, int64(v.Line), 10)
	out = appendString(append(out, `,"verdict":`...), v.Verdict)
	out = append(out, `,"code":`...)
	out = strconv.AppendInt(out, int64(v.Code), 10)
	for _, f := range [...]struct{ name, value string }{
		{`,"sub":`, v.Subject}, {`,"iss":`, v.Issuer}, {`,"jti":`, v.ID}, {`,"error":`, v.Error},
	} {
		if f.value != "" {
			out = appendString(append(out, f.name...), f.value)
		}
	}
	if len(v.Expires) > 0 {
		out = append(append(out, `,"exp":`...), v.Expires...)
	}
	return append(out, "}\n"...)
}

package verifier

import (
	"encoding/json"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// FuzzAgainstGolangJWT signs whatever it is given and asks both this package
// and golang-jwt in its strictest setting. What one accepts the other accepts
// too and reads alike, unless the input shows one of the strictnesses below.
func FuzzAgainstGolangJWT(f *testing.F) {
	for _, seed := range [][3]string{
		{jwtHeader, goodPayload, ""},
		{`{"alg":"HS256","typ":"at+jwt","kid":"a"}`, `{"exp":1700000060.25,"nbf":1.6e9,"iat":1699999999.5,"aud":["a","b"]}`, ""},
		{`{"Alg":"HS256","alg":"HS256"}`, `{"exp":1600000000,"Exp":1700000060}`, "\n"},
		{`{"alg":"HS256","crit":["exp"],"b64":true}`, `{"exp":1700000060,"a":{"b":[1,2,{"c":null}]}}`, "="},
		{`{"alg":"HS256"}`, `{"exp":1700000060,"sub":"\ud83d\ude00","sub":"\ud800"}`, ""},
		{`{"alg":"none"}`, `{"exp":253402300800}{"sub":"root"}`, "A"},
		{` {"alg" : "HS256" } `, "\t{\"exp\":\r\n1700000060 , \"x\" : -0.0e-0}\n", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	now := time.Unix(1_700_000_000, 0)
	ours, err := New(Config{Keys: []Key{strongKey()}, AnyAudience: true, Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	theirs := jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(),
		jwt.WithJSONNumber(), jwt.WithTimeFunc(func() time.Time { return now }),
	)
	f.Fuzz(func(t *testing.T, header, payload, suffix string) {
		raw := forged(header, payload) + suffix
		claims, err := ours.Verify(t.Context(), raw)
		stock, stockErr := theirs.Parse(raw, func(*jwt.Token) (any, error) { return []byte(strongSecret), nil })
		switch {
		case err == nil && stockErr == nil:
			if !sameClaims(claims, stock.Claims) {
				t.Errorf("read differently: %s and %v", claims.JSON(), stock.Claims)
			}
		case err == nil:
			if !finerTime(payload) {
				t.Errorf("accepted here, by golang-jwt refused: %v", stockErr)
			}
		case stockErr == nil:
			if why := strictness(header, payload, raw); why == "" {
				t.Errorf("accepted by golang-jwt, here refused without a listed reason: %v", err)
			}
		}
	})
}

func sameClaims(ours *token.Claims, theirs jwt.Claims) bool {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(ours.Text()))
	d.UseNumber()
	return d.Decode(&m) == nil && reflect.DeepEqual(jwt.MapClaims(m), theirs)
}

// finerTime: golang-jwt cuts times to whole seconds, which are kept to the
// microsecond here.
func finerTime(payload string) bool {
	for _, name := range []string{"exp", "nbf", "iat"} {
		if n := string(members(payload)[name]); strings.ContainsAny(n, ".eE") {
			return true
		}
	}
	return false
}

// strictness names the rule by which golang-jwt is laxer than RFC 8725 and 7515
// ask for, found in the input without this module's own parser.
func strictness(header, payload, raw string) string {
	h, p := members(header), members(payload)
	for _, rule := range []struct {
		name  string
		holds bool
	}{
		{"line ends within a segment", strings.ContainsAny(raw, "\r\n")},
		{"too long", len(raw) > token.MaxLength || strings.IndexByte(raw, '.') > token.MaxHeaderLength},
		{"invalid UTF-8", !utf8.ValidString(header) || !utf8.ValidString(payload)},
		{"a lone surrogate", surrogate(header) || surrogate(payload)},
		{"a member twice, too many or too deep", lax(header) || lax(payload)},
		{"crit, b64, zip or cty", h["crit"] != nil || h["b64"] != nil || h["zip"] != nil || h["cty"] != nil},
		{"typ", h["typ"] != nil && !knownType(h["typ"])},
		{"kid", h["kid"] != nil && !goodKid(h["kid"])},
		{"iss, sub or jti", badText(p["iss"]) || badText(p["sub"]) || badText(p["jti"])},
		{"aud", p["aud"] != nil && !goodAudience(p["aud"])},
		{"a time that is finer or of another age", finerTime(payload) || farTime(p["exp"]) || farTime(p["nbf"]) || farTime(p["iat"])},
	} {
		if rule.holds {
			return rule.name
		}
	}
	return ""
}

func members(object string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.NewDecoder(strings.NewReader(object)).Decode(&m) != nil {
		return nil
	}
	return m
}

func surrogate(s string) bool { return regexp.MustCompile(`\\u[dD][89a-fA-F]`).MatchString(s) }

// lax walks a JSON text with the standard decoder.
func lax(s string) bool {
	type level struct {
		names map[string]bool
		key   bool
	}
	d, levels, count := json.NewDecoder(strings.NewReader(s)), []level(nil), 0
	d.UseNumber()
	for {
		t, err := d.Token()
		if err == io.EOF {
			return false
		}
		if err != nil {
			return true
		}
		top := len(levels) - 1
		if delimiter, ok := t.(json.Delim); ok && (delimiter == '}' || delimiter == ']') {
			if levels = levels[:top]; top == 0 {
				_, err := d.Token()
				return err != io.EOF // text behind the first value
			}
			continue
		}
		if top >= 0 && levels[top].names != nil {
			if levels[top].key = !levels[top].key; levels[top].key {
				name := t.(string)
				if count++; levels[top].names[name] || count > token.MaxMembers {
					return true
				}
				levels[top].names[name] = true
				continue
			}
		}
		switch t {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		}
		if len(levels) > token.MaxDepth {
			return true
		}
	}
}

func str(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

func knownType(raw json.RawMessage) bool {
	s, ok := str(raw)
	s = strings.ToLower(s)
	return ok && (s == "jwt" || s == "at+jwt" || s == "application/jwt" || s == "application/at+jwt")
}

func goodKid(raw json.RawMessage) bool {
	s, ok := str(raw)
	return ok && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func badText(raw json.RawMessage) bool {
	s, ok := str(raw)
	return raw != nil && (!ok || s == "")
}

func goodAudience(raw json.RawMessage) bool {
	if _, ok := str(raw); ok {
		return true
	}
	var list []*string
	return json.Unmarshal(raw, &list) == nil && len(list) > 0 && !slices.Contains(list, nil)
}

func farTime(raw json.RawMessage) bool {
	var n json.Number
	if raw == nil || json.Unmarshal(raw, &n) != nil || raw[0] == '"' {
		return raw != nil
	}
	v, err := n.Float64()
	return err != nil || v > 253402300799 || v < -253402300799 || len(raw) > 64
}

func TestTheListedStrictnessesAreFoundInWhatTheyRefuse(t *testing.T) {
	for want, in := range map[string][2]string{
		"invalid UTF-8":                          {"{}", "\xff"},
		"a lone surrogate":                       {"{}", `{"a":"\uD800"}`},
		"a member twice, too many or too deep":   {"{}", `{"a":[{"b":1,"b":2}]}`},
		"crit, b64, zip or cty":                  {`{"crit":null}`, "{}"},
		"typ":                                    {`{"typ":"x"}`, "{}"},
		"kid":                                    {`{"kid":1}`, "{}"},
		"iss, sub or jti":                        {"{}", `{"sub":""}`},
		"aud":                                    {"{}", `{"aud":[null]}`},
		"a time that is finer or of another age": {"{}", `{"exp":253402300800}`},
		"":                                       {`{"typ":"application/AT+JWT","kid":"k"}`, `{"exp":1,"aud":["a"],"a":[{"b":1},{"b":2}],"c":{"b":{}}}`},
	} {
		if got := strictness(in[0], in[1], "a.b.c"); got != want {
			t.Errorf("%s, %s: %q, want %q", in[0], in[1], got, want)
		}
	}
}

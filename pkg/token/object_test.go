package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func nested(open, closing string, depth int) string {
	return strings.Repeat(open, depth) + strings.Repeat(closing, depth)
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%s"m%d":%d`, strings.Repeat(",", min(i, 1)), i, i)
	}
	return "{" + b.String() + "}"
}

func TestWhatIsNoStrictJSONObjectIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"a member twice":                      {`{"sub":"a","sub":"b"}`, `"sub" stands twice`},
		"a member twice, one of them escaped": {`{"sub":"a","s\u0075b":"b"}`, `"sub" stands twice`},
		"a member twice, further in":          {`{"a":{"b":1,"b":2}}`, `"b" stands twice`},
		"a member twice, in a list":           {`{"a":[{"b":1,"b":2}]}`, `"b" stands twice`},
		"a member twice among many":           {strings.TrimSuffix(members(40), "}") + `,"m7":0}`, `"m7" stands twice`},
		"an empty name twice":                 {`{"":1,"":2}`, "stands twice"},
		"a lone high surrogate":               {`{"sub":"\ud800"}`, "lone surrogate"},
		"a lone low surrogate":                {`{"sub":"\udc00"}`, "lone surrogate"},
		"surrogates the wrong way round":      {`{"sub":"\udc00\ud800"}`, "lone surrogate"},
		"two low surrogates":                  {`{"sub":"\udc00\udc00"}`, "lone surrogate"},
		"a high surrogate and a letter":       {`{"sub":"\ud800a"}`, "lone surrogate"},
		"a lone surrogate in a name":          {`{"\ud800":1}`, "lone surrogate"},
		"invalid UTF-8":                       {"{\"sub\":\"\xff\"}", "invalid UTF-8"},
		"overlong UTF-8":                      {"{\"sub\":\"\xc0\xaf\"}", "invalid UTF-8"},
		"an encoded surrogate":                {"{\"sub\":\"\xed\xa0\x80\"}", "invalid UTF-8"},
		"a byte order mark":                   {"\ufeff{}", "not a JSON object"},
		"17 arrays within each other":         {`{"a":` + nested("[", "]", 16) + `}`, "nested deeper than 16"},
		"17 objects within each other":        {strings.Repeat(`{"a":`, 16) + "{}" + strings.Repeat("}", 16), "nested deeper than 16"},
		"9,000 arrays within each other":      {`{"a":` + nested("[", "]", 9000) + `}`, "nested deeper than 16"},
		"257 members":                         {members(257), "more than 256 members"},
		"257 members in several objects":      {`{"a":` + members(128) + `,"b":` + members(127) + `}`, "more than 256 members"},
		"a second object":                     {`{"sub":"a"}{"sub":"root"}`, "text behind"},
		"a comma too many":                    {`{"a":1,}`, "no string"},
		"no comma":                            {`{"a":1 "b":2}`, "neither comma"},
		"no colon":                            {`{"a"1}`, "no colon"},
		"a name without quotes":               {`{a:1}`, "no string"},
		"a comma too many in a list":          {`{"a":[1,]}`, "no value"},
		"a list without comma":                {`{"a":[1 2]}`, "neither comma"},
		"an object cut off":                   {`{"a":1`, "does not end"},
		"a list cut off":                      {`{"a":[1`, "does not end"},
		"a string cut off":                    {`{"a":"b`, "does not end"},
		"an escape cut off":                   {`{"a":"\`, "does not end"},
		"an unknown escape":                   {`{"a":"\x41"}`, "unknown escape"},
		"a hex escape with a sign":            {`{"a":"\u+041"}`, "unknown escape"},
		"a newline in a string":               {"{\"a\":\"\n\"}", "control character"},
		"NUL in a string":                     {"{\"a\":\"\x00\"}", "control character"},
		"a comment":                           {`{/**/}`, "no string"},
		"NaN":                                 {`{"exp":NaN}`, "no value"},
		"Infinity":                            {`{"exp":Infinity}`, "no value"},
		"minus Infinity":                      {`{"exp":-Infinity}`, "not a number"},
		"a leading zero":                      {`{"exp":01}`, "not a number"},
		"a plus sign":                         {`{"exp":+1}`, "no value"},
		"a bare point":                        {`{"exp":1.}`, "not a number"},
		"a leading point":                     {`{"exp":.5}`, "no value"},
		"an empty exponent":                   {`{"exp":1e}`, "not a number"},
		"hexadecimal":                         {`{"exp":0x10}`, "neither comma"},
		"True":                                {`{"a":True}`, "no value"},
		"nothing":                             {``, "not a JSON object"},
		"null":                                {`null`, "not a JSON object"},
		"a form feed between":                 {"{\f}", "no string"},
		"a no-break space between":            {"{\u00a0}", "no string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseObject(c.text)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("ParseObject(%.60q): %v, want %q", c.text, err, c.says)
			}
		})
	}
}

func TestWhatIsWithinTheBoundsIsRead(t *testing.T) {
	for name, text := range map[string]string{
		"an empty object":           `{}`,
		"blanks everywhere":         " \t\r\n{ \"a\" : [ 1 , { } , [ ] ] } \n",
		"16 levels":                 `{"a":` + nested("[", "]", 15) + `}`,
		"256 members":               members(256),
		"a pair of surrogates":      `{"a":"\ud83d\ude00"}`,
		"every escape":              `{"a":"\"\\\/\b\f\n\r\t\u00e9"}`,
		"the same name at 2 levels": `{"a":{"a":1}}`,
		"names that differ by case": `{"exp":1,"Exp":2}`,
		"numbers of every form":     `{"a":-0,"b":0.5,"c":1e5,"d":1E+5,"e":1.5e-5,"f":123456789012345678901234567890}`,
	} {
		o, err := ParseObject(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if o.Text() != text || !json.Valid([]byte(o.JSON())) {
			t.Errorf("%s: text %q, JSON %q", name, o.Text(), o.JSON())
		}
	}
}

func TestAnObjectIsPrintedSortedWithItsDigitsAndSafeForATerminal(t *testing.T) {
	o, err := ParseObject("{\"iat\":1446564641.016732,\"big\":12345678901234567890123,\"e\":1e400,\"a\":{\"z\":1,\"b\":2},\"x\":\"<\\u001b[2J\u202e\U000e0001\"}")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":{"b":2,"z":1},"big":12345678901234567890123,"e":1e400,"iat":1446564641.016732,"x":"<\u001b[2J\u202e\udb40\udc01"}`
	if got := o.JSON(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if b, err := json.Marshal(o); err != nil || !strings.Contains(string(b), "1446564641.016732") {
		t.Errorf("marshalled: %s, %v", b, err)
	}
}

func TestMembersAreReadByTheirExactNameAndKind(t *testing.T) {
	o, err := ParseObject(`{"s":"a\u0062c","n":1,"list":["a","b"],"mixed":["a",1],"nulls":["a",null],"null":null,"none":[]}`)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := o.String("s"); s != "abc" || !ok {
		t.Errorf("s: %q, %v", s, ok)
	}
	for _, name := range []string{"S", "n", "null", "list", "missing"} {
		if s, ok := o.String(name); ok {
			t.Errorf("%s is given as the string %q", name, s)
		}
	}
	if list, ok := o.Strings("list"); !ok || len(list) != 2 || list[1] != "b" {
		t.Errorf("list: %q, %v", list, ok)
	}
	if list, ok := o.Strings("s"); !ok || len(list) != 1 || list[0] != "abc" {
		t.Errorf("s as a list: %q, %v", list, ok)
	}
	if list, ok := o.Strings("none"); !ok || len(list) != 0 {
		t.Errorf("none: %q, %v", list, ok)
	}
	for _, name := range []string{"mixed", "nulls", "n", "null", "missing"} {
		if list, ok := o.Strings(name); ok {
			t.Errorf("%s is given as the strings %q", name, list)
		}
	}
	if names := strings.Join(o.Names(), " "); names != "s n list mixed nulls null none" {
		t.Errorf("names: %s", names)
	}
}

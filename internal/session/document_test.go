package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// ksctls is the file of ksctl's manual.
const ksctls = `KSCTL_VERBOSITY: false
KSCTL_RESP: json
KSCTL_URL: https://kylo-system
KSCTL_USERNAME: admin
KSCTL_REFRESHTOKEN: icmtiodYvNfCAr5XXXODlgJjATkYPpYs3oHRXXXCdGWhGpSXXX70x3AQF1tkcpGO
KSCTL_CLIENTID: ffbbd794-68a3-4da9-83bc-9b0dd7a3ee48
KSCTL_NOSSLVERIFY: true
`

// admins is the login in it.
func admins() Login {
	return Login{
		Resp: "json", URL: "https://kylo-system", Username: "admin", NoSSLVerify: true, Dialect: "ciphertrust",
		RefreshToken: secret("icmtiodYvNfCAr5XXXODlgJjATkYPpYs3oHRXXXCdGWhGpSXXX70x3AQF1tkcpGO"),
		ClientID:     "ffbbd794-68a3-4da9-83bc-9b0dd7a3ee48",
	}
}

func read(t *testing.T, text string) *document {
	t.Helper()
	d, err := parse("config.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

func written(t *testing.T, text string, l Login) string {
	t.Helper()
	data, err := read(t, text).with(l)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return string(data)
}

func sameLogin(t *testing.T, got, want Login) {
	t.Helper()
	for _, f := range fields() {
		if g, w := f.get(&got), f.get(&want); g != w {
			t.Errorf("%s is %q, not %q", f.name, g, w)
		}
	}
}

func TestKsctlsOwnFileIsReadAndItsLikeIsWritten(t *testing.T) {
	sameLogin(t, read(t, ksctls).login(), admins())
	if diff := cmp.Diff(ksctls, written(t, "", admins())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ksctls, written(t, ksctls, admins())); diff != "" {
		t.Error(diff)
	}
}

func TestAFileOfAnotherDialectHasOurPrefixAndSaysWhatARefreshNeeds(t *testing.T) {
	l := Login{
		URL: "https://auth.example.org", Username: "marco", RefreshToken: secret("1e5"), ClientID: "12345", Dialect: "oauth2",
		Issuer: "https://auth.example.org/", Scope: "read write", Resource: "https://api.example.org", DPoPKey: "/home/marco/.config/ats-auth/dpop.pem",
		ExpiresAt: time.Unix(1800000000, 0),
	}
	want := `ATS_AUTH_VERBOSITY: false
ATS_AUTH_URL: https://auth.example.org
ATS_AUTH_USERNAME: marco
ATS_AUTH_REFRESHTOKEN: "1e5"
ATS_AUTH_CLIENTID: "12345"
ATS_AUTH_NOSSLVERIFY: false
ATS_AUTH_DIALECT: oauth2
ATS_AUTH_ISSUER: https://auth.example.org/
ATS_AUTH_SCOPE: "read write"
ATS_AUTH_RESOURCE: https://api.example.org
ATS_AUTH_DPOP_KEY: /home/marco/.config/ats-auth/dpop.pem
ATS_AUTH_EXPIRES: "2027-01-15T08:00:00Z"
`
	text := written(t, "", l)
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	sameLogin(t, read(t, text).login(), l)
}

func TestAFileThatHasKsctlsKeysKeepsTheirPrefixWhateverTheDialect(t *testing.T) {
	l := admins()
	l.Dialect = "ats"
	text := written(t, ksctls, l)
	if want := ksctls + "ATS_AUTH_DIALECT: ats\n"; text != want {
		t.Error(cmp.Diff(want, text))
	}
	sameLogin(t, read(t, text).login(), l)
}

func TestCommentsForeignKeysOrderAndLineEndsSurviveARewrite(t *testing.T) {
	const before = "# written by ksctl, edited by hand\r\n" +
		"\r\n" +
		"KSCTL_URL:   https://old   # the test system\r\n" +
		"KSCTL_TIMEOUT: 30\r\n" +
		"labels:\r\n  app:  [a, b]\r\n" +
		"# KSCTL_USERNAME: commented\r\n" +
		"KSCTL_REFRESHTOKEN: 'old''s'# x\r\n" +
		"note: |\r\n  KSCTL_URL: https://not-me\r\n   \"open\r\n\r\n" +
		"KSCTL_CLIENTID:\r\n" +
		"last: \"no end of line\""
	text := strings.Replace(before, "  app:  [a, b]", "  app:  a, b", 1)
	text = strings.Replace(text, "'# x", "' # x", 1)
	l := read(t, text).login()
	if l.RefreshToken.Reveal() != "old's" || l.URL != "https://old" {
		t.Fatalf("read %q, %q", l.URL, l.RefreshToken.Reveal())
	}
	l.URL, l.RefreshToken, l.ClientID, l.Username, l.NoSSLVerify = "https://new", secret("new"), "c", "admin", true
	want := strings.NewReplacer(
		"https://old ", "https://new ", "'old''s'", "new", "KSCTL_CLIENTID:\r\n", "KSCTL_CLIENTID: c\r\nKSCTL_NOSSLVERIFY: true\r\n",
		"# the test system\r\n", "# the test system\r\nKSCTL_USERNAME: admin\r\n",
	).Replace(text)
	if diff := cmp.Diff(want, written(t, text, l)); diff != "" {
		t.Error(diff)
	}
	if got := written(t, "x: 1", Login{Issuer: "https://i", Dialect: "ats"}); got != "x: 1\nATS_AUTH_VERBOSITY: false\nATS_AUTH_NOSSLVERIFY: false\nATS_AUTH_DIALECT: ats\nATS_AUTH_ISSUER: https://i\n" {
		t.Errorf("behind a last line without an end: %q", got)
	}
}

func TestValuesOfOddTypesAreReadTolerantly(t *testing.T) {
	for value, want := range map[string]bool{
		"true": true, "yes": true, `"true"`: true, "'Yes'": true, "on": true, "TRUE": true, "1": true, "y": true,
		"false": false, "no": false, `"false"`: false, "off": false, "0": false, "": false, "~": false, "null": false, `""`: false,
	} {
		if got := read(t, "KSCTL_NOSSLVERIFY: "+value+"\n").login().NoSSLVerify; got != want {
			t.Errorf("%s is %v", value, got)
		}
	}
	for value, want := range map[string]string{
		"12345": "12345", "007": "007", "1e5": "1e5", "no": "no", "null": "", "a#b": "a#b", "a #b": "a", "'# b'": "# b",
		`"j\u00fcrgen\t\"x\""`: "jürgen\t\"x\"", "-x": "-x", "a:b": "a:b", "jürgen": "jürgen", "a 'b' c": "a 'b' c",
	} {
		if got := read(t, "ksctl_username: "+value+"\n").login().Username; got != want {
			t.Errorf("%s is %q", value, got)
		}
	}
}

func TestAnUnchangedLineStaysAsItWasWritten(t *testing.T) {
	const text = "KSCTL_NOSSLVERIFY: yes\nKSCTL_URL: \"https://x\"\nksctl_username : 'a'\n"
	l := read(t, text).login()
	if got := written(t, text, l); got != text {
		t.Errorf("%q", got)
	}
	l.Username = "b"
	if got := written(t, text, l); got != strings.Replace(text, "'a'", "b", 1) {
		t.Errorf("%q", got)
	}
}

func TestADamagedFileIsNamedWithItsLineAndNeverQuoted(t *testing.T) {
	long := strings.Repeat("# filler\n", 1<<17)
	for text, want := range map[string]string{
		"a: 1\nKSCTL_URL: hunter2\nKSCTL_URL: hunter2\n": "3: KSCTL_URL is given again, it stands in line 2",
		"KSCTL_URL: hunter2\nksctl_url: hunter2\n":       "2: KSCTL_URL is given again, it stands in line 1",
		"x: 1\nX: 2\n": "2: X is given again, it stands in line 1",
		"KSCTL_URL: hunter2\n\tKSCTL_RESP: hunter2\n":             "2: a tab cannot indent",
		"KSCTL_URL: &hunter2 x\n":                                 "1: a value that begins with a sign must be quoted",
		"a: 1\nKSCTL_REFRESHTOKEN: *hunter2\n":                    "2: a value that begins with a sign must be quoted",
		"KSCTL_URL: !!str hunter2\n":                              "1: a value that begins with a sign must be quoted",
		"<<: *hunter2\n":                                          "1: a key of other signs",
		"- hunter2\n":                                             "1: a list",
		"# c\nhunter2\n":                                          "2: neither KEY: VALUE nor a comment",
		"{KSCTL_URL: hunter2}\n":                                  "1: a key of other signs",
		"KSCTL_URL: [hunter2]\n":                                  "1: the value of KSCTL_URL must be one text",
		"KSCTL_URL: |\n  hunter2\n":                               "1: the value of KSCTL_URL must be one text",
		"KSCTL_URL:\n  hunter2\n":                                 "2: an indented line",
		"KSCTL_URL: hunter2\n  hunter3\n":                         "2: an indented line",
		"KSCTL_URL: \"hunter2\n":                                  "1: a quoted value must end in its line",
		"KSCTL_URL: \"\\q hunter2\"\n":                            "1: an escape that is not known",
		"KSCTL_URL: \"\\ud800\"\n":                                "1: an escape that is not known",
		"KSCTL_URL: 'hunter2' x\n":                                "1: only a comment may follow",
		"KSCTL_URL: hunter2: x\n":                                 "1: a value with \": \" in it must be quoted",
		"a: \"x\nKSCTL_URL: https://evil\n\"\n":                   "1: a quoted value must end in its line",
		"a: [x,\nKSCTL_URL: https://evil]\n":                      "1: a list or map between brackets",
		"a:\n  b: \"x\nKSCTL_URL: https://evil\"\n":               "2: a quote, bracket or sign below a key",
		"a: 1\n---\nKSCTL_URL: hunter2\n":                         "2: a second document",
		"a: 1\n...\n":                                             "2: a second document",
		"a: 1\nb: \x00\n":                                         "2: a control character",
		"a: 1\nb: \xff\xfe\n":                                     "2: not UTF-8 text",
		"\xff\xfeK\x00":                                           "1: not UTF-8 text",
		"a: 1\rKSCTL_URL: hunter2\r":                              "1: a control character",
		"a: 1\u2028KSCTL_URL: hunter2\n":                          "1: a control character",
		"a: 1\u0085KSCTL_URL: hunter2\n":                          "1: a control character",
		"KSCTL_NOSSLVERIFY: hunter2\n":                            "1: KSCTL_NOSSLVERIFY is neither true nor false",
		"ATS_AUTH_EXPIRES: hunter2\n":                             "1: ATS_AUTH_EXPIRES is no time as in",
		"KSCTL_URL: hunter2\nATS_AUTH_USERNAME: hunter2\n":        "2: ATS_AUTH_USERNAME beside keys that begin with KSCTL_",
		"ATS_AUTH_VERSION: hunter2\n":                             "1: ATS_AUTH_VERSION is no number",
		"\x00\x00\x00\x00":                                        "1: a control character",
		long:                                                      "116509: the file is longer than 1048576 bytes",
		"? KSCTL_URL\n: hunter2\n":                                "1: neither KEY: VALUE nor a comment",
		"\"KSCTL_URL\": hunter2\n":                                "1: a key of other signs",
		"%YAML 1.2\n":                                             "1: neither KEY: VALUE nor a comment",
		"a:\n- \"x\nKSCTL_URL: https://evil\"\n":                  "2: a quote, bracket or sign below a key",
		strings.Repeat("k", 200) + ": hunter2\nKSCTL_URL: x\n":    "1: neither KEY: VALUE nor a comment",
		"a: |\n  text\n# c\n  more \"\nKSCTL_URL: https://evil\"": "4: a quote, bracket or sign below a key",
	} {
		_, err := parse("config.yaml", []byte(text))
		if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "config.yaml:"+want) {
			t.Errorf("%.40q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.40q: the error quotes the file: %v", text, err)
		}
	}
}

func TestAFileOfANewerVersionIsRefusedAsThatWhateverElseIsInIt(t *testing.T) {
	for _, text := range []string{"ATS_AUTH_VERSION: 2\n", "[new: syntax\nATS_AUTH_VERSION: 7\r\n"} {
		_, err := parse("config.yaml", []byte(text))
		if !errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "this program knows version 1") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := read(t, "ATS_AUTH_VERSION: 1\nATS_AUTH_URL: https://x\n").login().URL; got != "https://x" {
		t.Errorf("ours: %q", got)
	}
}

func TestAByteOrderMarkIsNoPartOfAKey(t *testing.T) {
	const text = "\ufeffKSCTL_URL: https://x\r\n"
	l := read(t, text).login()
	l.URL += "/y"
	if got := written(t, text, l); got != "\ufeffKSCTL_URL: https://x/y\r\n" {
		t.Errorf("%q", got)
	}
}

func TestEveryValueIsReadByYAMLAsTheTextItIs(t *testing.T) {
	values := []string{
		"", " ", "a", "true", "No", "null", "~", "1", "0x1f", "0o7", "1e9", "1_000", "12:30:45", "2001-01-01", "2001-12-14t21:59:43.10-05:00",
		".inf", ".nan", "NaN", "-", "-1", "- a", "? a", ": a", "a:", "a: b", "a #b", "#a", "'a'", `"a"`, `a\b`, "a\nb", "a\tb", "\x00\x7f\u0085\u2028\ufeff", "jürgen", "😀",
		"[a]", "{a}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`", "a,b", "=", "<<", "12345678-12e4-4e12-9abc-123456789abc", "1xy4tVzBzjrzsVho4xWQAtN5Whil3a71", "0b11", "1z", "...", "---",
		"https://[::1]:8443/x?y=z#f", "a  b", " a", "a ", "\u00a0", "\u200b",
	}
	for c := range rune(0x300) {
		values = append(values, string(c), "a"+string(c)+"b")
	}
	for _, value := range values {
		l := Login{Username: value, Dialect: "ciphertrust"}
		if value == "" {
			continue
		}
		text := written(t, "", l)
		var got map[string]any
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%q: %v", value, err)
		} else if got["KSCTL_USERNAME"] != value {
			t.Errorf("%q is read as %#v", value, got["KSCTL_USERNAME"])
		}
		sameLogin(t, read(t, text).login(), l)
	}
	if _, err := read(t, "").with(Login{Username: "\xff"}); !errors.Is(err, ErrDamaged) {
		t.Errorf("no text: %v", err)
	}
}

// agrees fails the test where YAML reads a key of ours otherwise.
func agrees(t *testing.T, data []byte, d *document) {
	t.Helper()
	var top yaml.Node
	if yaml.Unmarshal(data, &top) != nil || len(top.Content) != 1 {
		return // what follows a key of others is not looked into
	}
	found := 0
	for i := 0; i+1 < len(top.Content[0].Content); i += 2 {
		key, value := top.Content[0].Content[i], top.Content[0].Content[i+1]
		e, ok := d.entries[strings.ToUpper(key.Value)]
		if !ok {
			continue
		}
		found++
		want := value.Value
		if value.Tag == "!!null" {
			want = ""
		}
		if value.Kind != yaml.ScalarNode || e.value != want || e.line+1 != key.Line {
			t.Errorf("%s is %q in line %d, YAML has %q in line %d: %q", key.Value, e.value, e.line+1, want, key.Line, data)
		}
	}
	if found != len(d.entries) {
		t.Errorf("%d keys of ours, YAML has %d: %q", len(d.entries), found, data)
	}
}

func FuzzWhatIsReadIsWrittenAndWhatIsForeignStays(f *testing.F) {
	for _, text := range []string{
		ksctls, "", "# c\r\nKSCTL_URL: 'x' # d\r\n", "a: |\n  b\n\nKSCTL_URL: \"\\x41\"", "---\na:\n- b\n- c: d\nATS_AUTH_URL:\n", "a: [b]\nksctl_url : x#y # z\n", "\ufeffa: b", "a:\n  b:\n    c\nATS_AUTH_VERSION: 1\n",
		"a: >-\n  'x\nKSCTL_URL: y\n", "a: - b\n", "a:b: c\n", "a: ? b\n", "KSCTL_URL: a'b\"c\n", "a: {b: c}\n", "a: b\n c\n# d\n e\nKSCTL_URL: x\n",
	} {
		f.Add([]byte(text), "tok en", "https://x")
	}
	f.Fuzz(func(t *testing.T, data []byte, refresh, url string) {
		d, err := parse("f", data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatalf("%v", err)
			}
			return
		}
		agrees(t, data, d)
		l := d.login()
		same, err := d.with(l)
		if err == nil && d.prefix != "" && string(same) != string(data) {
			t.Fatalf("%q became %q", data, same)
		}
		l.RefreshToken, l.URL, l.NoSSLVerify = secret(refresh), url, !l.NoSSLVerify
		next, err := d.with(l)
		if err != nil {
			return // checked before anything is written
		}
		if l.Dialect == "" && strings.Contains(string(next), prefixKsctl) && d.prefix == prefixKsctl {
			l.Dialect = ksctlDialect
		}
		again := read(t, string(next))
		sameLogin(t, again.login(), l)
		agrees(t, next, again)
		if diff := cmp.Diff(foreign(d), foreign(again)); diff != "" {
			t.Fatalf("%q became %q: %s", data, next, diff)
		}
	})
}

// foreign are the lines that are not ours, without a missing last end.
func foreign(d *document) []string {
	ours := map[int]bool{}
	for _, e := range d.entries {
		ours[e.line] = true
	}
	lines := []string{d.mark}
	for i, line := range d.lines {
		if !ours[i] {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
	}
	return lines
}

func TestRemovingALoginLeavesWhatIsForeign(t *testing.T) {
	const text = "# mine\nKSCTL_URL: x\nother: 1\nKSCTL_REFRESHTOKEN: y # z\n"
	if got := string(read(t, text).without()); got != "# mine\nother: 1\n" {
		t.Errorf("%q", got)
	}
	if got := read(t, ksctls+"\n").without(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestALoginIsNeverPrinted(t *testing.T) {
	if text := fmt.Sprintf("%v %+v %#v", admins(), admins(), admins()); strings.Contains(text, "icmtiod") {
		t.Error(text)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse("config.yaml", []byte(ksctls)); err != nil {
			b.Fatal(err)
		}
	}
}

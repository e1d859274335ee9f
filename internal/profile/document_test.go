package profile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// hostile are secrets that ini parsers like to change.
func hostile() []string {
	return []string{
		"ASDFFGGHJGLKJWELROISUFLDKJFLS", `a;b#c`, `a ; b # c`, `;begins`, `#begins`, `ends\`, `\`, `a\nb`,
		`"quoted"`, `'quoted'`, `"half`, `'half`, `half"`, `"a" and "b"`, `"""triple"""`, `"""open`, `""`, `''`, `"`, `"""`, `""""`,
		"`tick`", "`half", "half`", "`", "``", "`a`b", "a`b`c", "```", `%(user)s`, `%(nothing)s`, `100%`, `$HOME ${HOME}`, `a=b`, `=`, `==`, `a:b`, `:`,
		`[client]`, `[`, `]`, `a\tb`, "a\tb", "é ünïcode ☃", "\xff\xfe binary \x80", "a\x00b", "c2VjcmV0Cg==", "a  b", "\u00a0nbsp\u00a0", "a\rb", `\"`, `\;`,
	}
}

// value is what a section says for a key.
func value(d document, section, key string) string {
	text, _ := d.Value(section, key)
	return text
}

func TestASecretSurvivesTheIniFileByteForByte(t *testing.T) {
	for _, secret := range hostile() {
		for _, layout := range []string{
			"[session]\nuser = marco\n[client]\njwt_secret = %s\nissuer = next\n",
			"[session]\nuser = marco\n[client]\njwt_secret=%s\nissuer = next",
			"[session]\nuser = marco\n[client]\njwt_secret: %s\nissuer = next",
			"\ufeff[session]\r\nuser = marco\r\n[client]\r\njwt_secret = %s  \t\r\nissuer = next\r\n",
			"[session]\nuser = marco\n[client] ; comment = `\n; jwt_secret = x\n# jwt_secret = x\nissuer = next\n  JWT_Secret = %s",
		} {
			d, err := parseDocument("f.ini", []byte(fmt.Sprintf(layout, secret)))
			if err != nil {
				t.Errorf("%q in %q: %v", secret, layout, err)
				continue
			}
			if got := value(d, "client", "jwt_secret"); got != secret {
				t.Errorf("%q in %q became %q", secret, layout, got)
			}
			if value(d, "client", "issuer") != "next" || value(d, "session", "user") != "marco" {
				t.Errorf("%q in %q changed its neighbours", secret, layout)
			}
		}
	}
}

func TestWhatAnIniFileMustNotHoldIsNamedByFileLineSectionAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"[session]\nsever_url = x":                                  `f.ini:2: unknown key "sever_url" in [session], did you mean "server_url"`,
		"[client]\n\njwt-secret = hunter2":                          `f.ini:3: unknown key "jwt-secret" in [client], did you mean "jwt_secret"`,
		"[client]\nissure = hunter2":                                `f.ini:2: unknown key "issure" in [client], did you mean "issuer"`,
		"[client]\nfrobnicate = hunter2":                            `f.ini:2: unknown key "frobnicate" in [client]`,
		"[client]\nuser = hunter2":                                  `f.ini:2: unknown key "user" in [client], it belongs in [session]`,
		"[profile work]\nusr = hunter2":                             `f.ini:2: unknown key "usr" in [profile work], did you mean "user"`,
		"[clinet]\njwt_secret = hunter2":                            `f.ini:1: unknown section [clinet], did you mean "client"`,
		"[DEFAULT]\nuser = hunter2":                                 `f.ini:1: unknown section [DEFAULT]`,
		"[]\n":                                                      `f.ini:1: unknown section`,
		"[hunter2=]\n":                                              `f.ini:1: unknown section`,
		"user = hunter2":                                            `f.ini:1: key "user" stands before any [SECTION]`,
		"[client]\n[session\nuser = x":                              `f.ini:2: a section is [NAME] and nothing else`,
		"[client] user = hunter2":                                   `f.ini:1: a section is [NAME] and nothing else`,
		"[client]\nhunter2\n":                                       `f.ini:2: neither [SECTION] nor KEY = VALUE`,
		"[client]\n= hunter2\n":                                     `f.ini:2: neither [SECTION] nor KEY = VALUE`,
		"[client]\nissuer = a\nISSUER = hunter2":                    `f.ini:3: issuer is given again, it stands in line 2`,
		"[client]\nissuer =\n[session]\n[client]\nissuer = hunter2": `f.ini:5: issuer is given again, it stands in line 2`,
		"[client]\njwt_secret = abc\nhunter2=\n":                    `f.ini:3: unknown key in [client]`,
		"[client]\njwt_secret =\n  hunter2: x\n":                    `f.ini:3: unknown key in [client]`,
		"[client]\njwt_secret =\n\n[hunter2]\n":                     `f.ini:4: unknown section`,
		"[client]\nhunter2/hunter2+hunter2==\n":                     `f.ini:2: unknown key in [client]`,
		"[client]\n\"hunter2\" = x\n":                               `f.ini:2: unknown key in [client]`,
		"[profile ../../etc]\nuser = x":                             "f.ini:1: " + profileNameRule,
		"[profile a b]\nuser = x":                                   "f.ini:1: " + profileNameRule,
		"\xff\xfe[\x00c\x00l\x00i\x00e\x00n\x00t\x00]":              `f.ini is UTF-16 text, it must be UTF-8`,
	} {
		_, err := parseDocument("f.ini", []byte(text))
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		if e := refusal(t, err); e.Problem != want {
			t.Errorf("%q:\n got %s\nwant %s", text, e.Problem, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error gives away the secret: %v", text, err)
		}
	}
}

func TestAProfileSectionInheritsFromNoOtherProfile(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", "[session]\nuser = base\n[profile work]\nissuer = %(user)s\nuser = parent\n[profile work.eu]\nserver_url = https://eu\n")
	w.config.Flags["profile"] = "work.eu"
	p := w.load()
	if p.Name != "work.eu" || p.Value("username").Reveal() != "base" || !p.Value("issuer").IsZero() {
		t.Fatalf("profile %s: user %v, issuer %v", p.Name, p.Value("username"), p.Value("issuer"))
	}
	w.config.Flags["profile"] = "work"
	if got := w.load().Value("issuer").Reveal(); got != "%(user)s" {
		t.Fatalf("issuer was interpolated: %q", got)
	}
}

func TestTheDefaultProfileMayHaveASectionToo(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", "[session]\nuser = base\n[profile default]\nuser = own\n")
	if got := w.load().Value("username").Reveal(); got != "own" {
		t.Fatalf("user %q", got)
	}
}

func TestAnUnknownProfileIsAnErrorThatListsThoseThereAre(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", "[profile work]\n[profile play]\n")
	w.config.Flags["profile"] = "wrok"
	if e := w.refusal(); e.Problem != `no profile is called "wrok", there is: default, play, work, did you mean "work"` {
		t.Error(e.Problem)
	}
	w.config.Profiles = []string{"wrok"}
	if p := w.load(); p.Name != "wrok" {
		t.Errorf("profile %q", p.Name)
	}
	w.config.Profiles = nil
	for _, name := range []string{"..", "../x", "a/b", "", "a b", "-x", strings.Repeat("x", 65)} {
		w.config.Flags["profile"] = name
		if e := w.refusal(); e.Problem != "flag --profile: "+profileNameRule {
			t.Errorf("%q: %s", name, e.Problem)
		}
	}
}

func TestAFileOfTheLargestSizeIsReadInTime(t *testing.T) {
	var b bytes.Buffer
	for i := 0; b.Len() < maxFile-64; i++ {
		fmt.Fprintf(&b, "[profile p%d]\n", i%1000)
	}
	d, err := parseDocument("f.ini", b.Bytes())
	if err != nil || len(d.profiles()) != 1000 {
		t.Fatalf("%d profiles, %v", len(d.profiles()), err)
	}
}

// FuzzParseDocument holds that no text panics, that a value is either kept byte
// for byte or refused, and that no error gives it away, whatever stands around
// it: on the line of its key, or wrapped to the next.
func FuzzParseDocument(f *testing.F) {
	for _, secret := range hostile() {
		f.Add([]byte("[client]\n"), []byte(secret))
		f.Add([]byte("[client]\nissuer = "+secret+"\n"), []byte("\nuser = x"))
	}
	f.Add([]byte("[profile "), []byte("]"))
	f.Add([]byte("["), []byte("]\n"))
	f.Add([]byte("timeout="), []byte("=="))
	const marker = "5ecr3tM4rk"
	f.Fuzz(func(t *testing.T, before, after []byte) {
		for _, join := range []string{"jwt_secret = ", "jwt_secret =\n", "jwt_secret = x\r\n\t"} {
			text := string(before) + join + marker + string(after)
			d, err := parseDocument("f.ini", []byte(text))
			if err != nil {
				if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(marker)) && fromKey(string(before)) {
					t.Fatalf("%q: the error gives the secret away: %v", text, err)
				}
				continue
			}
			rest, _, _ := strings.Cut(string(after), "\n")
			want := strings.Trim(marker+rest, " \t\r\v\f")
			if got := value(d, "client", "jwt_secret"); strings.HasSuffix(string(before), "[client]\n") && join == "jwt_secret = " && got != want {
				t.Fatalf("%q: the secret became %q", text, got)
			}
		}
	})
}

// fromKey reports whether what follows starts on a line of its own, so that
// jwt_secret is the key and not the tail of another word or of a comment.
func fromKey(before string) bool { return before == "" || strings.HasSuffix(before, "\n") }

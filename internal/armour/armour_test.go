package armour

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

// armoured is a block as the standard library writes it.
func armoured(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func TestABlockIsReadInEveryFraming(t *testing.T) {
	der := bytes.Repeat([]byte("key\xff\xfe\x00"), 20)
	plain := armoured("PUBLIC KEY", der)
	for name, text := range map[string]string{
		"as it is":                   plain,
		"no line end at the end":     strings.TrimSpace(plain),
		"CR LF":                      strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR alone":                   strings.ReplaceAll(plain, "\n", "\r"),
		`\n`:                         strings.ReplaceAll(plain, "\n", `\n`),
		`\r\n`:                       strings.ReplaceAll(plain, "\n", `\r\n`),
		`\n, quoted once more`:       strings.ReplaceAll(plain, "\n", `\\n`),
		`\n at the end of each line`: strings.ReplaceAll(plain, "\n", "\\n\n"),
		`a backslash goes on`:        strings.ReplaceAll(plain, "\n", "\\\n"),
		"blanks for line ends":       strings.ReplaceAll(plain, "\n", " "),
		"nothing for line ends":      strings.ReplaceAll(plain, "\n", ""),
		"leading blanks":             "   " + strings.ReplaceAll(plain, "\n", "\n  \t "),
		"blank lines":                "\n\n" + strings.ReplaceAll(plain, "\n", "\n\n"),
		"single quotes":              "'" + plain + "'",
		"a JSON value":               `{"key": "` + strings.ReplaceAll(plain, "\n", `\n`) + `"}`,
		"a .env line":                `KEY="` + strings.ReplaceAll(plain, "\n", `\n`) + `"` + "\n",
		"slashes written out":        strings.ReplaceAll(plain, "/", `\/`),
		"behind parameters":          armoured("EC PARAMETERS", []byte{6, 0}) + plain,
		"text around":                "Bag Attributes\n" + plain + "the end\n",
		"six dashes":                 "-" + plain,
	} {
		got, err := Blocks(text)
		if err != nil || len(got) != 1 || got[0].Label != "PUBLIC KEY" || got[0].Encrypted || !bytes.Equal(got[0].DER, der) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	got, err := Blocks(plain + "and\n" + armoured("CERTIFICATE", []byte{7}))
	if err != nil || len(got) != 2 || got[1].Label != "CERTIFICATE" || !bytes.Equal(got[1].DER, []byte{7}) {
		t.Errorf("two blocks: %v, %v", got, err)
	}
	if got, err := Blocks("no key here"); err != nil || got != nil {
		t.Errorf("no block: %v, %v", got, err)
	}
}

func TestAnEncryptedBlockIsKnownByItsLabelOrItsHeader(t *testing.T) {
	old := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	for _, text := range []string{armoured("ENCRYPTED PRIVATE KEY", []byte{1}), old, strings.ReplaceAll(old, "\n", " "), strings.ReplaceAll(old, "\n", `\n`)} {
		got, err := Blocks(text)
		if err != nil || len(got) != 1 || !got[0].Encrypted || got[0].DER != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestWhatIsWrongWithABlockIsSaidAndNotQuoted(t *testing.T) {
	plain := armoured("RSA PRIVATE KEY", bytes.Repeat([]byte("hunter"), 30))
	body := plain[strings.Index(plain, "\n"):strings.Index(plain, "-----END")]
	broken := strings.Replace(plain, body, body[:71]+"!"+body[72:], 1) // the 70th: two line ends stand before it
	for name, c := range map[string]struct{ text, want string }{
		"no END":              {strings.Replace(plain, "-----END RSA PRIVATE KEY-----", "", 1), "does not end: its END line is missing"},
		"END cut off":         {plain[:len(plain)-4], "does not end: its END line is missing or cut off"},
		"another begins":      {plain[:60] + "\n" + plain, "another begins before"},
		"END of another":      {strings.Replace(plain, "END RSA", "END", 1), "END line is of another kind"},
		"END in small":        {strings.Replace(plain, "END RSA", "End RSA", 1), "END line is damaged"},
		"BEGIN without end":   {strings.Replace(plain, "KEY-----\n", "KEY\n", 1), "BEGIN line is damaged"},
		"BEGIN with its body": {"-----BEGIN PRIVATE KEY MIIEABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF-----", "BEGIN line is damaged"},
		"BEGIN alone":         {"-----BEGIN ", "BEGIN line is damaged"},
		"nothing in it":       {strings.Replace(plain, body, "\n \\n", 1), "with nothing in it"},
		"a foreign character": {broken, "base64 is broken at character 70 of 240,"},
		"on one line":         {strings.ReplaceAll(broken, "\n", `\n`), "base64 is broken at character 70 of 240,"},
		"too short":           {strings.Replace(plain, body, body[:72], 1), "base64 is broken at character "},
		"text behind padding": {strings.Replace(plain, body, "QQ==QQ==", 1), "base64 is broken at character 5 of 8,"},
		"trailing bits":       {strings.Replace(plain, body, "QR==", 1), "base64 is broken at character "},
		"base64url":           {strings.Replace(plain, body, "QQ-_", 1), "base64 is broken at character 3 of 4,"},
		"a second one":        {plain + plain[:100], "does not end"},
	} {
		got, err := Blocks(c.text)
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, got, err, c.want)
		} else if strings.Contains(err.Error(), "aHVudGVy") || strings.Contains(err.Error(), "MIIE") {
			t.Errorf("%s: quoted in %v", name, err)
		}
	}
}

func FuzzABlockThatIsReadIsTheOneThatThePlainTextHolds(f *testing.F) {
	f.Add([]byte("a key"), " ", "'")
	f.Add(bytes.Repeat([]byte{0xff}, 100), `\r\n`, "")
	f.Add([]byte{0}, "\\\\n \t", `"`)
	f.Fuzz(func(t *testing.T, der []byte, end, around string) {
		if strings.Trim(strings.NewReplacer(`\n`, "", `\r`, "", `\t`, "").Replace(end), " \t\r\n\\") != "" || strings.Contains(around, "-") || len(der) == 0 {
			_, _ = Blocks(end + around)
			return
		}
		lines := "-----BEGIN X-----" + end
		for text := base64.StdEncoding.EncodeToString(der); text != ""; text = text[min(64, len(text)):] {
			lines += text[:min(64, len(text))] + end
		}
		// A backslash at the very end would take the first letter of the next line.
		if strings.HasSuffix(end, `\`) {
			return
		}
		got, err := Blocks(around + lines + "-----END X-----" + around)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].DER, der) {
			t.Errorf("%q: %v, %v", lines, got, err)
		}
	})
}

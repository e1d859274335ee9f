package cli

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// hostile are values that a shell would act upon if it were let.
var hostile = []string{
	"", " ", "a b", "'", "''", `'\''`, `"`, `\`, `\\`, `\'`, "`touch pwned`", "$(touch pwned)", "${IFS}", "$HOME", "; touch pwned", "& touch pwned",
	"| touch pwned", "> pwned", "a\nb", "a\n'; touch pwned #", "\ttab", "*", "?", "[a]", "{a,b}", "~", "#x", "!x", "!!", "=", "%", "^", "é ☃ \u202e",
	"‘", "’", "‛", "a'b\"c`d$e\\f", "--help", "-n", "\r", "\x1b[31m", "it's", "end\\",
}

// TestShellsReadBackWhatTheyAreGiven evaluates assignments in real shells, which
// must neither change a value nor act upon it.
func TestShellsReadBackWhatTheyAreGiven(t *testing.T) {
	for _, c := range []struct {
		shell, format string
		args          []string
		show          string
	}{
		{"bash", "shell", []string{"--norc", "-c"}, `printf %s "$ATS_AUTH_VALUE"`},
		{"bash", "export", []string{"--norc", "-c"}, `printenv ATS_AUTH_VALUE | head -c -1`},
		{"dash", "shell", []string{"-c"}, `printf %s "$ATS_AUTH_VALUE"`},
		{"dash", "export", []string{"-c"}, `printenv ATS_AUTH_VALUE | head -c -1`},
		{"zsh", "shell", []string{"-f", "-c"}, `printf %s "$ATS_AUTH_VALUE"`},
		{"zsh", "export", []string{"-f", "-c"}, `printenv ATS_AUTH_VALUE | head -c -1`},
		{"fish", "fish", []string{"--no-config", "-c"}, `printf %s "$ATS_AUTH_VALUE"`},
	} {
		t.Run(c.shell+" "+c.format, func(t *testing.T) {
			if _, err := exec.LookPath(c.shell); err != nil {
				t.Skipf("NOT TESTED, since %s is not installed", c.shell)
			}
			a := &app{flags: flags{format: c.format, prefix: "ATS_AUTH_"}}
			for _, value := range hostile {
				text, err := a.render(record{{"value", value}})
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				// The way that is documented: eval "$(ats-auth …)", where $() takes the last newline.
				script := "eval \"$GIVEN\"\n" + c.show
				if c.shell == "fish" {
					script = "printenv GIVEN | source\n" + c.show
				}
				cmd := exec.Command(c.shell, append(c.args, script)...)
				cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "GIVEN=" + strings.TrimSuffix(text, "\n"), "LANG=C.UTF-8"}
				got, err := cmd.Output()
				if err != nil {
					t.Errorf("%q: %v", value, err)
					continue
				}
				if string(got) != value {
					t.Errorf("%q was read back as %q from %s", value, got, text)
				}
				if out, _ := exec.Command("ls", dir).Output(); strings.Contains(string(out), "pwned") {
					t.Fatalf("%q was acted upon", value)
				}
			}
		})
	}
}

// TestCurlReadsBackWhatItIsGiven feeds -f curl to curl, which says what it would
// send.
func TestCurlReadsBackWhatItIsGiven(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("NOT TESTED, since curl is not installed")
	}
	for _, value := range []string{"eyJ.a.b", `a"b`, `a\b`, "a'b", "a b", "$(x)"} {
		a := &app{flags: flags{format: "curl"}}
		text, err := a.render(record{{"access_token", value}})
		if err != nil {
			t.Fatal(err)
		}
		got := sentByCurl(t, text)
		if want := "Bearer " + value; got != want {
			t.Errorf("%q: curl sends %q", value, got)
		}
	}
}

// sentByCurl returns the Authorization header of a request by that configuration.
func sentByCurl(t *testing.T, config string) string {
	t.Helper()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer server.Close()
	cmd := exec.Command("curl", "-sS", "-K", "-", server.URL)
	cmd.Stdin = strings.NewReader(config)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return <-got
}

func TestALifetimeIsSecondsOrATimeOrDays(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "3153600000": 3153600000, "5m": 300, "1h30m": 5400, "1d": 86400, "30d": 2592000, "36500d": 3153600000, "2w": 1209600,
		"": 0, "0": 0, "0d": 0, "d": 0, "-1d": 0, "1.5d": 0, "1d2h": 0, "d1": 0, "1D": 0, "1500ms": 0, "106751991167301d": 0, "9223372036854775807w": 0,
	} {
		var s seconds
		if err := s.Set(text); int64(s) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
}

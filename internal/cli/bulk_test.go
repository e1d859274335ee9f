package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const testSecret = "a secret that is long enough to be no weak one"

// tokens signs n distinct tokens with another library.
func tokens(tb testing.TB, n int) []string {
	tb.Helper()
	list := make([]string, n)
	for i := range list {
		t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": "ats.auth", "sub": fmt.Sprintf("user%06d", i), "iat": 1446564641.016732, "exp": 4102444800.016732, "jti": fmt.Sprintf("%054d", i),
		})
		raw, err := t.SignedString([]byte(testSecret))
		if err != nil {
			tb.Fatal(err)
		}
		list[i] = raw
	}
	return list
}

// verify runs `token verify -` over a stream.
func verify(tb testing.TB, in io.Reader, out io.Writer, args ...string) int {
	tb.Helper()
	return Run(context.Background(), Env{
		Args: append([]string{"ats-auth", "-q", "token", "verify", "-"}, args...), Stdin: in, Stdout: out, Stderr: io.Discard,
		LookupEnv: func(name string) (string, bool) {
			if name == "ATS_AUTH_JWT_SECRET" {
				return testSecret, true
			}
			return "", false
		},
		WorkDir: tb.TempDir(), HomeDir: tb.TempDir(), Now: time.Now, Interactive: func(any) bool { return false },
	})
}

type answer struct {
	Line    int
	Verdict string
	Code    int
	Sub     string
	Error   string
}

func answers(t *testing.T, out []byte) []answer {
	t.Helper()
	var list []answer
	for line := range bytes.Lines(out) {
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, a)
	}
	return list
}

func TestEveryLineIsAnsweredInOrderHoweverItArrives(t *testing.T) {
	const n = 3000
	var in strings.Builder
	for i, raw := range tokens(t, n) {
		switch i % 5 {
		case 0:
			in.WriteString("\n") // a blank line counts and is not answered
		case 1:
			raw = "Bearer " + raw + "\r"
		case 2:
			raw = `"` + raw + `"`
		}
		in.WriteString(raw + "\n")
	}
	text := strings.TrimSuffix(in.String(), "\n")
	for name, from := range map[string]io.Reader{
		"at once":      strings.NewReader(text),
		"halves":       iotest.HalfReader(strings.NewReader(text)),
		"with the end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		var out bytes.Buffer
		if code := verify(t, from, &out); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
		list := answers(t, out.Bytes())
		if len(list) != n {
			t.Fatalf("%s: %d answers", name, len(list))
		}
		for i, a := range list {
			if want := fmt.Sprintf("user%06d", i); a.Sub != want || a.Verdict != "ok" || a.Line != i+1+i/5+1 {
				t.Fatalf("%s: answer %d is %+v", name, i, a)
			}
		}
	}
}

func TestALineLongerThanAnyTokenIsOneRefusalAndTheRestGoesOn(t *testing.T) {
	good := tokens(t, 1)[0]
	long := strings.Repeat("a", 5<<20)
	var out bytes.Buffer
	code := verify(t, strings.NewReader(good+"\n"+long+"\n"+good+"\n"+long), &out)
	list := answers(t, out.Bytes())
	if code != exitNotGenuine || len(list) != 4 {
		t.Fatalf("exit code %d, %d answers", code, len(list))
	}
	for i, want := range []string{"ok", "not-genuine", "ok", "not-genuine"} {
		if list[i].Verdict != want || list[i].Line != i+1 {
			t.Errorf("answer %d is %+v", i, list[i])
		}
	}
}

func TestFailFastStopsBehindTheFirstBadToken(t *testing.T) {
	good := tokens(t, 1)[0]
	text := strings.Repeat(good+"\n", 5000) + "garbage\n" + strings.Repeat(good+"\n", 5000)
	var out bytes.Buffer
	if code := verify(t, strings.NewReader(text), &out, "--fail-fast"); code != exitNotGenuine {
		t.Errorf("exit code %d", code)
	}
	list := answers(t, out.Bytes())
	if len(list) != 5001 || list[5000].Verdict != "not-genuine" {
		t.Errorf("%d answers, the last %+v", len(list), list[len(list)-1])
	}
}

func TestATokenIsFoundInAMemberOfEachLine(t *testing.T) {
	good := tokens(t, 1)[0]
	text := `{"token":"` + good + `","path":"/"}` + "\n" + `{"path":"/"}` + "\n" + good + "\n"
	var out bytes.Buffer
	if code := verify(t, strings.NewReader(text), &out, "--field", "token"); code != exitNotGenuine {
		t.Errorf("exit code %d", code)
	}
	list := answers(t, out.Bytes())
	if len(list) != 3 || list[0].Verdict != "ok" || list[1].Error != `no string under "token"` || list[2].Verdict != "not-genuine" {
		t.Errorf("%+v", list)
	}
}

func TestAReaderThatGoesAwayEndsTheWork(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	endless := &repeat{block: []byte(tokens(t, 1)[0] + "\n"), left: 1 << 40}
	if code := verify(t, endless, w); code == 0 {
		t.Error("exit code 0")
	}
}

// repeat gives a block again and again.
type repeat struct {
	block []byte
	at    int
	left  int64
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.block[r.at:])
	n = int(min(int64(n), r.left))
	r.at = (r.at + n) % len(r.block)
	r.left -= int64(n)
	return n, nil
}

// TestMillionsOfLinesTakeNoMoreMemoryThanAFew runs 5 million lines through.
func TestMillionsOfLinesTakeNoMoreMemoryThanAFew(t *testing.T) {
	lines := int64(5_000_000)
	if testing.Short() {
		lines = 500_000
	}
	block := []byte(strings.Join(tokens(t, 10_000), "\n") + "\n")
	in := &repeat{block: block, left: lines / 10_000 * int64(len(block))}
	out := &counter{}
	if code := verify(t, in, out); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if out.lines != lines {
		t.Errorf("%d answers to %d lines", out.lines, lines)
	}
	const most = 64 << 20
	if out.peak > most {
		t.Errorf("%d MiB of heap in use at its peak, at most %d are expected", out.peak>>20, most>>20)
	}
	t.Logf("%d lines, %d MiB of heap in use at the peak", lines, out.peak>>20)
}

// counter counts lines, and looks at the heap now and then.
type counter struct {
	lines, writes int64
	peak          uint64
}

func (c *counter) Write(p []byte) (int, error) {
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	if c.writes++; c.writes%2000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapInuse)
	}
	return len(p), nil
}

// BenchmarkBulkVerify measures `token verify -` with distinct HS256 tokens
// against one goroutine of golang-jwt as documented, in one run.
func BenchmarkBulkVerify(b *testing.B) {
	list := tokens(b, 50_000)
	text := strings.Join(list, "\n") + "\n"
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		began := time.Now()
		if code := verify(b, strings.NewReader(text), io.Discard); code != 0 {
			b.Fatalf("exit code %d", code)
		}
		ours += time.Since(began)
		began = time.Now()
		for _, raw := range list[:5000] {
			_, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return []byte(testSecret), nil }, jwt.WithValidMethods([]string{"HS256"}))
			if err != nil {
				b.Fatal(err)
			}
		}
		theirs += time.Since(began) * 10
		n += len(list)
	}
	b.ReportMetric(float64(n)/ours.Seconds(), "tokens/s")
	b.ReportMetric(float64(n)/theirs.Seconds(), "golang-jwt/s")
	b.ReportMetric(float64(theirs)/float64(ours), "times-golang-jwt")
}

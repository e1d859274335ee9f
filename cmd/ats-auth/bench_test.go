package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkStartUp measures whole processes against a bare Go program that
// prints a line, taking turns, and reports medians and their ratios.
func BenchmarkStartUp(b *testing.B) {
	dir := b.TempDir()
	source := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"hello\\n\") }\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	hello, client := filepath.Join(dir, "hello"), filepath.Join(dir, "ats-auth")
	for out, what := range map[string]string{hello: source, client: "."} {
		// As the Makefile builds the client.
		build := exec.Command("go", "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", out, what)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, text)
		}
	}
	logInForBench(b, client, dir)
	contenders := []contender{
		{name: "hello", args: []string{hello}},
		{name: "version", args: []string{client, "version"}},
		{name: "verify", args: []string{client, "token", "verify", "-"}, stdin: seedToken + "\n", exit: 7},
		{name: "get", args: []string{client, "token", "get"}},
	}
	b.ResetTimer()
	for range b.N {
		for i := range contenders {
			contenders[i].run(b, dir)
		}
	}
	floor := median(contenders[0].took)
	b.ReportMetric(floor.Seconds()*1e3, "hello-ms")
	for _, c := range contenders[1:] {
		b.ReportMetric(median(c.took).Seconds()*1e3, c.name+"-ms")
		b.ReportMetric(float64(median(c.took))/float64(floor), c.name+"/hello")
	}
	if info, err := os.Stat(client); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
}

// logInForBench saves a login, so that there is a token in the cache.
func logInForBench(b *testing.B, client, dir string) {
	s := newRotator(time.Hour)
	b.Cleanup(s.Close)
	login := exec.Command(client, "login", "--url", s.URL, "--user", "marco", "--password-stdin")
	login.Dir, login.Env, login.Stdin = dir, []string{"HOME=" + dir}, strings.NewReader("s3cre7\n")
	if text, err := login.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
}

type contender struct {
	name  string
	args  []string
	stdin string
	exit  int
	took  []time.Duration
}

func (c *contender) run(b *testing.B, dir string) {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "ATS_AUTH_JWT_SECRET=ASDFFGGHJGLKJWELROISUFLDKJFLS"}
	cmd.Stdin = strings.NewReader(c.stdin)
	began := time.Now()
	_ = cmd.Run()
	c.took = append(c.took, time.Since(began))
	if cmd.ProcessState.ExitCode() != c.exit {
		b.Fatalf("%s: exit code %d", c.name, cmd.ProcessState.ExitCode())
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

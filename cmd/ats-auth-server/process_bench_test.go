//go:build linux

package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

const (
	allDoors = "ats, oauth2, tapis, ciphertrust, awx, wazo"
	million  = 1_000_000
)

// BenchmarkServer measures whole processes, in turns: how long from the start to the
// first answer that it is healthy, and the resident memory half a second later. bare is
// a Go program that answers over HTTP and does nothing else.
func BenchmarkServer(b *testing.B) {
	dir := b.TempDir()
	shipped := build(b, dir)
	empty, full := filepath.Join(dir, "empty"), filepath.Join(dir, "full")
	fill(b, full)
	fresh := 0
	contenders := []*contender{
		{name: "bare", make: func() *process { return &process{program: buildBare(b, dir)} }},
		{name: "first", make: func() *process {
			fresh++
			return &process{program: shipped, state: filepath.Join(dir, fmt.Sprint(fresh))}
		}},
		{name: "empty", make: func() *process { return &process{program: shipped, state: empty} }},
		{name: "six-doors", make: func() *process { return &process{program: shipped, state: empty, doors: allDoors} }},
		{name: "full", make: func() *process { return &process{program: shipped, state: full} }},
	}
	for _, c := range contenders[2:] { // what a first start makes is there
		p := c.make()
		p.start(b)
		p.stop()
	}
	for b.Loop() {
		for _, c := range contenders {
			p := c.make()
			c.ms = append(c.ms, p.start(b).Seconds()*1000)
			time.Sleep(500 * time.Millisecond)
			c.mb = append(c.mb, p.memory(b, "VmRSS"))
			p.stop()
		}
	}
	for _, c := range contenders {
		b.ReportMetric(median(c.ms), c.name+"-ms")
		b.ReportMetric(median(c.mb), c.name+"-MB")
	}
	b.ReportMetric(median(contenders[2].ms)/median(contenders[0].ms), "empty/bare")
	if info, err := os.Stat(shipped); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
	}
}

type contender struct {
	name   string
	make   func() *process
	ms, mb []float64
}

// BenchmarkServerOnADisk issues tokens of which nothing is stored and revokes them, over
// HTTP, by 64 clients in turns with one; on the disk as it is, and as if each flush of
// it took 2 ms longer. x-one is how many times as many revocations a second as by one.
func BenchmarkServerOnADisk(b *testing.B) {
	shipped := build(b, b.TempDir())
	for _, disk := range []struct {
		name string
		slow []string
	}{
		{name: "as-it-is"},
		{"2-ms-slower", []string{
			"strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_exit=2000",
		}},
	} {
		b.Run(disk.name, func(b *testing.B) {
			if disk.slow != nil && exec.Command(disk.slow[0], append(disk.slow[1:], "true")...).Run() != nil {
				b.Skip("SKIPPED, NOTHING WAS MEASURED: a slow disk takes strace, and the right to trace")
			}
			p := &process{program: shipped, state: b.TempDir(), wrapper: disk.slow}
			p.secret = p.application(b)
			p.start(b)
			defer p.stop()
			const most, few = 2000, 100
			var issued, revoked, alone, ratios []float64
			for b.Loop() {
				tokens := make([]string, most+few)
				issue := p.rate(b, 64, tokens, func(_ string, i int) { tokens[i] = p.token(b) })
				one := p.rate(b, 1, tokens[:few], func(token string, _ int) { p.revoke(b, token) })
				many := p.rate(b, 64, tokens[few:], func(token string, _ int) { p.revoke(b, token) })
				issued, revoked, alone, ratios = append(issued, issue), append(revoked, many), append(alone, one), append(ratios, many/one)
			}
			b.ReportMetric(median(issued), "tokens/s")
			b.ReportMetric(median(revoked), "revocations/s")
			b.ReportMetric(median(alone), "by-one/s")
			b.ReportMetric(median(ratios), "x-one")
			b.ReportMetric(p.memory(b, "VmHWM"), "MB")
		})
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// build builds the server as it is shipped.
func build(b *testing.B, dir string) (program string) {
	b.Helper()
	program = filepath.Join(dir, "ats-auth-server")
	if text, err := exec.Command("make", "-C", "../..", "BIN="+dir, program).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	return program
}

// buildBare builds, once, a program that says that it is healthy and knows nothing.
func buildBare(b *testing.B, dir string) (program string) {
	b.Helper()
	program = filepath.Join(dir, "bare")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	const source = `package main

import (
	"net/http"
	"os"
)

func main() {
	http.ListenAndServe(os.Getenv("ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) }))
}
`
	if err := os.WriteFile(program+".go", []byte(source), 0o600); err != nil {
		b.Fatal(err)
	}
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, program+".go")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	return program
}

// fill makes a store of a million logins and a million revocations.
func fill(b *testing.B, state string) {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(state, "store.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	begun, end := now.UnixMicro(), now.Add(30*24*time.Hour).UnixMicro()
	const batch = 5000
	for first := 0; first < million; first += batch {
		var rows []store.Command
		for i := first; i < first+batch; i++ {
			id := spread(i)
			rows = append(
				rows,
				store.CreateSession{Session: store.Session{
					ID: id, Accessor: fmt.Sprintf("%x", id), Tenant: store.DefaultTenant, Subject: fmt.Sprintf("user%05d", i/100), Door: "ats",
					CreatedAt: begun, LastUsedAt: begun, AccessTTL: 3600, ExpiresAt: end,
				}},
				store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: string(id[:]), At: begun, Until: end}},
			)
		}
		if err := s.Apply(b.Context(), rows...); err != nil {
			b.Fatal(err)
		}
	}
}

// spread is the n-th of a million IDs in order, which are made faster than any others.
func spread(n int) (id store.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*(math.MaxUint64/million))
	binary.BigEndian.PutUint64(id[8:], uint64(n+1))
	return id
}

// process is a server of its own.
type process struct {
	program, state, doors string
	wrapper               []string // what runs it; it must become the program
	cmd                   *exec.Cmd
	url, secret           string
	http                  http.Client
}

func (p *process) env(listen, admin string) []string {
	return []string{
		"HOME=" + p.state, "ATS_AUTH_SERVER_STORE_URL=sqlite:" + p.state + "/store.db", "ATS_AUTH_SERVER_SERVER_LISTEN=" + listen,
		"ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=" + admin, "ATS_AUTH_SERVER_SERVER_DIALECTS=" + cmp.Or(p.doors, "ats, oauth2"),
	}
}

// start starts it, and returns how long it takes until it is healthy.
func (p *process) start(b *testing.B) time.Duration {
	b.Helper()
	listen, admin := freeAddress(b), freeAddress(b)
	command := append(slices.Clone(p.wrapper), p.program)
	p.cmd, p.url = exec.Command(command[0], command[1:]...), "http://"+listen
	p.cmd.Env = append(p.env(listen, admin), "PATH="+os.Getenv("PATH"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.http = http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for time.Since(began) < 30*time.Second {
		// The port is open before the store is: the request waits for the answer.
		if answer, err := p.http.Get("http://" + admin + "/healthz"); err == nil {
			answer.Body.Close()
			return time.Since(began)
		}
		time.Sleep(200 * time.Microsecond)
	}
	b.Fatal("the server does not become healthy")
	return 0
}

func (p *process) stop() {
	p.http.CloseIdleConnections()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// freeAddress is one on which nobody listens at this moment.
func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// memory is a line of /proc/PID/status, in MB.
func (p *process) memory(b *testing.B, line string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + line + `:\s+(\d+) kB$`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("no %s in\n%s", line, text)
	}
	kb, _ := strconv.Atoi(string(found[1]))
	return float64(kb) * 1024 / 1e6
}

// application makes one that gets tokens for itself.
func (p *process) application(b *testing.B) (secret string) {
	b.Helper()
	c := exec.Command(p.program, "application", "add", "machine", "--client-id", "machine", "--grant", "client_credentials", "-f", "json")
	c.Env = p.env("127.0.0.1:0", "off")
	text, err := c.Output()
	var made struct {
		Secret string `json:"client_secret"`
	}
	if err != nil || json.Unmarshal(text, &made) != nil || made.Secret == "" {
		b.Fatalf("application add: %v %s", err, text)
	}
	return made.Secret
}

// rate has clients do something with each of a list, and returns how many a second.
func (p *process) rate(b *testing.B, clients int, list []string, do func(one string, i int)) float64 {
	b.Helper()
	began := time.Now()
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for i := c; i < len(list) && !b.Failed(); i += clients {
				do(list[i], i)
			}
		})
	}
	wait.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return float64(len(list)) / time.Since(began).Seconds()
}

func (p *process) token(b *testing.B) string {
	var set struct {
		Token string `json:"access_token"`
	}
	text := p.post(b, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}})
	if err := json.Unmarshal(text, &set); err != nil || set.Token == "" {
		b.Errorf("%v %s", err, text)
	}
	return set.Token
}

func (p *process) revoke(b *testing.B, token string) {
	p.post(b, "/oauth2/revoke", url.Values{"token": {token}})
}

func (p *process) post(b *testing.B, path string, form url.Values) []byte {
	form.Set("client_id", "machine")
	form.Set("client_secret", p.secret)
	answer, err := p.http.Post(p.url+path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		b.Error(err)
		return nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Errorf("%s: %s %s %v", path, answer.Status, text, err)
	}
	return text
}

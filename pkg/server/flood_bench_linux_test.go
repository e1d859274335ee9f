package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// BenchmarkFlood lets a thousand attackers at a server, in a process of its own as it
// is installed, and compares the p99 of a calm client's checks and refreshes with that
// of quiet turns in the same run.
func BenchmarkFlood(b *testing.B) {
	binary := buildProgram(b)
	for _, c := range assaults() {
		b.Run(c.name, func(b *testing.B) {
			s := besiege(b, binary, c.tls)
			u := newUsual(b, s)
			var idle, flooded usage
			for b.Loop() {
				for range 3 {
					idle.add(u.turn(b))
					end := s.siege(b, c)
					time.Sleep(200 * time.Millisecond)
					flooded.add(u.turn(b))
					end()
					time.Sleep(200 * time.Millisecond)
				}
			}
			idle.report(b, "idle", nil)
			flooded.report(b, "flood", &idle)
			b.ReportMetric(s.peak(b), "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFloodLogins compares how many right passwords of a thousand waiting clients
// are taken with how many can be hashed on all cores by nothing but the hash.
func BenchmarkFloodLogins(b *testing.B) {
	s := besiege(b, buildProgram(b), false)
	const turn = 3 * time.Second
	var possible, reached []float64
	for b.Loop() {
		for range 3 {
			possible = append(possible, bareHashes(turn))
			end := s.siege(b, logins())
			time.Sleep(200 * time.Millisecond)
			before, began := s.hashes(b), time.Now()
			time.Sleep(turn)
			reached = append(reached, (s.hashes(b)-before)/time.Since(began).Seconds())
			end()
			time.Sleep(200 * time.Millisecond)
		}
	}
	b.ReportMetric(median(reached), "logins/s")
	b.ReportMetric(median(possible), "hashes/s")
	b.ReportMetric(median(reached)/median(possible), "logins/hashes")
	b.ReportMetric(s.peak(b), "peak-MB")
	b.ReportMetric(0, "ns/op")
}

// bareHashes is how many passwords are hashed in a second, one a core at once.
func bareHashes(during time.Duration) float64 {
	var mu sync.Mutex
	var rate float64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			n, began := 0, time.Now()
			for ; time.Since(began) < during; n++ {
				argon2.IDKey([]byte(testPassword), make([]byte, 16), 2, 19<<10, 1, 32)
			}
			mu.Lock()
			defer mu.Unlock()
			rate += float64(n) / time.Since(began).Seconds()
		})
	}
	all.Wait()
	return rate
}

// usual is a client that does what clients do: it checks a token and refreshes a login.
type usual struct {
	check, refresh *caller
	access, grown  string // tokens
}

func newUsual(b *testing.B, s *besieged) *usual {
	b.Helper()
	u := &usual{}
	for _, c := range []**caller{&u.check, &u.refresh} {
		made, err := s.call(b.Context(), net.IPv4(127, 0, 0, 1))
		if err != nil {
			b.Fatal(err)
		}
		*c = s.secure(made)
		b.Cleanup((*c).close)
	}
	if err := u.take(message("/user/login", "Content-Type: application/json\r\n", `{"username":"calm","password":"`+testPassword+`","refresh":true}`)); err != nil {
		b.Fatal(err)
	}
	return u
}

// take asks for tokens.
func (u *usual) take(request string) error {
	status, body, err := u.refresh.ask(request)
	if err != nil {
		return err
	}
	var set struct {
		Access  string `json:"token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &set); err != nil || status != http.StatusOK || set.Access == "" || set.Refresh == "" {
		return fmt.Errorf("answer %d %s", status, body)
	}
	u.access, u.grown = set.Access, set.Refresh
	return nil
}

// usage is how long checks and refreshes took.
type usage struct{ checks, refreshes []time.Duration }

func (u *usage) add(more usage) {
	u.checks = append(u.checks, more.checks...)
	u.refreshes = append(u.refreshes, more.refreshes...)
}

func (u *usage) report(b *testing.B, when string, floor *usage) {
	b.ReportMetric(p99(u.checks).Seconds()*1000, "check-"+when+"-p99-ms")
	b.ReportMetric(p99(u.refreshes).Seconds()*1000, "refresh-"+when+"-p99-ms")
	if floor != nil {
		b.ReportMetric(float64(p99(u.checks))/float64(p99(floor.checks)), "check-p99-x")
		b.ReportMetric(float64(p99(u.refreshes))/float64(p99(floor.refreshes)), "refresh-p99-x")
	}
}

func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*99/100]
}

const (
	turnOfUsual  = 2 * time.Second
	checkEvery   = 2 * time.Millisecond
	refreshEvery = 10 * time.Millisecond
)

// turn is a while of the usual: checks and refreshes side by side.
func (u *usual) turn(b *testing.B) (all usage) {
	b.Helper()
	access := u.access
	var both sync.WaitGroup
	both.Go(func() {
		all.checks = paced(b, checkEvery, func() error {
			status, body, err := u.check.ask(message("/user/check", "Authorization: Bearer "+access+"\r\n", ""))
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("answer %d %s", status, body)
			}
			return err
		})
	})
	both.Go(func() {
		all.refreshes = paced(b, refreshEvery, func() error {
			return u.take(message("/user/refresh", "Content-Type: application/json\r\n", `{"refresh_token":"`+u.grown+`"}`))
		})
	})
	both.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return all
}

// paced does something at a steady pace. What would have been asked while an answer was
// awaited counts as if it had been, and had waited for the rest of that time.
func paced(b *testing.B, every time.Duration, do func() error) (took []time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(turnOfUsual); time.Now().Before(end); <-tick.C {
		began := time.Now()
		if err := do(); err != nil {
			b.Error(err)
			return took
		}
		for late := time.Since(began); late > 0; late -= every {
			took = append(took, late)
		}
	}
	return took
}

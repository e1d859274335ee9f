package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// book is what a run has done, and what was found wrong with it.
type book struct {
	dir string // for the histories of violations
	mu  sync.Mutex

	answers    map[string][]time.Duration // how long the good and void ones took, by what was asked
	unanswered map[string]int
	lags       []time.Duration // from an answered end of a login to the refusal at another server
	accidents  map[string]int
	ends       map[string]int
	judged     struct{ logins, deeds, undecided int }
	asked      struct{ ended, alive int } // questions about logins that are over, and that are not
	violations map[string]int
	first      []string
	closed     []*login
}

func newBook(dir string) *book {
	return &book{
		dir: dir, answers: map[string][]time.Duration{}, unanswered: map[string]int{}, accidents: map[string]int{},
		ends: map[string]int{}, violations: map[string]int{},
	}
}

func (b *book) count(into map[string]int, what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	into[what]++
}

func (b *book) answered(what string, a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch a.verdict {
	case good, void:
		b.answers[what] = append(b.answers[what], a.returned-a.called)
	case absurd:
	default:
		b.unanswered[what]++
	}
}

func (b *book) lag(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lags = append(b.lags, d)
}

// violate notes what was not to happen, with the history of the login.
func (b *book) violate(l *login, kind, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.violations[kind]++
	if len(b.first) >= 20 {
		return
	}
	text := kind + ": " + fmt.Sprintf(format, args...)
	if l != nil {
		text += "; " + b.write(l, text)
	}
	b.first = append(b.first, text)
}

// write leaves the history of a login in a file of its own, and gives its name.
func (b *book) write(l *login, why string) string {
	name := filepath.Join(b.dir, fmt.Sprintf("history%d.jsonl", len(b.first)+1))
	var text strings.Builder
	out := json.NewEncoder(&text)
	_ = out.Encode(map[string]string{"user": l.account.name, "violation": why})
	history := l.history()
	slices.SortFunc(history, func(a, b deed) int { return int(a.Called - b.Called) })
	for _, d := range history {
		_ = out.Encode(d)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		return err.Error()
	}
	return name
}

// close holds the history of a login against the promise, when nothing is done with it
// any more, and keeps it for the questions of the end.
func (b *book) close(l *login, stale time.Duration) {
	history := l.history()
	result := holds(history, stale)
	if result == porcupine.Illegal {
		b.violate(l, "no order", "no order of %d deeds explains their answers", len(history))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.judged.logins++
	b.judged.deeds += len(history)
	if result == porcupine.Unknown {
		b.judged.undecided++
	}
	b.closed = append(b.closed, l)
	l.forget()
}

// over gives those that are over, not more than the newest n of them and as many others.
func (b *book) over(rng *rand.Rand, n int) (all []*login) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.closed {
		if l.over() {
			all = append(all, l)
		}
	}
	newest := max(0, len(all)-n)
	some := slices.Clone(all[newest:])
	for range min(n, newest) {
		some = append(some, all[rng.IntN(newest)])
	}
	return some
}

func (b *book) broken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.violations) > 0
}

// report is for people.
func (b *book) report(w io.Writer, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(w, "%-12s %9s %9s %10s %9s %9s\n", "asked for", "answered", "a second", "unanswered", "p50", "p99")
	for _, what := range []string{"login", "check", "refresh", "revoke", "revoke-all"} {
		times := b.answers[what]
		fmt.Fprintf(w, "%-12s %9d %9.1f %10d %9s %9s\n", what, len(times), float64(len(times))/took.Seconds(),
			b.unanswered[what], quantile(times, 50), quantile(times, 99))
	}
	fmt.Fprintf(w, "accidents    %s\n", list(b.accidents))
	fmt.Fprintf(w, "ends         %s\n", list(b.ends))
	fmt.Fprintf(w, "revocation   seen by the other servers after p50 %s, p99 %s, longest %s, %d times\n",
		quantile(b.lags, 50), quantile(b.lags, 99), quantile(b.lags, 100), len(b.lags))
	fmt.Fprintf(w, "histories    %d logins, %d deeds, %d undecided\n", b.judged.logins, b.judged.deeds, b.judged.undecided)
	fmt.Fprintf(w, "asked again  %d times about logins that are over, %d about others\n", b.asked.ended, b.asked.alive)
	fmt.Fprintf(w, "violations   %s\n", list(b.violations))
	for _, text := range b.first {
		fmt.Fprintln(w, "  "+text)
	}
}

func quantile(times []time.Duration, percent int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)*percent/100].Round(10 * time.Microsecond)
}

func list(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var all []string
	for name, n := range counts {
		all = append(all, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

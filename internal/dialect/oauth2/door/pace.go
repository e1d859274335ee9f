package door

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// pace bounds how often one source has something stored that it need not prove
// itself for: a device's login begins with a public name.
type pace struct {
	mu      sync.Mutex
	sources map[string]*rate.Limiter
}

const (
	paceEvery   = time.Second // one a second
	paceBurst   = 60          // and so many at once
	paceSources = 10_000      // remembered at most; then those that have rested are forgotten
)

// allow refuses a source that is too quick: ErrThrottled.
func (p *pace) allow(source string, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.sources[source]
	if l == nil {
		if len(p.sources) >= paceSources || p.sources == nil {
			p.forget(now)
		}
		l = rate.NewLimiter(rate.Every(paceEvery), paceBurst)
		p.sources[source] = l
	}
	if !l.AllowN(now, 1) {
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many devices at once", RetryAfter: paceEvery}
	}
	return nil
}

// forget keeps those who have asked lately, half of the room at most.
func (p *pace) forget(now time.Time) {
	kept := map[string]*rate.Limiter{}
	for source, l := range p.sources {
		if l.TokensAt(now) < paceBurst && len(kept) < paceSources/2 {
			kept[source] = l
		}
	}
	p.sources = kept
}

package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// KeySource supplies the keys to verify with. It is asked for every token, so
// an answer is normally one that is held already. It must be safe for concurrent
// use.
type KeySource interface {
	// KeySet returns the keys in force. The very same set is returned for as long
	// as nothing has changed. A non-nil lacking is a set in which a token's kid was
	// not found: then newer keys are looked for, if the source has not done so too
	// recently. The error is a token.ErrUnavailable.
	KeySet(ctx context.Context, lacking *KeySet) (*KeySet, error)
}

// KeySet makes a set a KeySource that never changes.
func (s *KeySet) KeySet(context.Context, *KeySet) (*KeySet, error) { return s, nil }

// SourceConfig says where keys are: exactly one of File, URL and Issuer.
type SourceConfig struct {
	// File holds keys as ParseKeys reads them.
	File string
	// URL answers with a JWK set or PEM. https, or http to this machine.
	URL string
	// Issuer is asked for its metadata, by OpenID Connect Discovery or RFC 8414,
	// which must name the very same issuer, and the set they point at is used.
	// Verifiers then accept no other iss.
	Issuer string
	// Refresh is the age at which keys are looked for again, in the background.
	// Default 5 minutes, of a File 5 seconds.
	Refresh time.Duration
	// MinInterval is the least time between two looks, whatever kids tokens name.
	// Default 10 seconds, of a File 1 second.
	MinInterval time.Duration
	// MaxStale is how long the last keys are used when no newer ones can be had.
	// Default 24 hours. Danger: so long a key that was withdrawn may live on.
	MaxStale time.Duration
	// Client makes the requests; its redirect policy is replaced. Default: one of
	// the source's own, which gives an answer 10 seconds.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Source is a KeySource that holds the keys of a file, a URL or an issuer and
// keeps them fresh. Nothing is read before the first token. Close it.
type Source struct {
	SourceConfig
	ownClient bool
	read      func(context.Context) ([]byte, error)
	state     atomic.Pointer[held]
	ctx       context.Context
	cancel    context.CancelFunc
	wait      sync.WaitGroup

	mu     sync.Mutex
	flight chan struct{} // closed when the look under way is over; nil: none is
	tried  time.Time
	err    error // of the last look
}

// held is the keys of the last look that found some.
type held struct {
	text []byte
	set  *KeySet
	at   time.Time
}

// NewSource makes a Source. Errors name the field that is wrong.
func NewSource(c SourceConfig) (*Source, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	refresh, interval := 5*time.Minute, 10*time.Second
	if c.File != "" {
		refresh, interval = 5*time.Second, time.Second
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.Refresh, refresh}, {&c.MinInterval, interval}, {&c.MaxStale, 24 * time.Hour}} {
		if *d.value < 0 {
			return nil, fmt.Errorf("a negative duration: %s", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	s := &Source{SourceConfig: c}
	if err := s.choose(); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// choose finds out how keys are read.
func (s *Source) choose() error {
	given := 0
	for _, where := range []string{s.File, s.URL, s.Issuer} {
		if where != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("a source of keys is one of a file, a URL and an issuer")
	}
	if s.File != "" {
		s.read = s.readFile
		return nil
	}
	s.ownClient = s.Client == nil
	s.Client = guarded(s.Client)
	s.read = s.readURL
	if s.Issuer != "" {
		s.read = s.readIssuer
	}
	_, err := allowed(s.URL + s.Issuer)
	return err
}

// Close ends what is under way and waits for it. The keys that are held go on
// being used until they are MaxStale.
func (s *Source) Close() {
	s.mu.Lock() // a look either has begun or sees that it must not
	s.cancel()
	s.mu.Unlock()
	s.wait.Wait()
	if s.ownClient {
		s.Client.CloseIdleConnections()
	}
}

// KeySet is described at KeySource. It waits for the first keys, and for newer
// ones where a kid is lacking, no longer than ctx lasts.
func (s *Source) KeySet(ctx context.Context, lacking *KeySet) (*KeySet, error) {
	now := s.Now()
	have := s.state.Load()
	if have.usable(now, s.MaxStale) && have.set != lacking {
		if now.Sub(have.at) >= s.Refresh {
			s.look(now)
		}
		return have.set, nil
	}
	if landed := s.look(now); landed != nil {
		select {
		case <-landed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", token.ErrUnavailable, ctx.Err())
		}
	}
	if have = s.state.Load(); have.usable(now, s.MaxStale) {
		return have.set, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, &token.Refusal{
		Kind: token.ErrUnavailable, Reason: fmt.Sprintf("no keys to verify with: %v", s.err),
		RetryAfter: max(0, s.tried.Add(s.MinInterval).Sub(now)),
	}
}

func (h *held) usable(now time.Time, most time.Duration) bool {
	return h != nil && now.Sub(h.at) < most
}

// look starts a look for keys, or joins the one under way; nil when the last
// was too recent.
func (s *Source) look(now time.Time) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
	}
	if s.ctx.Err() != nil || !s.tried.IsZero() && now.Sub(s.tried) < s.MinInterval {
		return nil
	}
	landed := make(chan struct{})
	s.flight, s.tried = landed, now
	s.wait.Go(func() {
		err := s.renew(now)
		s.mu.Lock()
		s.flight, s.err = nil, err
		s.mu.Unlock()
		close(landed)
	})
	return landed
}

// renew reads the keys; where nothing has changed the set stays the same one.
func (s *Source) renew(now time.Time) error {
	text, err := s.read(s.ctx)
	if err != nil {
		return err
	}
	have := s.state.Load()
	if have != nil && bytes.Equal(have.text, text) {
		s.state.Store(&held{text, have.set, now})
		return nil
	}
	keys, err := ParseKeys(text)
	if err == nil && s.File == "" {
		keys, err = published(keys)
	}
	if err != nil {
		return err
	}
	set, err := NewKeySet(keys...)
	if err == nil {
		s.state.Store(&held{text, set, now})
	}
	return err
}

// published leaves out what is no secret any more once it has been published.
func published(keys []Key) ([]Key, error) {
	var public []Key
	for _, k := range keys {
		if k.Secret.IsZero() && !k.private {
			public = append(public, k)
		}
	}
	if len(public) == 0 {
		return nil, errors.New("the set holds only secret keys, which have been published by that")
	}
	return public, nil
}

// bindKeys makes a source of the keys that were given as they are.
func (c *Config) bindKeys() error {
	if c.Source == nil && len(c.Keys) == 0 && c.Check != nil {
		return nil // every token is for the Checker
	}
	if c.Source == nil {
		set, err := NewKeySet(c.Keys...)
		if err != nil {
			return err
		}
		c.Source = set
		if !c.AllowWeakKeys {
			return set.strong()
		}
		return nil
	}
	if len(c.Keys) > 0 {
		return errors.New("both keys and a source of keys")
	}
	if s, ok := c.Source.(*Source); ok && s.Issuer != "" {
		if c.Issuer != "" && c.Issuer != s.Issuer {
			return fmt.Errorf("issuer %q, and keys of the issuer %q", c.Issuer, s.Issuer)
		}
		c.Issuer = s.Issuer
	}
	return nil
}

package verifier

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// FeedPath is where an ats-auth-server offers its feed, below its URL.
const FeedPath = "/v1/revocations"

// FeedType is the typ of the feed's answers (RFC 7515 section 4.1.9): no token has it.
const FeedType = "revocations+jwt"

// MaxFeedAnswer is how long an answer of a feed may be that is a page of a snapshot,
// in bytes. Others may have 1 MiB.
const MaxFeedAnswer = 16 << 20

const (
	maxFeedAnswer = 1 << 20
	feedWait      = 400 * time.Millisecond // well below a StaleAfter of a second
)

// HTTPFeedConfig says where a feed is.
type HTTPFeedConfig struct {
	// URL is the server's, as it names itself: the iss of its oauth2 door. The feed is
	// below it, at FeedPath. https, or http to this machine. Required.
	URL string
	// Tenant is the one whose revocations the server is to tell. Default: "default".
	// Danger: subjects of another one have other names, so a feed of another is
	// refused.
	Tenant string
	// Source is the keys that sign the answers. Default: those that the server
	// publishes.
	Source KeySource
	// Token gives an access token with the scope "revocations", got by client
	// credentials. It is asked when there is none yet, and when the server refuses the
	// last. Required.
	Token func(context.Context) (string, error)
	// Wait is how long the server is asked to wait for facts. It must be well below the
	// Follower's StaleAfter. Default 400 ms.
	Wait time.Duration
	// Client makes the requests; redirects are not followed. Default: one of the
	// feed's own.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// HTTPFeed is the feed of an ats-auth-server. It is for one Follower. Close it.
type HTTPFeed struct {
	HTTPFeedConfig
	judge  *Verifier
	own    *Source // nil: Source was given
	idle   func()  // closes the connections that are the feed's own
	token  string
	next   string // the cursor behind the last answer
	asOf   time.Time
	caught bool // up, by the last answer
	anew   bool // it was begun anew, and has not caught up since
}

// NewHTTPFeed makes an HTTPFeed, which asks nobody yet. Errors name the field that is
// wrong.
func NewHTTPFeed(c HTTPFeedConfig) (*HTTPFeed, error) {
	c.URL = strings.TrimSuffix(c.URL, "/")
	if _, err := allowed(c.URL); err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(c.URL, "?"):
		return nil, errors.New("the URL of a feed has no query")
	case c.Token == nil:
		return nil, errors.New("a feed needs a token")
	case c.Wait < 0:
		return nil, fmt.Errorf("a feed that waits %s", c.Wait)
	case c.Wait == 0:
		c.Wait = feedWait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tenant == "" {
		c.Tenant = "default"
	}
	f := &HTTPFeed{HTTPFeedConfig: c, idle: func() {}}
	var err error
	if c.Source == nil {
		if f.own, err = NewSource(SourceConfig{Issuer: c.URL, Client: c.Client, Now: c.Now}); err != nil {
			return nil, err
		}
		f.Source = f.own
	}
	f.Client = guarded(c.Client)
	f.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Client == nil {
		f.idle = f.Client.CloseIdleConnections
	}
	f.Client.Timeout = 0 // each request has its own
	f.judge, err = New(Config{Source: f.Source, Issuer: c.URL, Types: []string{FeedType}, Now: c.Now})
	return f, err
}

// Close lets the keys and idle connections go.
func (f *HTTPFeed) Close() {
	if f.own != nil {
		f.own.Close()
	}
	f.idle()
}

// AsOf is described at Dated: how old the server's view was when it answered, by its
// own clock, counted from the request by this one. So it makes no difference how the
// two are set, nor how long an answer was on its way.
func (f *HTTPFeed) AsOf() (time.Time, bool) { return f.asOf, f.caught }

// Next is described at Feed. It takes one page; it waits only where the last one
// was the end. An answer that is not the server's, or not to this very request, is
// an error, and nothing of it is taken. A cursor that the server does not know, since
// its store was put back, leads to the beginning.
func (f *HTTPFeed) Next(ctx context.Context, cursor string, into *Revocations) (string, error) {
	wait, most := f.Wait, int64(maxFeedAnswer)
	if !f.caught {
		wait, most = 0, MaxFeedAnswer
	}
	f.caught = false
	nonce := rand.Text()
	ask := url.Values{"after": {cursor}, "wait": {wait.String()}, "nonce": {nonce}, "snapshot": {"1"}}
	began := f.Now()
	text, status, err := f.get(ctx, wait, f.URL+FeedPath+"?"+ask.Encode(), most)
	if status == http.StatusGone && cursor != "" && !f.anew {
		f.anew = true
		return "", nil
	}
	f.anew = f.anew && err == nil
	if err == nil {
		err = f.take(ctx, text, began, cursor, nonce, into)
	}
	if err != nil {
		return cursor, fmt.Errorf("the feed of %s: %w", f.URL, err)
	}
	return f.next, nil
}

// take adds what an answer holds. That it is not believed says nothing about any
// token.
func (f *HTTPFeed) take(ctx context.Context, text string, began time.Time, cursor, nonce string, into *Revocations) error {
	page, err := f.open(ctx, text)
	if err == nil {
		err = page.answers(f.Tenant, cursor, nonce)
	}
	if err == nil && !page.snapshot && len(text) > maxFeedAnswer {
		err = tooLong(maxFeedAnswer)
	}
	if err == nil {
		err = page.addTo(into)
	}
	if err != nil {
		return token.Refuse(token.ErrUnavailable, "its answer is not believed: %v", err)
	}
	f.next, f.caught = page.next, !page.more
	f.asOf = began.Add(min(page.seen, f.Now().Sub(began)))
	f.anew = f.anew && page.more
	return nil
}

// get asks once more with another token where the last was refused.
func (f *HTTPFeed) get(ctx context.Context, wait time.Duration, from string, most int64) (text string, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait+answerTime)
	defer cancel()
	had := f.token != ""
	if text, status, err = f.getOnce(ctx, from, most); status == http.StatusUnauthorized {
		if f.token = ""; had {
			text, status, err = f.getOnce(ctx, from, most)
		}
	}
	return text, status, err
}

func (f *HTTPFeed) getOnce(ctx context.Context, from string, most int64) (string, int, error) {
	if f.token == "" {
		raw, err := f.Token(ctx)
		if err != nil {
			return "", 0, fmt.Errorf("no token for it: %w", err)
		}
		f.token = raw
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", 0, err
	}
	r.Header.Set("Authorization", "Bearer "+f.token)
	r.Header.Set("Accept", "application/"+FeedType)
	answer, err := f.Client.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it quotes the whole URL
			err = wrapped.Err
		}
		return "", 0, fmt.Errorf("%w: %w", token.ErrUnavailable, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return "", answer.StatusCode, token.Refuse(token.ErrDenied, "the server answers %s", answer.Status)
	default:
		return "", answer.StatusCode, token.Refuse(token.ErrUnavailable, "the server answers %s", answer.Status)
	}
	text, err := readAnswer(answer, most)
	if err != nil {
		err = token.Refuse(token.ErrUnavailable, "its answer breaks off: %v", err)
	}
	return text, answer.StatusCode, err
}

// readAnswer reads a body. One that is far too long is refused before it is read.
func readAnswer(answer *http.Response, most int64) (string, error) {
	if answer.ContentLength > most {
		return "", tooLong(most)
	}
	var b strings.Builder
	b.Grow(int(max(0, answer.ContentLength)))
	n, err := io.Copy(&b, io.LimitReader(answer.Body, most+1))
	if err == nil && n > most {
		err = tooLong(most)
	}
	return b.String(), err
}

func tooLong(most int64) error { return fmt.Errorf("more than %d bytes", most) }

// open judges the signature of an answer, and reads it.
func (f *HTTPFeed) open(ctx context.Context, raw string) (*feedPage, error) {
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	if first == last || first > token.MaxHeaderLength {
		return nil, token.Refuse(token.ErrMalformed, "the answer is no JWS")
	}
	set, err := f.judge.source.KeySet(ctx, nil)
	if err != nil {
		return nil, err
	}
	signers, _, err := f.judge.judgeHeader(ctx, raw[:first], set)
	if err != nil {
		return nil, err
	}
	signature, err := token.AppendSegment(nil, raw[last+1:])
	if err != nil {
		return nil, err
	}
	if !signed(signers, raw[:last], signature) {
		return nil, token.Refuse(token.ErrSignature, "the answer is not signed by the server")
	}
	payload, err := token.AppendSegment(make([]byte, 0, (last-first)/4*3+2), raw[first+1:last])
	if err != nil {
		return nil, err
	}
	page, err := parseFeedPage(string(payload))
	if err == nil && page.issuer != f.URL {
		err = &token.ClaimError{Claim: "iss", Kind: token.ErrClaims, Reason: fmt.Sprintf("the answer is of %q", clip(page.issuer))}
	}
	return page, err
}

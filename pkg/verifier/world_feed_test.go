package verifier

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// feedHeader is that of a feed whose server signs with the strong secret.
const feedHeader = `{"alg":"HS256","typ":"revocations+jwt"}`

// fakeFeed is a server of a feed. Its answers say what a test wants them to.
type fakeFeed struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	asked  int
}

func newFakeFeed(t testing.TB) *fakeFeed {
	f := &fakeFeed{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		answer := f.answer
		f.asked++
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeFeed) answers(answer func(http.ResponseWriter, *http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// page is the payload of an honest answer to a request.
func (f *fakeFeed) page(r *http.Request, next, facts string) string {
	q := r.URL.Query()
	return fmt.Sprintf(`{"iss":%q,"tenant":"default","iat":1.5,"after":%q,"nonce":%q,"seen":-20000,"next":%q,"head":9,"more":false,"facts":[%s]}`,
		f.URL, q.Get("after"), q.Get("nonce"), next, facts)
}

// says has the server answer with one page.
func (f *fakeFeed) says(next, facts string) {
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(forged(feedHeader, f.page(r, next, facts))))
	})
}

func (f *fakeFeed) feed(t testing.TB, change ...func(*HTTPFeedConfig)) *HTTPFeed {
	t.Helper()
	set, err := NewKeySet(strongKey())
	if err != nil {
		t.Fatal(err)
	}
	c := HTTPFeedConfig{
		URL: f.URL, Source: set, Now: clock,
		Token: func(context.Context) (string, error) { return "the-token", nil },
	}
	for _, change := range change {
		change(&c)
	}
	feed, err := NewHTTPFeed(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Close)
	return feed
}

// factText is a fact as the wire has it.
func factText(kind FactKind, key string, at, until int64) string {
	return fmt.Sprintf(`["%s","%s",%d,%d]`, kind, base64.RawURLEncoding.EncodeToString([]byte(key)), at, until)
}

const sixteen = "0123456789abcdef"

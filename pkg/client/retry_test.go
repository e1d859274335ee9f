package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// patiently makes a client that counts its waits instead of waiting.
func patiently(t *testing.T, url string, waits *[]time.Duration) *Client {
	t.Helper()
	c := Config{URL: url}
	u, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	courier, err := newCourier(c, u)
	if err != nil {
		t.Fatal(err)
	}
	courier.wait = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return &Client{speaker: ats.NewClient(courier.carry), url: u}
}

func TestAServerThatAsksToWaitIsAskedAtMostTwiceMore(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		good       int // the try that succeeds; 0: none
		tries      int
		waits      string
		kind       error
		told       time.Duration
	}{
		{429, "2", 0, 3, "[2s 2s]", token.ErrThrottled, 2 * time.Second},
		{503, "5", 0, 3, "[5s 5s]", token.ErrUnavailable, 5 * time.Second},
		{429, "1", 2, 2, "[1s]", nil, 0},
		{503, "1", 3, 3, "[1s 1s]", nil, 0},
		{429, "6", 0, 1, "[]", token.ErrThrottled, 6 * time.Second},
		{429, "", 0, 1, "[]", token.ErrThrottled, 0},
		{503, "0", 0, 1, "[]", token.ErrUnavailable, 0},
		{503, "-1", 0, 1, "[]", token.ErrUnavailable, 0},
		{429, "99999999999999999999", 0, 1, "[]", token.ErrThrottled, 0},
		{429, "Wed, 21 Oct 2015 07:28:00 GMT", 0, 1, "[]", token.ErrThrottled, 0},
		{500, "1", 0, 1, "[]", token.ErrUnavailable, time.Second},
		{401, "1", 0, 1, "[]", token.ErrCredentials, 0},
	} {
		name := fmt.Sprintf("%d, Retry-After %q", c.status, c.retryAfter)
		tries := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tries++
			if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), password) {
				t.Errorf("%s: try %d sent %s", name, tries, body)
			}
			if tries == c.good {
				fmt.Fprintf(w, `{"token":%q}`, jwt)
				return
			}
			w.Header().Set("Retry-After", c.retryAfter)
			w.WriteHeader(c.status)
		}))
		waits := []time.Duration{}
		_, err := patiently(t, s.URL, &waits).Login(t.Context(), marco(), token.Request{})
		s.Close()
		if !errors.Is(err, c.kind) || tries != c.tries || fmt.Sprint(waits) != c.waits {
			t.Errorf("%s: %v after %d tries and waits of %v, want %v after %d and %s", name, err, tries, waits, c.kind, c.tries, c.waits)
		}
		var refusal *token.Refusal
		if errors.As(err, &refusal) && refusal.RetryAfter != c.told {
			t.Errorf("%s: told to wait %v, want %v", name, refusal.RetryAfter, c.told)
		}
	}
}

func TestWaitingEndsWhenInterrupted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	_, err := newClient(t, Config{URL: s.URL}).Login(ctx, marco(), token.Request{})
	if !errors.Is(err, context.Canceled) || time.Since(began) > 4*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

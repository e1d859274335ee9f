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

// courierOf makes a courier that counts its waits instead of waiting.
func courierOf(t *testing.T, address string, waits *[]time.Duration) *courier {
	t.Helper()
	u, err := parseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	courier, err := newCourier(Config{URL: address}, u)
	if err != nil {
		t.Fatal(err)
	}
	courier.wait = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return courier
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
		_, err := ats.NewClient(courierOf(t, s.URL, &waits).carry).Login(t.Context(), marco(), token.Request{})
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

func TestARefusalThatTookItsTimeIsFinal(t *testing.T) {
	tries := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries++
		time.Sleep(20 * time.Millisecond)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer s.Close()
	waits := []time.Duration{}
	c := courierOf(t, s.URL, &waits)
	c.maxTry = 10 * time.Millisecond
	_, err := ats.NewClient(c.carry).Login(t.Context(), marco(), token.Request{})
	if !errors.Is(err, token.ErrUnavailable) || tries != 1 || len(waits) != 0 {
		t.Errorf("%v after %d tries and waits of %v", err, tries, waits)
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

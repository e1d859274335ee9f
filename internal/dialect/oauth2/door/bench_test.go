package door_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// BenchmarkIssue compares, in one run and in turns, a request for a token over
// HTTP with the floor: a handler that signs a claim set with ES256 and knows
// nothing. Nothing is stored for either.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	ours := httptest.NewServer(w.handler)
	defer ours.Close()
	floor := httptest.NewServer(bareSigner(b))
	defer floor.Close()
	request := func(address string) func() {
		form := url.Values{"grant_type": {token.GrantClientCredentials}, "client_id": {machine}, "client_secret": {w.secrets[machine]}}.Encode()
		return func() {
			r, err := http.Post(address, "application/x-www-form-urlencoded", strings.NewReader(form))
			if err != nil {
				b.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || r.StatusCode != http.StatusOK {
				b.Fatalf("%d %s %v", r.StatusCode, body, err)
			}
		}
	}
	contenders := []func(){request(floor.URL), request(ours.URL + "/oauth2/token")}
	var ratios, costs []float64
	for b.Loop() {
		var took [2]time.Duration
		for i, ask := range contenders {
			began := time.Now()
			for range 50 {
				ask()
			}
			took[i] = time.Since(began) / 50
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
		costs = append(costs, float64(took[1].Nanoseconds()))
	}
	slices.Sort(ratios)
	slices.Sort(costs)
	b.ReportMetric(ratios[len(ratios)/2], "token/floor")
	b.ReportMetric(costs[len(costs)/2], "token-ns")
}

func bareSigner(b *testing.B) http.Handler {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	ring, err := signing.NewRing(time.Now(), signing.Key{ID: "floor", Algorithm: "ES256", State: signing.Active, Private: key})
	if err != nil {
		b.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		raw, err := ring.Sign(signing.Header{Type: "at+jwt", KeyID: true}, []byte(`{"iss":"https://auth.example.com","sub":"machine","exp":4000000000}`))
		if err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":600}`, raw)
	})
}

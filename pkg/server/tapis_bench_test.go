package server

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
)

// BenchmarkMint compares, in one run and in turns, on all cores, requests for a
// minted RS256 token with the floor: the bare signature of a text of that length
// with a key of that size.
func BenchmarkMint(b *testing.B) {
	s, err := New(b.Context(), Config{Store: memory.New(), Dialects: []string{"tapis"}, OpenMinting: []string{"dev"}})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.AddTenant(b.Context(), store.Tenant{Name: "dev"}); err != nil {
		b.Fatal(err)
	}
	over := httptest.NewServer(s)
	defer over.Close()
	mint := func() {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/v3/tokens", strings.NewReader(mintBody))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Errorf("%d %s", w.Code, w.Body)
		}
	}
	call := func() {
		r, err := http.Post(over.URL+"/v3/tokens", "application/json", strings.NewReader(mintBody))
		if err != nil {
			b.Error(err)
			return
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			b.Error(r.Status)
		}
	}
	contenders := []func(){bareSignature(b), mint, call}
	var inProcess, overHTTP, rates []float64
	for b.Loop() {
		var took [3]time.Duration
		for i, do := range contenders {
			took[i] = onAllCores(40, do)
		}
		inProcess = append(inProcess, float64(took[1])/float64(took[0]))
		overHTTP = append(overHTTP, float64(took[2])/float64(took[0]))
		rates = append(rates, float64(40*runtime.GOMAXPROCS(0))/took[1].Seconds())
	}
	for _, list := range [][]float64{inProcess, overHTTP, rates} {
		slices.Sort(list)
	}
	b.ReportMetric(inProcess[len(inProcess)/2], "mint/signature")
	b.ReportMetric(overHTTP[len(overHTTP)/2], "mint-over-HTTP/signature")
	b.ReportMetric(rates[len(rates)/2], "tokens/s")
}

const mintBody = `{"token_tenant_id": "dev", "account_type": "service", "token_username": "jstubbs"}`

// bareSignature signs a text as long as a minted token's first two parts.
func bareSignature(b *testing.B) func() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat("x", 480)
	return func() {
		if _, err := jwt.SigningMethodRS256.Sign(text, key); err != nil {
			b.Error(err)
		}
	}
}

// onAllCores does something so many times on each core, and returns how long it
// took.
func onAllCores(times int, do func()) time.Duration {
	began := time.Now()
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for range times {
				do()
			}
		})
	}
	wait.Wait()
	return time.Since(began)
}

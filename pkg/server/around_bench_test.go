package server

import (
	"net/http"
	"testing"
)

// discarded is an answer that nobody reads.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}

// BenchmarkHEADInProcess is one check by HEAD without a connection: what the service
// itself costs.
func BenchmarkHEADInProcess(b *testing.B) {
	w := newWazoBench(b, b.Context(), 100)
	r, err := http.NewRequest(http.MethodHead, "/0.1/token/"+w.tokens[0], nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:1234"
	answer := &discarded{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		w.server.ServeHTTP(answer, r)
	}
}

//go:build unix

package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// benchClients is how many connections are kept at once.
const benchClients = 32

// together does something n times by as many as there are connections.
func together(n int, do func(i int)) {
	var wait sync.WaitGroup
	for c := range benchClients {
		wait.Go(func() {
			for i := c; i < n; i += benchClients {
				do(i)
			}
		})
	}
	wait.Wait()
}

// drive sends n requests over connections that are kept, and returns what they took.
// What follows from an answer, if anything, is sent next on its connection.
func drive(b *testing.B, address string, n int, requests []string, heard func(answer []byte) (next string, err error)) (spent effort) {
	b.Helper()
	connections := make([]*connection, benchClients)
	for i := range connections {
		connections[i] = dial(b, address)
		defer connections[i].close()
	}
	follows := make([]string, benchClients)
	began, before := time.Now(), usedCPU(b)
	together(n, func(i int) {
		c, text := i%benchClients, requests[i%len(requests)]
		if follows[c] != "" {
			text = follows[c]
		}
		answer, err := connections[c].ask(text)
		if err == nil {
			follows[c], err = heard(answer)
		}
		if err != nil {
			b.Error(err)
		}
	})
	spent = effort{time.Since(began), usedCPU(b) - before}
	if b.Failed() {
		b.FailNow()
	}
	return spent
}

// effort is what something took.
type effort struct{ took, cpu time.Duration }

// usedCPU is what this process has used until now.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// ask sends a request and returns the body of its answer, which is to be a success.
func (c *connection) ask(text string) ([]byte, error) {
	if _, err := io.WriteString(c.conn, text); err != nil {
		return nil, err
	}
	status, err := c.read.ReadSlice('\n')
	good := bytes.HasPrefix(status, []byte("HTTP/1.1 2"))
	length := 0
	for line := status; err == nil && len(line) > len("\r\n"); line, err = c.read.ReadSlice('\n') {
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	body := make([]byte, length)
	if err == nil {
		_, err = io.ReadFull(c.read, body)
	}
	if err == nil && !good {
		err = fmt.Errorf("no success: %q", body)
	}
	return body, err
}

// least is what must be done for an operation, whoever does it.
type least struct{ signs, verifies, writes bool }

// handler does that, knows nothing, and answers with 1 KB of JSON.
func (l least) handler(b *testing.B, st store.Store) http.Handler {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	ring, err := signing.NewRing(time.Now(), signing.Key{ID: "floor", Algorithm: "ES256", State: signing.Active, Private: key})
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("what was signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	answer := append(bytes.Repeat([]byte(" "), 1022), "{}"...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var id [16]byte
		_, err := io.Copy(io.Discard, r.Body)
		if l.verifies && !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			b.Error("the signature is wrong")
		}
		if l.writes && err == nil {
			_, _ = rand.Read(id[:])
			err = st.Apply(r.Context(), store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: string(id[:]), At: 1}})
		}
		if l.signs && err == nil {
			_, err = ring.Sign(signing.Header{Type: "at+jwt", KeyID: true}, []byte(`{"iss":"https://auth.example.com","sub":"machine","exp":4000000000}`))
		}
		if err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
}

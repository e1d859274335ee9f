package sqlite

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// childPath names the database to a child process of these tests; childSynchronous is
// how it is to flush, where that is not as usual.
const (
	childPath        = "ATS_AUTH_TEST_CHILD_DATABASE"
	childSynchronous = "ATS_AUTH_TEST_CHILD_SYNCHRONOUS"
)

// children is what a child process does with the path in an environment variable.
var children = map[string]func(path string){childPath: revokeUntilKilled}

func TestMain(m *testing.M) {
	for variable, do := range children {
		if path := os.Getenv(variable); path != "" {
			do(path)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// revokeUntilKilled says on stdout what was revoked, after it was answered.
func revokeUntilKilled(path string) {
	s, err := Open(context.Background(), Config{Path: path})
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return
	}
	if how := os.Getenv(childSynchronous); how != "" {
		if _, err := s.writer.conn.ExecContext(context.Background(), "PRAGMA synchronous("+how+")"); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return
		}
	}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				key := make([]byte, 16)
				_, _ = rand.Read(key)
				if err := s.Apply(context.Background(), revocation(string(key))); err != nil {
					os.Stderr.WriteString(err.Error() + "\n")
					return
				}
				// One write of less than PIPE_BUF: a line comes whole or not.
				os.Stdout.WriteString(hex.EncodeToString(key) + "\n")
			}
		})
	}
	group.Wait()
}

func revocation(key string) store.Command {
	return store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: key, At: 1_800_000_000_000_000}}
}

// A kill leaves the page cache, so this holds for the death of the process, not
// for the loss of power.
func TestAKilledProcessKeepsEveryRevocationItAnswered(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	path := filepath.Join(t.TempDir(), "store.db")
	var answered []string
	kept, cursor := map[string]bool{}, int64(0)
	for round := range rounds {
		lines := killedChild(t, path, round)
		answered = append(answered, lines...)
		cursor = readOn(t, path, kept, cursor)
		for _, key := range lines {
			if !kept[key] {
				t.Errorf("round %d: %s was answered and is lost", round, key)
			}
		}
	}
	clear(kept)
	readOn(t, path, kept, 0)
	for _, key := range answered {
		if !kept[key] {
			t.Errorf("%s was answered and is lost in the end", key)
		}
	}
	t.Logf("%d kills, %d answered revocations checked, %d kept", rounds, len(answered), len(kept))
	if len(answered) < rounds*5 {
		t.Errorf("only %d answered revocations in %d rounds: nothing was tested", len(answered), rounds)
	}
}

// killedChild runs a child, kills it, and returns what it had answered. Most
// rounds give it up to 40 ms from its first answer; every fifth is over after a
// random time from the start, so that the opening is hit too.
func killedChild(t *testing.T, path string, round int) (answered []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	child.Stderr = os.Stderr
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	moment := time.Duration(mathrand.Int64N(int64(40 * time.Millisecond)))
	kill := func() { _ = child.Process.Kill() }
	// A child that never answers must not hang the test.
	timer := time.AfterFunc(20*time.Second, kill)
	if round%5 == 4 {
		timer.Reset(moment)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if len(answered) == 0 && round%5 != 4 {
			timer.Reset(moment)
		}
		answered = append(answered, lines.Text())
	}
	_ = child.Wait() // was killed
	timer.Stop()
	return answered
}

// readOn opens the database and adds the facts after the cursor to kept.
func readOn(t *testing.T, path string, kept map[string]bool, cursor int64) int64 {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Revocations(t.Context(), cursor, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range all {
		kept[hex.EncodeToString([]byte(fact.Key))] = true
		cursor = fact.Seq
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return cursor
}

package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestWhatIsMadeIsReadableByItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b? #%41&c")
	s := openStore(t, dir)
	if err := s.Apply(t.Context(), revocation("k")); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(dir, "copies", "backup.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(dir):                       0o700,
		dir:                                     0o700,
		filepath.Join(dir, "store.db"):          0o600,
		filepath.Join(dir, "store.db") + "-wal": 0o600,
		filepath.Join(dir, "store.db") + "-shm": 0o600,
		backup:                                  0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

func TestABackupHoldsWhatWasAppliedAndReplacesNothing(t *testing.T) {
	s, path := openStore(t, t.TempDir()), filepath.Join(t.TempDir(), "store.db")
	if err := s.Apply(t.Context(), revocation("k")); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	all, err := openStore(t, filepath.Dir(path)).Revocations(t.Context(), 0, 9)
	if err != nil || len(all) != 1 || all[0].Key != "k" {
		t.Errorf("the backup holds %v, error %v", all, err)
	}
	if err := s.Backup(t.Context(), path); !errors.Is(err, store.ErrExists) {
		t.Errorf("a backup onto another one: %v", err)
	}
}

func TestEveryCommitIsFlushedToAWriteAheadLog(t *testing.T) {
	s := openStore(t, t.TempDir())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := s.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, error %v, want %s", pragma, got, err, want)
		}
	}
}

func TestAFileThatIsNoDatabaseIsRefusedByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	refusedAtOpen(t, path, "not a database")
	refusedAtOpen(t, filepath.Dir(path), "")
	refusedAtOpen(t, filepath.Join(path, "below a file"), "")
	refusedAtOpen(t, "", "no path given")
}

func refusedAtOpen(t *testing.T, path, reason string) {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path})
	if s != nil || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), reason) {
		t.Errorf("store %v, error %v, want one with %q", s, err, reason)
	}
}

func TestACorruptPageIsUnavailableAndNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	var schema int // pages of it
	if err := s.readers.db.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if err := s.Apply(t.Context(), revocation(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "store.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096 * schema; i < len(text); i++ { // the schema stays, the rows do not
		text[i] = 0xa5
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	_, err = s.Revocations(t.Context(), 0, 1<<30)
	namesTheFile(t, s, err)
	failures := 0
	for i := range 2000 {
		if err := s.Apply(t.Context(), revocation(fmt.Sprint("new", i))); err != nil {
			namesTheFile(t, s, err)
			failures++
		}
	}
	if failures == 0 {
		t.Error("2000 facts written into a corrupt file")
	}
}

func namesTheFile(t *testing.T, s *Store, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), s.path) {
		t.Errorf("error %v, want one that is unavailable and names %s", err, s.path)
	}
}

func TestAFullDiskIsUnavailableUntilThereIsRoom(t *testing.T) {
	s := openStore(t, t.TempDir())
	limit := func(pages int) {
		t.Helper()
		var got int
		err := s.writer.conn.QueryRowContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count(%d)", pages)).Scan(&got)
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // no further page than those there are
	big := store.PutKey{Key: store.Key{ID: "big", Sealed: make([]byte, 100_000)}}
	err := s.Apply(t.Context(), big)
	namesTheFile(t, s, err)
	if keys, err := s.Keys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, error %v", keys, err)
	}
	limit(1_000_000)
	if err := s.Apply(t.Context(), big); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

func TestAfterAFailedCommitTheStoreIsReadButNotWritten(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if err := s.Apply(t.Context(), revocation("before")); err != nil {
		t.Fatal(err)
	}
	failing := true
	if err := s.writer.conn.Raw(func(conn any) error {
		conn.(driver.HookRegisterer).RegisterCommitHook(func() int32 {
			if failing {
				return 1
			}
			return 0
		})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	namesTheFile(t, s, s.Apply(t.Context(), revocation("failed")))
	failing = false
	namesTheFile(t, s, s.Apply(t.Context(), revocation("after")))
	namesTheFile(t, s, s.Ping(t.Context()))
	if all, err := s.Revocations(t.Context(), 0, 9); err != nil || len(all) != 1 {
		t.Errorf("facts %v, error %v", all, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if err := errors.Join(s.Ping(t.Context()), s.Apply(t.Context(), revocation("anew"))); err != nil {
		t.Error(err)
	}
}

func TestAReadOnlyDatabaseIsUnavailable(t *testing.T) {
	s := openStore(t, t.TempDir())
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA query_only(1)"); err != nil {
		t.Fatal(err)
	}
	namesTheFile(t, s, s.Apply(t.Context(), revocation("k")))
	namesTheFile(t, s, s.Ping(t.Context()))
}

// The children of the kill test write without pause, from their start on an
// empty database; this process is the command line beside such servers.
func TestAWriteWaitsForThoseOfOtherProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for range 2 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childPath+"="+path)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	}
	s := openStore(t, filepath.Dir(path))
	for others := 0; others < 100; { // they do write
		all, err := s.Revocations(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		others = len(all)
	}
	var slowest time.Duration
	for i := range 30 {
		start := time.Now()
		if err := s.Apply(t.Context(), revocation(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("the slowest write waited %v", slowest)
}

func TestAWriteThatWaitsTooLongIsUnavailableAndTheNextOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), Config{Path: path, BusyTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	other := openStore(t, filepath.Dir(path))
	mustExec(t, other.writer.conn, "BEGIN IMMEDIATE")
	namesTheFile(t, s, s.Apply(t.Context(), revocation("k")))
	namesTheFile(t, s, s.Ping(t.Context()))
	mustExec(t, other.writer.conn, "ROLLBACK")
	if err := errors.Join(s.Ping(t.Context()), s.Apply(t.Context(), revocation("k"))); err != nil {
		t.Error(err)
	}
}

func mustExec(t *testing.T, conn *sql.Conn, query string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestAStoreWhoseFileWasRemovedOrReplacedAnswersNoChange(t *testing.T) {
	for name, take := range map[string]func(path string) error{
		"removed": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		s, err := Open(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		fact := store.Revoke{Revocation: store.Revocation{Kind: store.RevokeTenant, Key: "t", At: 1}}
		if err := errors.Join(s.Apply(t.Context(), fact), s.Ping(t.Context()), take(path)); err != nil {
			t.Fatal(err)
		}
		fact.Revocation.At = 2
		if err := s.Apply(t.Context(), fact); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: a change is answered with %v", name, err)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: a ping is answered with %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package verifier

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func someFacts() []Fact {
	return []Fact{
		{Kind: RevokedToken, Key: text(id(1)), Until: 5_000_000},
		{Kind: RevokedToken, Key: text(id(2))},
		{Kind: RevokedSession, Key: text(id(3)), Until: 6_000_000},
		{Kind: RevokedSubject, Key: SubjectKey("t", "ä marco"), At: 7},
		{Kind: RevokedSubject, Key: "", At: 8},
		{Kind: RevokedTenant, Key: "t", At: 9},
		{Kind: RevokedClient, Key: SubjectKey("t", "robot"), At: 10},
		{Kind: RevokedAll, At: 3},
	}
}

func holdsSomeFacts(r *Revocations) bool {
	return r.Len() == len(someFacts()) && r.Revoked(Query{Identity: id(1), IssuedAt: 99}) && r.Revoked(Query{Identity: id(2), IssuedAt: 99}) && r.Revoked(Query{Session: id(3), IssuedAt: 99}) &&
		r.Revoked(Query{Subject: SubjectKey("t", "ä marco"), IssuedAt: 7}) && !r.Revoked(Query{Subject: "x", IssuedAt: 7}) && r.Revoked(Query{Subject: "", IssuedAt: 8}) &&
		r.Revoked(Query{Client: SubjectKey("t", "robot"), Subject: "x", IssuedAt: 10}) && !r.Revoked(Query{Subject: SubjectKey("t", "robot"), IssuedAt: 10}) &&
		r.Revoked(Query{Tenant: "t", IssuedAt: 9}) && r.Revoked(Query{Subject: "x", IssuedAt: 3}) && r.shards[1].ids[tokenIDs][id(1)] == 5
}

func TestASnapshotGivesBackWhatWasSaved(t *testing.T) {
	var r, back Revocations
	var file bytes.Buffer
	r.Add(someFacts()...)
	if err := errors.Join(r.Save(&file), back.Load(bytes.NewReader(file.Bytes()))); err != nil {
		t.Fatal(err)
	}
	if !holdsSomeFacts(&back) {
		t.Errorf("%d facts came back", back.Len())
	}
	if err := AppendFacts(&file, Fact{Kind: RevokedToken, Key: text(id(9))}); err != nil {
		t.Fatal(err)
	}
	if err := back.Load(&file); err != nil || !back.Revoked(Query{Identity: id(9)}) || back.Len() != len(someFacts())+1 {
		t.Errorf("with a fact appended: %v, %d facts", err, back.Len())
	}
	large, empty := manyIDs(300_000), new(Revocations)
	file.Reset()
	if err := errors.Join(large.Save(&file), empty.Load(&file)); err != nil || empty.Len() != 300_000 {
		t.Errorf("%v, %d ids came back", err, empty.Len())
	}
}

func TestADamagedSnapshotIsNotTakenForAWholeOne(t *testing.T) {
	var r Revocations
	var file bytes.Buffer
	r.Add(someFacts()...)
	if err := r.Save(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for n := range len(whole) {
		if err := new(Revocations).Load(bytes.NewReader(whole[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut off after %d of %d bytes: %v", n, len(whole), err)
		}
	}
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(whole)
			bad[i] ^= bit
			inID := i >= len(magic) && i < headerBytes // any value is a good one
			if err := new(Revocations).Load(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) && !inID {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
	}
	second := bytes.Index(whole[headerBytes+1:], []byte{blockSessions, 0, 0, 1}) + headerBytes + 1
	if err := new(Revocations).Load(bytes.NewReader(append(whole[:headerBytes:headerBytes], whole[second:]...))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("whole blocks missing: %v", err)
	}
	for _, f := range []Fact{{Kind: RevokedToken, Key: "short"}, {Kind: "x"}, {Kind: RevokedSubject, Key: strings.Repeat("x", 5000)}} {
		if err := AppendFacts(&file, f); err == nil {
			t.Errorf("%+v was written", f)
		}
	}
}

func TestAFollowerKeepsUpWithAFileThatGrows(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "revocations"), newFakeClock()
	var r Revocations
	f, err := NewFollower(FollowerConfig{Feed: FileFeed{path}, Into: &r, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file yet: %v", err)
	}
	if err := f.Fresh(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("never read: %v", err)
	}
	save(t, path, someFacts()...)
	sync := func() {
		t.Helper()
		if err := errors.Join(f.Sync(t.Context()), f.Fresh()); err != nil {
			t.Error(err)
		}
	}
	if sync(); !holdsSomeFacts(&r) {
		t.Errorf("%d facts", r.Len())
	}
	c.advance(time.Second)
	if err := f.Fresh(); err != nil {
		t.Errorf("a second old: %v", err)
	}
	c.advance(time.Millisecond)
	if err := f.Fresh(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("older than a second: %v", err)
	}
	var grown bytes.Buffer
	if err := AppendFacts(&grown, Fact{Kind: RevokedToken, Key: text(id(9))}); err != nil {
		t.Fatal(err)
	}
	for i, b := range grown.Bytes() {
		if sync(); r.Revoked(Query{Identity: id(9), IssuedAt: 99}) {
			t.Fatalf("after %d of %d bytes", i, grown.Len())
		}
		appendTo(t, path, []byte{b})
	}
	if sync(); !r.Revoked(Query{Identity: id(9), IssuedAt: 99}) {
		t.Error("the appended fact is not known")
	}
	save(t, path, Fact{Kind: RevokedToken, Key: text(id(10))}) // another file in its place
	if sync(); !r.Revoked(Query{Identity: id(10), IssuedAt: 99}) || !r.Revoked(Query{Identity: id(9), IssuedAt: 99}) {
		t.Error("of the file in its place too little is known")
	}
	appendTo(t, path, make([]byte, 40))
	if err := f.Sync(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("junk behind it: %v", err)
	}
}

func save(t *testing.T, path string, facts ...Fact) {
	t.Helper()
	var r Revocations
	var b bytes.Buffer
	r.Add(facts...)
	if err := errors.Join(r.Save(&b), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); errors.Join(err, f.Close()) != nil {
		t.Fatal(err)
	}
}

func TestRunFollowsUntilItsContextEndsAndTellsOfTrouble(t *testing.T) {
	path, told := filepath.Join(t.TempDir(), "revocations"), make(chan error, 9)
	var r Revocations
	f, err := NewFollower(FollowerConfig{Feed: FileFeed{path}, Into: &r, Every: time.Millisecond, OnError: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { f.Run(t.Context()) })
	t.Cleanup(wait.Wait)
	if err := <-told; !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	save(t, path, someFacts()...)
	if err := <-told; err != nil || !holdsSomeFacts(&r) {
		t.Errorf("%v, %d facts", err, r.Len())
	}
}

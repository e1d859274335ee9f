package verifier

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// manyKinds is a set with facts of all kinds in all parts.
func manyKinds() *Revocations {
	r := manyIDs(2000)
	for i := range 2000 {
		id := [16]byte{byte(i), byte(i >> 8), 1}
		r.Add(
			Fact{Kind: RevokedSession, Key: string(id[:]), Until: int64(i) * 1_000_001},
			Fact{Kind: RevokedSubject, Key: SubjectKey("default", fmt.Sprint("user", i)), At: int64(i)},
			Fact{Kind: RevokedClient, Key: SubjectKey("default", fmt.Sprint("app", i)), At: int64(i)},
		)
	}
	r.Add(Fact{Kind: RevokedTenant, Key: "default", At: 5}, Fact{Kind: RevokedTenant, Key: "dev", At: 6}, Fact{Kind: RevokedAll, At: 7})
	return r
}

// same compares all that two sets hold.
func same(t *testing.T, a, b *Revocations) {
	t.Helper()
	if !maps.Equal(a.Count(), b.Count()) || a.all.Load() != b.all.Load() || !maps.Equal(*a.tenants.Load(), *b.tenants.Load()) {
		t.Errorf("%v and %v", a.Count(), b.Count())
	}
	for n := range a.shards {
		for i := range 2 {
			if !maps.Equal(a.shards[n].ids[i], b.shards[n].ids[i]) || !maps.Equal(a.shards[n].marks[i], b.shards[n].marks[i]) {
				t.Fatalf("part %d is not the same", n)
			}
		}
	}
}

func TestThePartsOfASetAreTheWhole(t *testing.T) {
	from, to := manyKinds(), new(Revocations)
	var p Part
	for n := range Parts {
		before := len(p.Tokens) + len(p.Sessions)
		from.ReadPart(n, &p)
		if grown := len(p.Tokens) + len(p.Sessions) - before; grown > from.PartBytes(n) || grown == 0 {
			t.Errorf("part %d has %d bytes of ids, and is said to have %d in all", n, grown, from.PartBytes(n))
		}
	}
	to.Add(p.Marks...)
	to.addIDs(tokenIDs, p.Tokens)
	to.addIDs(sessionIDs, p.Sessions)
	same(t, from, to)
}

// TestASnapshotIsTakenPageByPage has the pages told by many parts, and by one.
func TestASnapshotIsTakenPageByPage(t *testing.T) {
	f, from := newFakeFeed(t), manyKinds()
	for _, each := range []int{1, 100, 256} {
		asked := 0
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("snapshot") != "1" || r.URL.Query().Get("wait") != "0s" {
				t.Errorf("it asks with %s", r.URL.RawQuery)
			}
			var p Part
			for n := asked * each; n < min(Parts, (asked+1)*each); n++ {
				from.ReadPart(n, &p)
			}
			last := asked*each >= Parts
			asked++
			text := f.page(r, fmt.Sprint("c", asked), markTexts(p.Marks))
			if !last {
				text = snapshotText(text, b64(string(p.Tokens)), b64(string(p.Sessions)))
			}
			_, _ = w.Write([]byte(forged(feedHeader, text)))
		})
		set := new(Revocations)
		follower, err := NewFollower(FollowerConfig{Feed: f.feed(t), Into: set, Now: clock})
		if err == nil {
			err = follower.Sync(t.Context())
		}
		if err != nil || follower.Fresh() != nil || asked != (Parts+each-1)/each+1 {
			t.Fatalf("%d a page: %v, %v, asked %d times", each, err, follower.Fresh(), asked)
		}
		same(t, from, set)
	}
}

// snapshotText makes a page of a snapshot of one of facts.
func snapshotText(page, tokens, sessions string) string {
	return strings.Replace(page, `"more":false`, fmt.Sprintf(`"more":true,"tokens":"%s","sessions":"%s"`, tokens, sessions), 1)
}

func markTexts(marks []Fact) string {
	list := make([]string, len(marks))
	for n, f := range marks {
		list[n] = factText(f.Kind, f.Key, f.At, 0)
	}
	return strings.Join(list, ",")
}

func TestAPageOfASnapshotThatIsDamagedIsRefusedAsAWhole(t *testing.T) {
	f := newFakeFeed(t)
	good := b64(sixteen + "\x00\x00\x00\x01")
	zero := b64(strings.Repeat("\x00", 20))
	for name, change := range map[string]func(page string) string{
		"a byte short":   func(p string) string { return snapshotText(p, b64(sixteen+"\x00\x00\x01"), good) },
		"a byte more":    func(p string) string { return snapshotText(p, good, b64(sixteen+"\x00\x00\x01\x00\x00")) },
		"an id of zeros": func(p string) string { return snapshotText(p, good, zero) },
		"zeros behind others": func(p string) string {
			return snapshotText(p, good, b64(sixteen+"\x00\x00\x00\x01"+strings.Repeat("\x00", 20)))
		},
		"padded":         func(p string) string { return snapshotText(p, good+"=", good) },
		"no base64url":   func(p string) string { return snapshotText(p, good, "+"+good[1:]) },
		"with an escape": func(p string) string { return snapshotText(p, `\u004d`+good[1:], good) },
		"without sessions": func(p string) string {
			return strings.Replace(snapshotText(p, good, good), `"sessions"`, `"others"`, 1)
		},
		"without tokens":  func(p string) string { return strings.Replace(snapshotText(p, good, good), `"tokens"`, `"others"`, 1) },
		"a number":        func(p string) string { return strings.Replace(snapshotText(p, good, "x"), `"x"`, `1`, 1) },
		"null":            func(p string) string { return strings.Replace(snapshotText(p, "x", good), `"x"`, `null`, 1) },
		"a list":          func(p string) string { return strings.Replace(snapshotText(p, "x", good), `"x"`, `["`+good+`"]`, 1) },
		"the end already": func(p string) string { return strings.Replace(snapshotText(p, good, good), "true", "false", 1) },
		"tokens twice": func(p string) string {
			return strings.Replace(snapshotText(p, good, good), `"sessions"`, `"tokens"`, 1)
		},
		"a fact cut short": func(p string) string { return strings.Replace(snapshotText(p, good, good), ",8,0]", ",8]", 1) },
		"facts too large": func(p string) string {
			return strings.Replace(p, `,8,0]`, `,8,0]`+strings.Repeat(`,["all","",8,0]`, 80_000), 1)
		},
	} {
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(forged(feedHeader, change(f.page(r, "c2", factText(RevokedAll, "", 8, 0))))))
		})
		var set Revocations
		feed := f.feed(t)
		next, err := feed.Next(t.Context(), "", &set)
		if _, whole := feed.AsOf(); !errors.Is(err, token.ErrUnavailable) || next != "" || set.Len() != 0 || whole {
			t.Errorf("%s: %q, %v, %d facts taken", name, next, err, set.Len())
		}
	}
}

// TestOnlyAPageOfASnapshotMayBeLarge has 16 MiB taken, no more, and of a feed that has
// caught up one.
func TestOnlyAPageOfASnapshotMayBeLarge(t *testing.T) {
	f := newFakeFeed(t)
	size := 8 << 20 / idBytes
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		for i := range size {
			fmt.Fprintf(&b, "%016d\x00\x00\x00\x01", i)
		}
		_, _ = w.Write([]byte(forged(feedHeader, snapshotText(f.page(r, "c2", ""), b64(b.String()), ""))))
	})
	feed, set := f.feed(t), new(Revocations)
	if next, err := feed.Next(t.Context(), "c1", set); err != nil || next != "c2" || set.Len() != size {
		t.Fatalf("%q, %v, %d", next, err, set.Len())
	}
	size = 10 << 20 / idBytes
	if _, err := feed.Next(t.Context(), "c1", set); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("too large: %v", err)
	}
	answer := f.answer
	f.says("c2", "")
	if _, err := feed.Next(t.Context(), "c1", set); err != nil {
		t.Fatal(err)
	}
	size = 1 << 20 / idBytes
	f.answers(answer)
	if _, err := feed.Next(t.Context(), "c2", set); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("large, and it has caught up: %v", err)
	}
}

func TestASnapshotThatNobodyCanGoOnWithIsBegunAnew(t *testing.T) {
	f := newFakeFeed(t)
	gone, begun := true, 0
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		switch after := r.URL.Query().Get("after"); {
		case after == "":
			begun++
			_, _ = w.Write([]byte(forged(feedHeader, snapshotText(f.page(r, "1.1.9", ""), b64(sixteen+"\x00\x00\x00\x01"), ""))))
		case after == "1.1.9" && gone:
			gone = false
			w.WriteHeader(http.StatusGone)
		default:
			_, _ = w.Write([]byte(forged(feedHeader, f.page(r, "1.1", ""))))
		}
	})
	set := new(Revocations)
	follower, err := NewFollower(FollowerConfig{Feed: f.feed(t), Into: set, Now: clock})
	if err == nil {
		err = follower.Sync(t.Context())
	}
	if err != nil || begun != 2 || set.Len() != 1 || follower.Fresh() != nil {
		t.Errorf("%v, begun %d times, %d facts, %v", err, begun, set.Len(), follower.Fresh())
	}
}

// FuzzIDs holds what is read of the members of a snapshot against encoding/json and
// encoding/base64, and takes all of a page or nothing.
func FuzzIDs(f *testing.F) {
	good := b64(sixteen + "\x00\x00\x00\x01")
	for _, seed := range []string{
		`"tokens":"","sessions":""`, `"tokens":"` + good + `","sessions":"` + good + `"`, `"tokens":"` + good[1:] + `","sessions":""`,
		`"tokens":null,"sessions":""`, `"sessions":"` + good + `"`, `"tokens":"","sessions":"` + b64(strings.Repeat("\x00", 20)) + `"`,
		`"tokens":"\u004d","sessions":""`, `"tokens":"","sessions":"","facts":[]`, `"tokens":{"a":""},"sessions":[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, members string) {
		text := `{"iss":"i","tenant":"default","after":"","nonce":"n","seen":1,"next":"c","more":true,"facts":[["all","",8,0]],` + members + `}`
		set := new(Revocations)
		page, err := parseFeedPage(text)
		if err == nil {
			err = page.addTo(set)
		}
		if err != nil {
			if set.Len() != 0 {
				t.Errorf("%q was refused, and %d facts taken", members, set.Len())
			}
			return
		}
		said := map[string]json.RawMessage{} // a struct would take names in another case too
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatalf("%q was taken, and is no JSON: %v", members, err)
		}
		if page.snapshot != (said["tokens"] != nil && said["sessions"] != nil) {
			t.Fatalf("%q is a snapshot: %t", members, page.snapshot)
		}
		for kind, name := range []string{"tokens", "sessions"} {
			var member string
			if err := json.Unmarshal(said[name], &member); err != nil && page.snapshot {
				t.Fatalf("%s were taken as %s", said[name], name)
			}
			b, err := base64.RawURLEncoding.DecodeString(member)
			if err != nil || len(b)%idBytes != 0 {
				t.Fatalf("%q was taken as ids: %v", member, err)
			}
			held := map[[16]byte]bool{}
			for ; len(b) > 0; b = b[idBytes:] {
				if held[[16]byte(b)] = true; !set.hasID(kind, [16]byte(b)) {
					t.Fatalf("%x is not held", b[:16])
				}
			}
			if int(set.count[kind].Load()) != len(held) {
				t.Fatalf("%d are held of %d", set.count[kind].Load(), len(held))
			}
		}
	})
}

package verifier

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func id(n byte) (id [16]byte) { id[0], id[15] = n, n; return id }

func text(id [16]byte) string { return string(id[:]) }

func TestAFactVoidsWhatItNamesAndNothingElse(t *testing.T) {
	const at = 1_700_000_000_000_000
	base := Query{Identity: id(1), Session: id(2), Tenant: "t", Subject: SubjectKey("t", "marco"), Client: SubjectKey("t", "robot"), IssuedAt: at}
	for name, c := range map[string]struct {
		fact Fact
		void bool
	}{
		"its token":                       {Fact{Kind: RevokedToken, Key: text(id(1))}, true},
		"another token":                   {Fact{Kind: RevokedToken, Key: text(id(3))}, false},
		"a token named like its session":  {Fact{Kind: RevokedToken, Key: text(id(2))}, false},
		"its session":                     {Fact{Kind: RevokedSession, Key: text(id(2))}, true},
		"a session named like it":         {Fact{Kind: RevokedSession, Key: text(id(1))}, false},
		"its subject, then":               {Fact{Kind: RevokedSubject, Key: SubjectKey("t", "marco"), At: at}, true},
		"its subject, a microsecond ago":  {Fact{Kind: RevokedSubject, Key: SubjectKey("t", "marco"), At: at - 1}, false},
		"another subject":                 {Fact{Kind: RevokedSubject, Key: SubjectKey("t", "polo"), At: at}, false},
		"its subject in another tenant":   {Fact{Kind: RevokedSubject, Key: SubjectKey("u", "marco"), At: at}, false},
		"its client, then":                {Fact{Kind: RevokedClient, Key: SubjectKey("t", "robot"), At: at}, true},
		"its client, a microsecond ago":   {Fact{Kind: RevokedClient, Key: SubjectKey("t", "robot"), At: at - 1}, false},
		"another client":                  {Fact{Kind: RevokedClient, Key: SubjectKey("t", "toaster"), At: at}, false},
		"a client named like its subject": {Fact{Kind: RevokedClient, Key: SubjectKey("t", "marco"), At: at}, false},
		"a subject named like its client": {Fact{Kind: RevokedSubject, Key: SubjectKey("t", "robot"), At: at}, false},
		"its tenant":                      {Fact{Kind: RevokedTenant, Key: "t", At: at}, true},
		"its tenant, a microsecond ago":   {Fact{Kind: RevokedTenant, Key: "t", At: at - 1}, false},
		"another tenant":                  {Fact{Kind: RevokedTenant, Key: "u", At: at}, false},
		"everything":                      {Fact{Kind: RevokedAll, At: at}, true},
		"everything, a microsecond ago":   {Fact{Kind: RevokedAll, At: at - 1}, false},
		"a key of a wrong length":         {Fact{Kind: RevokedToken, Key: "short"}, false},
		"a kind that is not known":        {Fact{Kind: "x", Key: text(id(1)), At: at}, false},
		"its token, over for a long time": {Fact{Kind: RevokedToken, Key: text(id(1)), Until: 1}, true},
	} {
		var r Revocations
		r.Add(c.fact)
		r.Add(c.fact)
		if got := r.Revoked(base); got != c.void {
			t.Errorf("%s: revoked %v, want %v", name, got, c.void)
		}
		if n := r.Len(); n > 1 {
			t.Errorf("%s: %d facts", name, n)
		}
	}
	var r Revocations
	r.Add(Fact{Kind: RevokedSession, Key: text([16]byte{})}, Fact{Kind: RevokedClient, Key: "", At: at})
	if r.Revoked(Query{Identity: id(1)}) {
		t.Error("a token without session or client is void with the session of zeros or the client of no name")
	}
}

func TestAWatermarkNeverMovesBack(t *testing.T) {
	var r Revocations
	for _, at := range []int64{5, 9, 7} {
		r.Add(Fact{Kind: RevokedSubject, Key: "s", At: at}, Fact{Kind: RevokedTenant, Key: "t", At: at}, Fact{Kind: RevokedAll, At: at - 5})
	}
	for _, q := range []Query{{Subject: "s", IssuedAt: 9}, {Tenant: "t", IssuedAt: 9}, {IssuedAt: 4}} {
		if !r.Revoked(q) {
			t.Errorf("%+v is not void", q)
		}
		if q.IssuedAt++; r.Revoked(q) {
			t.Errorf("%+v is void", q)
		}
	}
}

func TestPruneForgetsOnlyWhatIsOver(t *testing.T) {
	var r Revocations
	now := testNow.UnixMicro()
	far := time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for i, until := range []int64{now - 2_000_000, now, now + 1, now + 60_000_000, 0, far} {
		r.Add(Fact{Kind: RevokedToken, Key: text(id(byte(i + 1))), Until: until}, Fact{Kind: RevokedSession, Key: text(id(byte(i + 1))), Until: until})
	}
	r.Add(Fact{Kind: RevokedToken, Key: text(id(1)), Until: now + 60_000_000}) // a longer life is known later
	r.Add(Fact{Kind: RevokedToken, Key: text(id(5)), Until: 1})                // a shorter one does not count
	if n := r.Prune(testNow); n != 1 || r.Len() != 11 {
		t.Errorf("%d forgotten, %d kept", n, r.Len())
	}
	if r.Revoked(Query{Session: id(1)}) || !r.Revoked(Query{Session: id(2)}) || !r.Revoked(Query{Identity: id(1)}) || !r.Revoked(Query{Identity: id(6)}) {
		t.Error("the wrong ones were forgotten")
	}
	if n := r.Prune(testNow.Add(time.Hour)); n != 7 || r.Len() != 4 {
		t.Errorf("%d forgotten, %d kept", n, r.Len())
	}
	if !r.Revoked(Query{Identity: id(5)}) || !r.Revoked(Query{Identity: id(6)}) {
		t.Error("what has no end was forgotten")
	}
}

func TestRevocationsMayBeAddedAskedAndPrunedAtOnce(t *testing.T) {
	var r Revocations
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 2000 {
				var key [16]byte
				binary.BigEndian.PutUint64(key[:], rand.Uint64())
				r.Add(Fact{Kind: RevokedToken, Key: text(key), Until: int64(i%2) * 1e15}, Fact{Kind: RevokedSubject, Key: text(key)[:2], At: int64(i)}, Fact{Kind: RevokedTenant, Key: text(key)[:1], At: int64(w)})
				if !r.Revoked(Query{Identity: key}) && i%2 == 0 {
					t.Error("an added fact is not found")
				}
				if i%500 == 0 {
					r.Prune(testNow)
					var b bytes.Buffer
					if err := errors.Join(r.Save(&b), new(Revocations).Load(&b)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
}

// manyIDs fills a set as if from a store.
func manyIDs(n int) *Revocations {
	r, random := new(Revocations), rand.New(rand.NewPCG(1, 2))
	list := make([]byte, 0, idBytes*4096)
	for range n {
		list = binary.BigEndian.AppendUint64(list, random.Uint64())
		list = binary.BigEndian.AppendUint64(list, random.Uint64())
		list = binary.BigEndian.AppendUint32(list, 1_800_000_000)
		if len(list) == cap(list) {
			r.addIDs(tokenIDs, list)
			list = list[:0]
		}
	}
	r.addIDs(tokenIDs, list)
	return r
}

func TestARevokedIDTakesAtMost64Bytes(t *testing.T) {
	var before, after runtime.MemStats
	for _, n := range []int{100_000, 1_000_000, 1_200_000} {
		runtime.GC()
		runtime.ReadMemStats(&before)
		r := manyIDs(n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if each := float64(after.HeapAlloc-before.HeapAlloc) / float64(r.Len()); each > 64 || r.Len() != n {
			t.Errorf("%d ids of %.1f bytes each", r.Len(), each)
		}
	}
}

func TestVerifyRefusesWhatWasRevoked(t *testing.T) {
	session := id(7)
	const issued = 1_699_999_990_123_456
	ours := token.NewID(session, issued, hmac.New(sha256.New, []byte("k"))).String()
	sub := SubjectKey("default", "marco")
	with := func(s string) string { return claimed(`{"exp":1700000060,"sub":"marco",` + s + `}`) }
	noID := claimed(`{"exp":1700000060,"sub":"marco","iat":1699999990}`)
	decoded, err := token.Decode(noID)
	if err != nil {
		t.Fatal(err)
	}
	identity := func(id [16]byte) Fact { return Fact{Kind: RevokedToken, Key: text(id)} }
	for name, c := range map[string]struct {
		raw  string
		fact Fact
		void bool
	}{
		"by jti":                                      {with(`"iss":"a","jti":"x"`), identity(token.IdentityOf("a", "x")), true},
		"by jti of another issuer":                    {with(`"iss":"a","jti":"x"`), identity(token.IdentityOf("b", "x")), false},
		"by jwtid":                                    {with(`"iss":"a","jwtid":"x"`), identity(token.IdentityOf("a", "x")), true},
		"by its text where there is no jti":           {noID, identity(decoded.Identity()), true},
		"another without jti":                         {claimed(`{"exp":1700000060,"sub":"marco","iat":1699999991}`), identity(decoded.Identity()), false},
		"by session":                                  {with(`"jti":"` + ours + `"`), Fact{Kind: RevokedSession, Key: text(session)}, true},
		"by watermark at its microsecond":             {with(`"jti":"` + ours + `"`), Fact{Kind: RevokedSubject, Key: sub, At: issued}, true},
		"by watermark a microsecond before":           {with(`"jti":"` + ours + `"`), Fact{Kind: RevokedSubject, Key: sub, At: issued - 1}, false},
		"by watermark, iat in whole seconds":          {with(`"iat":1699999990,"jti":"` + ours + `"`), Fact{Kind: RevokedSubject, Key: sub, At: issued - 1}, false},
		"by watermark, an id of another second":       {with(`"iat":1699999980,"jti":"` + ours + `"`), Fact{Kind: RevokedSubject, Key: sub, At: 1_699_999_985_000_000}, true},
		"by watermark, an id beyond exp and no iat":   {with(`"jti":"` + token.NewID(session, 1<<62, hmac.New(sha256.New, nil)).String() + `"`), Fact{Kind: RevokedSubject, Key: sub, At: 1}, true},
		"by watermark within the second of its iat":   {with(`"iat":1699999990,"jti":"x"`), Fact{Kind: RevokedSubject, Key: sub, At: 1_699_999_990_000_000}, true},
		"by watermark the second before its iat":      {with(`"iat":1699999990,"jti":"x"`), Fact{Kind: RevokedSubject, Key: sub, At: 1_699_999_989_999_999}, false},
		"by its client":                               {with(`"iat":1699999990,"client_id":"robot"`), Fact{Kind: RevokedClient, Key: SubjectKey("default", "robot"), At: 1_699_999_990_000_000}, true},
		"by its client, the second before its iat":    {with(`"iat":1699999990,"client_id":"robot"`), Fact{Kind: RevokedClient, Key: SubjectKey("default", "robot"), At: 1_699_999_989_999_999}, false},
		"by another client":                           {with(`"iat":1699999990,"client_id":"robot"`), Fact{Kind: RevokedClient, Key: SubjectKey("default", "toaster"), At: 1_699_999_990_000_000}, false},
		"by a client of another tenant":               {with(`"iat":1699999990,"client_id":"robot"`), Fact{Kind: RevokedClient, Key: SubjectKey("t", "robot"), At: 1_699_999_990_000_000}, false},
		"by watermark where nobody knows its instant": {with(`"jti":"x"`), Fact{Kind: RevokedSubject, Key: sub, At: 1}, true},
		"by tenant":                                   {with(`"iat":1699999990`), Fact{Kind: RevokedTenant, Key: "default", At: issued}, true},
		"by everything":                               {with(`"iat":1699999990`), Fact{Kind: RevokedAll, At: issued}, true},
	} {
		for _, bytes := range []int64{0, 1 << 20} {
			var r Revocations
			v := newVerifier(t, func(c *Config) { c.Revocations, c.CacheBytes = &r, bytes })
			accepts(t, v, c.raw)
			r.Add(c.fact)
			for range 2 {
				if _, err := v.Verify(t.Context(), c.raw); errors.Is(err, token.ErrRevoked) != c.void || (err != nil) != c.void {
					t.Errorf("%s, cache of %d: %v, want revoked: %v", name, bytes, err, c.void)
				}
			}
		}
	}
}

func TestNothingIsVouchedForWhileTheRevocationsAreStale(t *testing.T) {
	var stale error
	v := newVerifier(t, func(c *Config) {
		c.Revocations, c.CacheBytes, c.Fresh = new(Revocations), 1<<20, func() error { return stale }
	})
	accepts(t, v, claimed(goodPayload))
	stale = token.ErrUnavailable
	refuses(t, v, claimed(goodPayload), token.ErrUnavailable)
	refuses(t, v, claimed(`{"exp":1700000060}`), token.ErrUnavailable)
	stale = nil
	accepts(t, v, claimed(goodPayload))
}

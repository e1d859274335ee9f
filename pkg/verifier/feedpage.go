package verifier

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// feedPage is an answer of a feed.
type feedPage struct {
	issuer, tenant string
	after, nonce   string // of the request that it answers
	next           string
	more           bool          // whether there is more already
	seen           time.Duration // from the request's coming to the server's view of what it says
	facts          string        // still to be read
	snapshot       bool          // it is of a snapshot: the next two are there
	ids            [2]string     // of tokens, of sessions; still to be read
}

// parseFeedPage reads the payload of an answer, but for its facts and ids.
func parseFeedPage(text string) (*feedPage, error) {
	o, err := token.ParseObject(text)
	if err != nil {
		return nil, err
	}
	p := &feedPage{}
	for name, into := range map[string]*string{"iss": &p.issuer, "tenant": &p.tenant, "after": &p.after, "next": &p.next, "nonce": &p.nonce} {
		var ok bool
		if *into, ok = o.String(name); !ok {
			return nil, missing(name)
		}
	}
	seen, _ := o.Member("seen")
	microseconds, err := strconv.ParseInt(seen, 10, 64)
	if err != nil || microseconds > int64(time.Hour/time.Microsecond) || microseconds < -int64(time.Hour/time.Microsecond) {
		return nil, missing("seen")
	}
	p.seen = time.Duration(microseconds) * time.Microsecond
	more, _ := o.Member("more")
	if p.more = more == "true"; !p.more && more != "false" {
		return nil, missing("more")
	}
	var ok bool
	if p.facts, ok = o.Member("facts"); !ok || p.facts[0] != '[' {
		return nil, missing("facts")
	}
	return p, p.findIDs(o)
}

// findIDs finds the members of a page of a snapshot: both, or none.
func (p *feedPage) findIDs(o *token.Object) error {
	p.snapshot = o.Has("tokens") || o.Has("sessions")
	for kind, name := range [...]string{tokenIDs: "tokens", sessionIDs: "sessions"} {
		text, _ := o.Member(name)
		inside, begins := strings.CutPrefix(text, `"`)
		inside, ends := strings.CutSuffix(inside, `"`)
		if p.snapshot && !(begins && ends && p.more) {
			return missing(name)
		}
		p.ids[kind] = inside
	}
	return nil
}

func missing(name string) error {
	return &token.ClaimError{Claim: name, Kind: token.ErrClaims, Reason: "the answer has none that can be read"}
}

// answers refuses what answers another request: one of before, that is played back,
// or one of another tenant's.
func (p *feedPage) answers(tenant, cursor, nonce string) error {
	for _, c := range []struct{ name, got, want string }{
		{"tenant", p.tenant, tenant}, {"after", p.after, cursor}, {"nonce", p.nonce, nonce},
	} {
		if c.got != c.want {
			return &token.ClaimError{
				Claim: c.name, Kind: token.ErrClaims,
				Reason: fmt.Sprintf("the answer is to another request: %q, not %q", clip(c.got), clip(c.want)),
			}
		}
	}
	if p.more && p.next == cursor {
		return &token.ClaimError{Claim: "next", Kind: token.ErrClaims, Reason: "the answer leads nowhere"}
	}
	return nil
}

// addTo adds the facts and ids: all, or none where one cannot be read.
func (p *feedPage) addTo(into *Revocations) error {
	facts, err := parseFacts(p.facts)
	var ids [2][]byte
	for kind := range ids {
		if err == nil {
			ids[kind], err = parseIDs(p.ids[kind])
		}
	}
	if err != nil {
		return err
	}
	into.Add(facts...)
	for kind, list := range ids {
		into.addIDs(kind, list)
	}
	return nil
}

// parseIDs reads the records of a Part, in base64url. An id of zeros names nothing.
func parseIDs(text string) ([]byte, error) {
	list, err := token.AppendSegment(make([]byte, 0, len(text)/4*3+2), text)
	if err != nil {
		return nil, err
	}
	if len(list)%idBytes != 0 {
		return nil, token.Refuse(token.ErrMalformed, "the ids of the answer break off")
	}
	for p := list; len(p) > 0; p = p[idBytes:] {
		if [16]byte(p) == ([16]byte{}) {
			return nil, token.Refuse(token.ErrMalformed, "an id of the answer names nothing")
		}
	}
	return list, nil
}

// parseFacts reads an array of facts: ["kind","key in base64url",at,until].
func parseFacts(text string) ([]Fact, error) {
	if text == "[]" {
		return nil, nil
	}
	list := make([]Fact, 0, len(text)/70+1)
	rest := strings.TrimPrefix(text, "[")
	for number := 0; ; number++ {
		one, behind, found := strings.Cut(rest, "]")
		fact, ok := parseFact(one)
		if !found || !ok {
			return nil, token.Refuse(token.ErrMalformed, "fact %d of the answer cannot be read", number)
		}
		list = append(list, fact)
		if behind == "]" {
			return list, nil
		}
		if rest, found = strings.CutPrefix(behind, ","); !found {
			return nil, token.Refuse(token.ErrMalformed, "behind fact %d of the answer there is neither comma nor end", number)
		}
	}
}

// parseFact reads one, without its closing bracket. The server writes no spaces
// and no escapes.
func parseFact(text string) (f Fact, ok bool) {
	rest, ok := strings.CutPrefix(text, `["`)
	kind, rest, more := strings.Cut(rest, `","`)
	key, rest, again := strings.Cut(rest, `",`)
	at, until, last := strings.Cut(rest, ",")
	if !ok || !more || !again || !last {
		return f, false
	}
	f.Kind = knownKind(kind)
	var room [64]byte
	b, err := token.AppendSegment(room[:0], key)
	if err != nil || f.Kind == "" || len(b) > 2*maxKeyName {
		return f, false
	}
	f.Key = string(b)
	if (f.Kind == RevokedToken || f.Kind == RevokedSession) && len(b) != 16 || f.Kind == RevokedAll && len(b) != 0 {
		return f, false
	}
	f.At, ok = wholeNumber(at)
	f.Until, more = wholeNumber(until)
	return f, ok && more
}

// wholeNumber reads one as JSON spells it, not below zero.
func wholeNumber(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && text[0] >= '0' && text[0] <= '9' && (text[0] != '0' || text == "0")
}

// knownKind is one of the kinds; empty: none of them.
func knownKind(text string) FactKind {
	for _, kind := range [...]FactKind{RevokedToken, RevokedSession, RevokedSubject, RevokedClient, RevokedTenant, RevokedAll} {
		if string(kind) == text {
			return kind
		}
	}
	return ""
}

package issuer

import (
	"hash"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The id is the last member of a claim set.
const (
	idLength = 54
	idEnd    = `"}`
)

// idMember is how the member begins that holds it.
func idMember(name string) string { return `,"` + name + `":"` }

// seal ends a claim set with the token's id. The MAC within covers all claims:
// whoever was given the secret to verify with can sign what he likes, but an id
// that he has seen is no good in any other claim set.
func (i *Issuer) seal(claims []byte, member string, session store.ID, at int64) []byte {
	var id token.ID
	i.idMAC.with(func(mac hash.Hash) { id = token.NewID(session, at, bound{mac, claims}) })
	return append(append(append(claims, idMember(member)...), id.String()...), idEnd...)
}

// unseal returns the id of a claim set that was sealed here.
func (i *Issuer) unseal(payload, name string) (id token.ID, ours bool) {
	member := idMember(name)
	end := len(payload) - len(idEnd)
	start := end - idLength
	claims := start - len(member)
	if claims < 0 || payload[end:] != idEnd || payload[claims:start] != member {
		return id, false
	}
	if id, ours = token.ParseID(payload[start:end]); !ours {
		return id, false
	}
	i.idMAC.with(func(mac hash.Hash) { ours = id.Verify(bound{mac, []byte(payload[:claims])}) })
	return id, ours
}

// follows moves the clock to the issue of a token of ours that lies ahead:
// another process, or this one before it was started anew, had a clock that was
// a little faster. Only what was sealed here can do that.
func (d *Door) follows(raw string) bool {
	_, p, _, err := token.Split(raw)
	if err != nil {
		return false
	}
	payload, err := token.DecodeSegment(p)
	if err != nil {
		return false
	}
	id, ours := d.issuer.unseal(string(payload), d.Format.id)
	if ours {
		d.issuer.clock.follow(id.IssuedAt)
	}
	return ours
}

// bound is a keyed hash that has read something before all else. What follows,
// the id's session and instant, is of one length: no other split gives the same
// bytes.
type bound struct {
	hash.Hash
	to []byte
}

func (b bound) Reset() {
	b.Hash.Reset()
	b.Hash.Write(b.to)
}

package verifier

import "encoding/binary"

// Parts is how many parts a Revocations has. A fact is in the same one always, in
// every process.
const Parts = shardCount

// Part is what some parts of a Revocations hold.
type Part struct {
	// Tokens and Sessions are 20 bytes for each that is revoked: its key, 16, and until
	// when, 4, in seconds since 1970, rounded up, big-endian; 0: keep it.
	Tokens, Sessions []byte
	// Marks are of the other kinds. Their Until is 0.
	Marks []Fact
}

// ReadPart adds to a Part what one of the parts holds, from 0 up to Parts. What a
// call of Add that has returned took in is in its part, unless it was pruned; what one
// takes in meanwhile may be. Facts of tenants and of all are in part 0.
func (r *Revocations) ReadPart(n int, into *Part) {
	if n == 0 {
		r.readWide(into)
	}
	s := &r.shards[n]
	s.mu.RLock()
	defer s.mu.RUnlock()
	into.Tokens = appendIDs(into.Tokens, s.ids[tokenIDs])
	into.Sessions = appendIDs(into.Sessions, s.ids[sessionIDs])
	for i, kind := range [...]FactKind{RevokedSubject, RevokedClient} {
		for key, at := range s.marks[i] {
			into.Marks = append(into.Marks, Fact{Kind: kind, Key: key, At: at})
		}
	}
}

func (r *Revocations) readWide(into *Part) {
	if tenants := r.tenants.Load(); tenants != nil {
		for tenant, at := range *tenants {
			into.Marks = append(into.Marks, Fact{Kind: RevokedTenant, Key: tenant, At: at})
		}
	}
	if at := r.all.Load(); at != 0 {
		into.Marks = append(into.Marks, Fact{Kind: RevokedAll, At: at})
	}
}

// appendIDs makes room once, since there may be very many.
func appendIDs(b []byte, m map[[16]byte]uint32) []byte {
	if room := len(b) + len(m)*idBytes; room > cap(b) {
		b = append(make([]byte, 0, room), b...)
	}
	for id, until := range m {
		b = binary.BigEndian.AppendUint32(append(b, id[:]...), until)
	}
	return b
}

// markRoom is what a mark takes besides its key, at the least.
const markRoom = 32

// PartBytes is about how many bytes ReadPart would add to a Part.
func (r *Revocations) PartBytes(n int) int {
	s := &r.shards[n]
	s.mu.RLock()
	defer s.mu.RUnlock()
	total := idBytes * (len(s.ids[tokenIDs]) + len(s.ids[sessionIDs]))
	for _, marks := range s.marks {
		for key := range marks {
			total += markRoom + len(key)
		}
	}
	return total
}

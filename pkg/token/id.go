package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
)

// ID is what the jti of a token of our own says: the login (session) it belongs
// to, when it was issued, and a MAC by which only the issuing service knows it
// for its own. On the wire it is base64url of 40 bytes: session 16, issue time
// in microseconds since 1970 as a big-endian uint64, MAC 16.
type ID struct {
	Session  [16]byte
	IssuedAt int64 // microseconds since 1970-01-01 UTC
	MAC      [16]byte
}

const idBytes = 16 + 8 + 16

// NewID makes an ID and its MAC; mac is a keyed hash (HMAC) that is reset here.
func NewID(session [16]byte, issuedAt int64, mac hash.Hash) ID {
	id := ID{Session: session, IssuedAt: issuedAt}
	id.MAC = id.sum(mac)
	return id
}

func (id ID) sum(mac hash.Hash) (sum [16]byte) {
	var b [24]byte
	copy(b[:], id.Session[:])
	binary.BigEndian.PutUint64(b[16:], uint64(id.IssuedAt))
	mac.Reset()
	mac.Write(b[:])
	copy(sum[:], mac.Sum(nil))
	return sum
}

// String returns the wire form, 54 characters.
func (id ID) String() string {
	var b [idBytes]byte
	copy(b[:], id.Session[:])
	binary.BigEndian.PutUint64(b[16:], uint64(id.IssuedAt))
	copy(b[24:], id.MAC[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseID reads the wire form. It reports false for an identifier of another
// shape; a true answer proves nothing until Verify has been asked.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != base64.RawURLEncoding.EncodedLen(idBytes) {
		return id, false
	}
	var scratch [idBytes]byte
	b, err := AppendSegment(scratch[:0], s)
	if err != nil {
		return id, false
	}
	copy(id.Session[:], b[:16])
	id.IssuedAt = int64(binary.BigEndian.Uint64(b[16:]))
	copy(id.MAC[:], b[24:])
	return id, id.IssuedAt >= 0
}

// Verify reports, in constant time, whether the MAC was made with that key.
func (id ID) Verify(mac hash.Hash) bool {
	sum := id.sum(mac)
	return hmac.Equal(sum[:], id.MAC[:])
}

// Identity names one token for revocation, whatever the spelling of its text:
// the first 16 bytes of SHA-256 over issuer and jti, or, for a token without a
// jti, over the decoded header and payload. The signature is never part of it,
// since one token can have many valid signatures.
func (t *Token) Identity() [16]byte {
	if id := t.Claims.ID(); id != "" {
		return IdentityOf(t.Claims.Issuer(), id)
	}
	h := sha256.New()
	h.Write([]byte{1})
	h.Write([]byte(t.Header.members.raw))
	h.Write([]byte{'.'})
	h.Write([]byte(t.Claims.raw))
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0])[:16])
}

// IdentityOf is the Identity of a token with that issuer and jti.
func IdentityOf(issuer, jti string) [16]byte {
	b := make([]byte, 0, 256)
	b = binary.BigEndian.AppendUint32(append(b, 0), uint32(len(issuer)))
	b = append(b, issuer...)
	b = append(b, jti...)
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

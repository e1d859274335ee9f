package issuer

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// randomUUID is one of version 4 (RFC 9562 section 5.4).
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:])
	return writeUUID(b, 4)
}

// timeUUID is one of version 7 (RFC 9562 section 5.7) of an instant, to the microsecond:
// those that are made one after the other lie side by side in an index, and a commit
// has few pages of it to write.
func timeUUID(at int64) string {
	const micro = 1000 // in a millisecond
	var b [16]byte
	rand.Read(b[:])
	binary.BigEndian.PutUint64(b[:8], uint64(at/micro)<<16|uint64(at%micro)<<12/micro)
	return writeUUID(b, 7)
}

func writeUUID(b [16]byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isUUID takes a UUID as it is written here: in lower case.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

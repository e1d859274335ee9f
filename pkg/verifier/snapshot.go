package verifier

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A file of revocations is a header and blocks, all numbers big-endian:
//
//	header: "ats-rev" 1, 8 random bytes that tell one file from its successor
//	block:  kind 1, number of facts 3, length 4, CRC-32C of these and the payload 4, payload
//
// The payload of tokens and sessions is 20 bytes each: id 16, until 4 in seconds
// since 1970 (0: keep). Of subjects, tenants and clients: length of the key 2,
// key, at 8 in microseconds. Of all: at 8. Of the end of a snapshot: the number of facts
// before it, 8. Further blocks may be appended at any time.
const (
	magic       = "ats-rev\x01"
	headerBytes = len(magic) + 8
	blockHeader = 12
	maxBlock    = 1 << 20
	idBytes     = 20
)

const (
	blockTokens = iota + 1
	blockSessions
	blockSubjects
	blockTenants
	blockAll
	blockEnd
	blockClients
)

// ErrCorrupt is wrapped by the errors about a file of revocations that is cut off
// or whose checksum does not match.
var ErrCorrupt = errors.New("the file of revocations is damaged")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// blockWriter gathers records of one kind into blocks.
type blockWriter struct {
	w     io.Writer
	block []byte
	table *crc32.Table
	here  uint32 // facts in the block
	facts uint64 // facts in all
	err   error
}

func newBlockWriter(w io.Writer) *blockWriter {
	return &blockWriter{w: w, table: castagnoli(), block: make([]byte, blockHeader, maxBlock)}
}

// add appends one record to the block of that kind, and begins another block
// where there is no room.
func (b *blockWriter) add(kind byte, record []byte) {
	if len(b.block)+len(record) > maxBlock || b.block[0] != kind {
		b.flush()
	}
	b.block[0] = kind
	b.block = append(b.block, record...)
	b.here++
	b.facts++
}

func (b *blockWriter) flush() {
	if len(b.block) > blockHeader && b.err == nil {
		binary.BigEndian.PutUint32(b.block, uint32(b.block[0])<<24|b.here)
		binary.BigEndian.PutUint32(b.block[4:], uint32(len(b.block)-blockHeader))
		sum := crc32.Update(crc32.Checksum(b.block[:8], b.table), b.table, b.block[blockHeader:])
		binary.BigEndian.PutUint32(b.block[8:], sum)
		_, b.err = b.w.Write(b.block)
	}
	b.block, b.here = append(b.block[:0], make([]byte, blockHeader)...), 0
}

func (b *blockWriter) ids(kind byte, m map[[16]byte]uint32) {
	var record [idBytes]byte
	for id, until := range m {
		copy(record[:], id[:])
		binary.BigEndian.PutUint32(record[16:], until)
		b.add(kind, record[:])
	}
}

func (b *blockWriter) mark(kind byte, key string, at int64) {
	record := binary.BigEndian.AppendUint16(make([]byte, 0, 64), uint16(len(key)))
	record = append(record, key...)
	b.add(kind, binary.BigEndian.AppendUint64(record, uint64(at)))
}

func (b *blockWriter) number(kind byte, n uint64) {
	b.add(kind, binary.BigEndian.AppendUint64(nil, n))
}

// Save writes all facts. Facts that are added meanwhile may be missing. The
// caller makes the file durable before putting it in place of another.
func (r *Revocations) Save(w io.Writer) error {
	header := append([]byte(magic), make([]byte, 8)...)
	rand.Read(header[len(magic):])
	if _, err := w.Write(header); err != nil {
		return err
	}
	b := newBlockWriter(w)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		b.ids(blockTokens, s.ids[tokenIDs])
		b.ids(blockSessions, s.ids[sessionIDs])
		for i, kind := range []byte{blockSubjects, blockClients} {
			for key, at := range s.marks[i] {
				b.mark(kind, key, at)
			}
		}
		s.mu.RUnlock()
	}
	if tenants := r.tenants.Load(); tenants != nil {
		for tenant, at := range *tenants {
			b.mark(blockTenants, tenant, at)
		}
	}
	if at := r.all.Load(); at != 0 {
		b.number(blockAll, uint64(at))
	}
	b.number(blockEnd, b.facts)
	b.flush()
	return b.err
}

// AppendFacts writes facts behind what Save wrote, in one call of Write for each
// of their kinds in a row. A file that a FileFeed follows grows by it.
func AppendFacts(w io.Writer, facts ...Fact) error {
	b := newBlockWriter(w)
	for _, f := range facts {
		switch f.Kind {
		case RevokedToken, RevokedSession:
			if len(f.Key) != 16 {
				return fmt.Errorf("a revoked %s whose key has %d bytes, not 16", f.Kind, len(f.Key))
			}
			kind := byte(blockTokens)
			if f.Kind == RevokedSession {
				kind = blockSessions
			}
			b.ids(kind, map[[16]byte]uint32{[16]byte([]byte(f.Key)): wholeSeconds(f.Until)})
		case RevokedSubject, RevokedTenant, RevokedClient:
			if len(f.Key) > maxKeyName {
				return fmt.Errorf("a revoked %s whose key has %d bytes, at most %d are possible", f.Kind, len(f.Key), maxKeyName)
			}
			b.mark(markBlock(f.Kind), f.Key, f.At)
		case RevokedAll:
			b.number(blockAll, uint64(f.At))
		default:
			return fmt.Errorf("a fact of the unknown kind %q", f.Kind)
		}
	}
	b.flush()
	return b.err
}

// markBlock is the kind of block of facts that are a key and an instant.
func markBlock(kind FactKind) byte {
	switch kind {
	case RevokedTenant:
		return blockTenants
	case RevokedClient:
		return blockClients
	}
	return blockSubjects
}

const maxKeyName = 4096

package verifier

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"
)

// Load adds the facts that Save wrote, and those appended since. An error wraps
// ErrCorrupt when the snapshot is cut off or damaged; what was read until then
// stays added.
func (r *Revocations) Load(from io.Reader) error {
	in := bufio.NewReaderSize(from, maxBlock)
	if _, err := readHeader(in); err != nil {
		return err
	}
	l := newLoader(r)
	ended, err := l.read(in)
	close(l.blocks)
	l.wait.Wait()
	switch {
	case l.failed() != nil:
		return l.failed()
	case err != nil:
		return err
	case !ended:
		return fmt.Errorf("%w: the snapshot in it has no end", ErrCorrupt)
	}
	return nil
}

func readHeader(in io.Reader) (id [8]byte, err error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return id, fmt.Errorf("%w: it has no header: %w", ErrCorrupt, err)
	}
	if string(header[:len(magic)]) != magic {
		return id, fmt.Errorf("%w: it is not of this kind or version", ErrCorrupt)
	}
	return [8]byte(header[len(magic):]), nil
}

// block is one block as it was read; check comes later, in parallel.
type block struct {
	head    [blockHeader]byte
	payload []byte
}

func (b *block) kind() byte    { return b.head[0] }
func (b *block) facts() uint64 { return uint64(binary.BigEndian.Uint32(b.head[:]) & 0xffffff) }

// readBlock gives io.EOF only between two blocks.
func readBlock(in io.Reader) (b block, err error) {
	if _, err := io.ReadFull(in, b.head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: it is cut off: %w", ErrCorrupt, err)
		}
		return b, err
	}
	n := binary.BigEndian.Uint32(b.head[4:])
	if n > maxBlock {
		return b, fmt.Errorf("%w: a block of %d bytes", ErrCorrupt, n)
	}
	b.payload = make([]byte, n)
	if _, err := io.ReadFull(in, b.payload); err != nil {
		return b, fmt.Errorf("%w: it is cut off: %w", ErrCorrupt, io.ErrUnexpectedEOF)
	}
	return b, nil
}

// check compares the checksum.
func (b *block) check(table *crc32.Table) error {
	sum := crc32.Update(crc32.Checksum(b.head[:8], table), table, b.payload)
	if sum != binary.BigEndian.Uint32(b.head[8:]) {
		return fmt.Errorf("%w: a checksum does not match", ErrCorrupt)
	}
	return nil
}

// loader lets all cores check and add blocks.
type loader struct {
	blocks chan block
	wait   sync.WaitGroup
	mu     sync.Mutex
	err    error
}

func newLoader(into *Revocations) *loader {
	l := &loader{blocks: make(chan block, 4)}
	for range runtime.GOMAXPROCS(0) {
		l.wait.Go(func() {
			table := castagnoli()
			for b := range l.blocks {
				if err := into.addBlock(b, table); err != nil {
					l.mu.Lock()
					l.err = errors.Join(l.err, err)
					l.mu.Unlock()
				}
			}
		})
	}
	return l
}

func (l *loader) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// read hands out blocks to the end of the file. It tells whether the snapshot is
// whole; facts behind its end were appended later.
func (l *loader) read(in io.Reader) (ended bool, err error) {
	var facts uint64
	for l.failed() == nil {
		b, err := readBlock(in)
		if errors.Is(err, io.EOF) {
			return ended, nil
		}
		if err != nil {
			return ended, err
		}
		if b.kind() == blockEnd {
			if len(b.payload) != 8 || binary.BigEndian.Uint64(b.payload) != facts {
				return ended, fmt.Errorf("%w: facts are missing", ErrCorrupt)
			}
			ended = true
		}
		facts += b.facts()
		l.blocks <- b
	}
	return ended, nil
}

func (r *Revocations) addBlock(b block, table *crc32.Table) error {
	if err := b.check(table); err != nil {
		return err
	}
	wrong := fmt.Errorf("%w: a block does not hold what it says", ErrCorrupt)
	switch b.kind() {
	case blockTokens, blockSessions:
		if uint64(len(b.payload)) != b.facts()*idBytes {
			return wrong
		}
		r.addIDs(int(b.kind()-blockTokens), b.payload)
	case blockSubjects, blockTenants, blockClients:
		return r.addMarks(b, wrong)
	case blockAll:
		if uint64(len(b.payload)) != b.facts()*8 {
			return wrong
		}
		for p := b.payload; len(p) > 0; p = p[8:] {
			raise(&r.all, int64(binary.BigEndian.Uint64(p)))
		}
	case blockEnd:
	default:
		return fmt.Errorf("%w: a block of the unknown kind %d", ErrCorrupt, b.kind())
	}
	return nil
}

// addIDs locks a shard once for all ids in a row that are its own: in a snapshot
// they stand together.
func (r *Revocations) addIDs(kind int, list []byte) {
	for len(list) > 0 {
		n := idBytes
		for n < len(list) && list[n] == list[0] {
			n += idBytes
		}
		s := &r.shards[list[0]]
		s.mu.Lock()
		if s.ids[kind] == nil {
			s.ids[kind] = make(map[[16]byte]uint32, n/idBytes)
		}
		var added int64
		for p := list[:n]; len(p) > 0; p = p[idBytes:] {
			added += s.addID(kind, [16]byte(p), binary.BigEndian.Uint32(p[16:]))
		}
		s.mu.Unlock()
		r.count[kind].Add(added)
		list = list[n:]
	}
}

func (r *Revocations) addMarks(b block, wrong error) error {
	p := b.payload
	for range b.facts() {
		if len(p) < 2 {
			return wrong
		}
		n := int(binary.BigEndian.Uint16(p))
		if len(p) < 2+n+8 {
			return wrong
		}
		key, at := string(p[2:2+n]), int64(binary.BigEndian.Uint64(p[2+n:]))
		switch b.kind() {
		case blockSubjects:
			r.addMark(subjectKeys, key, at)
		case blockClients:
			r.addMark(clientKeys, key, at)
		default:
			r.addTenant(key, at)
		}
		p = p[2+n+8:]
	}
	if len(p) > 0 {
		return wrong
	}
	return nil
}

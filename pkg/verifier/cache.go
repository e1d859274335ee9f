package verifier

import (
	"strings"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// entry is a token that was found good, with what must be asked again each time.
type entry struct {
	claims    *token.Claims
	set       *KeySet // the keys in force then; nil for an opaque token
	query     Query
	more      []Query // that void it as well
	stranger  bool    // of a tenant whose revocations are not known
	notBefore int64   // microseconds since 1970
	notAfter  int64   // exclusive
}

// entryBytes is what an entry costs besides the token's text, which it holds
// once as a key and about once in its claims.
const entryBytes = 900

func (e *entry) cost(key string) int64 {
	return entryBytes + 2*int64(len(key)) + 256*int64(len(e.more))
}

const cacheShards = 16

// cache remembers good tokens within a bound of bytes. Each shard has two
// generations: when the young one is full it becomes the old one, and what is
// asked for meanwhile moves back; the rest is forgotten with the old one. Only
// tokens that verified enter, so a flood of forgeries changes nothing.
type cache struct {
	budget int64 // of one generation of one shard
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu         sync.RWMutex
	young, old map[string]*entry
	bytes      int64 // of young
}

// newCache returns nil, which remembers nothing, where there is no room at all.
func newCache(bytes int64) *cache {
	if bytes <= 0 {
		return nil
	}
	return &cache{budget: bytes / cacheShards / 2}
}

// shard is told by the end of the key, which is a signature's or a hash's.
func (c *cache) shard(key string) *cacheShard {
	if len(key) < 4 {
		return &c.shards[0]
	}
	end := key[len(key)-4:]
	return &c.shards[(end[0]^end[1]<<1^end[2]<<2)%cacheShards]
}

func (c *cache) find(key string) *entry {
	if c == nil {
		return nil
	}
	s := c.shard(key)
	s.mu.RLock()
	e, young := s.young[key]
	if !young {
		e = s.old[key]
	}
	s.mu.RUnlock()
	if e != nil && !young {
		c.put(key, e)
	}
	return e
}

// put remembers an entry unless it is too large on its own.
func (c *cache) put(key string, e *entry) {
	if c == nil || e.cost(key) > c.budget {
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.young[key]; known {
		s.young[key] = e
		return
	}
	if s.bytes += e.cost(key); s.young == nil || s.bytes > c.budget {
		s.old, s.young, s.bytes = s.young, make(map[string]*entry), e.cost(key)
	}
	// The key may be a part of something large.
	s.young[strings.Clone(key)] = e
}

func (c *cache) drop(key string) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, key)
	if e, known := s.young[key]; known {
		delete(s.young, key)
		s.bytes -= e.cost(key)
	}
}

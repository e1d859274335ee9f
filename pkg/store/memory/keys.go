package memory

import (
	"math"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func (c *change) retireKey(v store.RetireKey) error {
	k, ok := c.keys[v.ID]
	if !ok {
		return known(ok, "key "+v.ID)
	}
	k.State = v.State
	if end := lasts(v.LastSigned, max(v.Least, k.LongestTTL)); k.NotAfter == 0 || end < k.NotAfter {
		k.NotAfter = end
	}
	set(c, c.keys, v.ID, k)
	return nil
}

func (c *change) stretchKey(v store.StretchKey) error {
	k, ok := c.keys[v.ID]
	if !ok {
		return known(ok, "key "+v.ID)
	}
	k.LongestTTL = max(k.LongestTTL, v.TTL)
	if k.NotAfter != 0 {
		k.NotAfter = max(k.NotAfter, lasts(v.At, v.TTL))
	}
	set(c, c.keys, v.ID, k)
	return nil
}

func (c *change) deleteKey(id string) error {
	_, ok := c.keys[id]
	drop(c, c.keys, id)
	return known(ok, "key "+id)
}

// lasts is the instant so many seconds after another, the last one there is
// where that lies beyond it.
func lasts(at, seconds int64) int64 {
	const second = 1_000_000
	if seconds > (math.MaxInt64-max(at, 0))/second {
		return math.MaxInt64
	}
	return at + second*seconds
}

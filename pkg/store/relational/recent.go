package relational

import "sync"

// MostRecent is how many records a Recent keeps.
const MostRecent = 1024

// Recent keeps the records of a kind that were read of one version of the database,
// which is told by V.
type Recent[V comparable, T any] struct {
	mu    sync.RWMutex
	as    V
	known map[Name]T
}

// Name is what a record is asked for by.
type Name struct{ Tenant, ID string }

// Find gives a record of a version, if it was kept.
func (r *Recent[V, T]) Find(as V, name Name) (record T, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.as == as {
		record, ok = r.known[name]
	}
	return record, ok
}

// Keep takes a record that was read of a version, or of a later one. What was kept of
// another version is forgotten.
func (r *Recent[V, T]) Keep(as V, name Name, record T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.as != as || r.known == nil || len(r.known) >= MostRecent {
		r.as, r.known = as, map[Name]T{}
	}
	r.known[name] = record
}

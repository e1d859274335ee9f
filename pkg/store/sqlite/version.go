package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// version is the head of the index of the write-ahead log, which every commit of any
// process changes before it is answered: it has a counter of commits and the checksum
// of the last frame (https://www.sqlite.org/walformat.html, section 2.1). Two that are
// the same are of the same state of the database.
type version [48]byte

// index is the index of a log, which all who have the database open share in memory.
// Its file must not be closed while this process has locks on it, since they would be
// lost: all stores over one database have one index, until the last of them is closed.
type index struct {
	file   *os.File
	info   os.FileInfo
	data   []byte
	stores int
}

// indexes are those of this process.
var indexes struct {
	sync.Mutex
	all []*index
}

// openIndex maps the index of the log of a database that is open: nil where there is
// none, or it cannot be mapped. Then every record is read, which takes longer.
func openIndex(database string) *index {
	path, err := filepath.EvalSymlinks(database) // as SQLite does
	if err != nil {
		return nil
	}
	path += "-shm"
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	indexes.Lock()
	defer indexes.Unlock()
	if n := slices.IndexFunc(indexes.all, func(i *index) bool { return os.SameFile(i.info, info) }); n >= 0 {
		indexes.all[n].stores++
		return indexes.all[n]
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	i := &index{file: file, info: info, stores: 1}
	i.data, _ = mapFile(file, len(version{})) // if not, the file stays open all the same
	indexes.all = append(indexes.all, i)
	return i
}

// close is for a store that has no connection any more.
func (i *index) close() error {
	indexes.Lock()
	defer indexes.Unlock()
	if i.stores--; i.stores > 0 {
		return nil
	}
	indexes.all = slices.DeleteFunc(indexes.all, func(one *index) bool { return one == i })
	return errors.Join(unmapFile(i.data), i.file.Close())
}

// versions tells a store what the version of its database is, as long as it is open.
type versions struct {
	mu    sync.RWMutex
	index *index // nil: unknown
}

// now is false where the version is unknown.
func (v *versions) now() (version, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.index == nil || v.index.data == nil {
		return version{}, false
	}
	return version(v.index.data), true
}

// follow takes an index, or none.
func (v *versions) follow(i *index) (before *index) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, v.index = v.index, i
	return before
}

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

// index is the index of the log of one database, which all who have that open share in
// memory. No handle of its file may be closed while this process has a connection to the
// database: the process would lose the locks that keep others from making the index
// anew. So what this process has of it is closed by the last who uses the database.
type index struct {
	path string
	uses int // by those who have a connection, or are about to; under indexes
	maps []mapped
}

type mapped struct {
	file *os.File
	info os.FileInfo
	data []byte // nil where files cannot be mapped
}

// indexes are those of this process, by their paths.
var indexes = struct {
	sync.Mutex
	all map[string]*index
}{all: map[string]*index{}}

// useIndex is to be called before there is a connection to a database, and release when
// there is none any more.
func useIndex(database string) *index {
	if physical, err := filepath.EvalSymlinks(database); err == nil { // as SQLite does
		database = physical
	}
	indexes.Lock()
	defer indexes.Unlock()
	path := database + "-shm"
	i := indexes.all[path]
	if i == nil {
		i = &index{path: path}
		indexes.all[path] = i
	}
	i.uses++
	return i
}

func (i *index) release() error {
	indexes.Lock()
	defer indexes.Unlock()
	if i.uses--; i.uses > 0 {
		return nil
	}
	delete(indexes.all, i.path)
	var all []error
	for _, m := range i.maps {
		all = append(all, unmapFile(m.data), m.file.Close())
	}
	return errors.Join(all...)
}

// data is the index as it is in memory, of a database that is open: nil where that cannot
// be had. Then every record is read, which takes longer.
func (i *index) data() []byte {
	indexes.Lock()
	defer indexes.Unlock()
	info, err := os.Stat(i.path)
	if err != nil {
		return nil
	}
	if n := slices.IndexFunc(i.maps, func(m mapped) bool { return os.SameFile(m.info, info) }); n >= 0 {
		return i.maps[n].data
	}
	file, err := os.Open(i.path)
	if err != nil {
		return nil
	}
	data, _ := mapFile(file, len(version{})) // if not, the file stays open all the same
	i.maps = append(i.maps, mapped{file, info, data})
	return data
}

// versions tells a store what the version of its database is, as long as it is open.
type versions struct {
	mu   sync.RWMutex
	data []byte // nil: unknown
}

// now is false where the version is unknown.
func (v *versions) now() (version, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.data == nil {
		return version{}, false
	}
	return version(v.data), true
}

// follow goes by an index in memory from now on, or by none.
func (v *versions) follow(data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.data = data
}

package session

import (
	"crypto/rand"
	"path/filepath"
)

// Room is a place on the disk for a file that is to come, so that a full disk, or
// a directory that cannot be written to, is found out before what the file is to
// hold is asked for.
type Room struct{ draft *draft }

// Reserve makes room for a file of that many bytes at most, beside the place that
// Commit gives it. The other file there stays until then.
func Reserve(target string, bytes int) (*Room, error) {
	temp := filepath.Join(filepath.Dir(target), ".ats-auth-"+rand.Text())
	d, err := newDraft(target, temp, bytes, nil)
	if err != nil {
		return nil, err
	}
	return &Room{d}, nil
}

// Name is where the file is until it has its place.
func (r *Room) Name() string { return r.draft.temp }

// Commit writes the file, durably, mode 0600, and puts it in its place. After an
// error what was written may stand at Name; nothing takes it away.
func (r *Room) Commit(data []byte) error { return r.draft.commit(data) }

// Discard gives back room that was not needed.
func (r *Room) Discard() { r.draft.discard() }

// SyncDir makes the names in a directory durable, where a system can.
func SyncDir(dir string) error { return syncDir(dir) }

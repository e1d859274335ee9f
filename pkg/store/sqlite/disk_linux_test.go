package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// disk is a file system in memory whose power can be cut: then it answers nothing any
// more, and of each file there is what was flushed. Names are there at once, as after a
// flush of their directory.
type disk struct {
	fs.Inode
	mu      sync.Mutex
	files   map[string]*diskFile
	off     bool
	flushes int
}

// diskFile is what a file holds, and what it would hold after a power cut.
type diskFile struct {
	fs.Inode
	disk          *disk
	live, flushed []byte
	from, to      int // what has changed since the last flush
}

// newDisk mounts one.
func newDisk(t *testing.T) (d *disk, dir string) {
	t.Helper()
	d, dir = &disk{files: map[string]*diskFile{}}, t.TempDir()
	options := &fs.Options{MountOptions: fuse.MountOptions{FsName: "power", DirectMount: true}}
	if _, err := fs.Mount(dir, d, options); err != nil {
		t.Skipf("NOT TESTED: A POWER CUT, which takes FUSE: %v", err)
	}
	t.Cleanup(func() {
		// Its Unmount would wait for the end of the last mount, of which a process with
		// mounts of its own may have a copy.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

// cut takes the power away, and leaves in a directory what is on the disk then.
func (d *disk) cut(t *testing.T) (dir string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off, dir = true, t.TempDir()
	for name, f := range d.files {
		if filepath.Ext(name) == ".db-shm" { // made anew
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), f.flushed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Create is fs.NodeCreater.
func (d *disk) Create(ctx context.Context, name string, _, mode uint32, _ *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &diskFile{disk: d}
	d.files[name] = f
	return d.NewPersistentInode(ctx, f, fs.StableAttr{Mode: syscall.S_IFREG | mode}), nil, 0, 0
}

// Unlink is fs.NodeUnlinker.
func (d *disk) Unlink(_ context.Context, name string) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return 0
}

// Open is fs.NodeOpener.
func (f *diskFile) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Getattr is fs.NodeGetattrer.
func (f *diskFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	out.Mode, out.Size, out.Nlink = syscall.S_IFREG|0o600, uint64(len(f.live)), 1
	return 0
}

// Setattr is fs.NodeSetattrer.
func (f *diskFile) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, given := in.GetSize(); given {
		f.disk.mu.Lock()
		f.resize(int(size))
		f.disk.mu.Unlock()
	}
	return f.Getattr(ctx, h, out)
}

func (f *diskFile) resize(size int) {
	f.changed(min(size, len(f.live)), max(size, len(f.live)))
	if size <= len(f.live) {
		f.live = f.live[:size]
	} else {
		f.live = append(f.live, make([]byte, size-len(f.live))...)
	}
}

func (f *diskFile) changed(from, to int) {
	if f.from == f.to {
		f.from, f.to = from, to
		return
	}
	f.from, f.to = min(f.from, from), max(f.to, to)
}

// Read is fs.NodeReader.
func (f *diskFile) Read(_ context.Context, _ fs.FileHandle, into []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return nil, syscall.EIO
	}
	n := 0
	if at < int64(len(f.live)) {
		n = copy(into, f.live[at:])
	}
	return fuse.ReadResultData(into[:n]), 0
}

// Write is fs.NodeWriter.
func (f *diskFile) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return 0, syscall.EIO
	}
	end := int(at) + len(data)
	if end > len(f.live) {
		f.resize(end)
	}
	f.changed(int(at), end)
	copy(f.live[at:], data)
	return uint32(len(data)), 0
}

// Fsync is fs.NodeFsyncer.
func (f *diskFile) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return syscall.EIO
	}
	f.disk.flushes++
	if len(f.flushed) > len(f.live) {
		f.flushed = f.flushed[:len(f.live)]
	}
	f.flushed = append(f.flushed, make([]byte, len(f.live)-len(f.flushed))...)
	if to := min(f.to, len(f.live)); f.from < to {
		copy(f.flushed[f.from:to], f.live[f.from:to])
	}
	f.from, f.to = 0, 0
	return 0
}

// Fsync is fs.NodeFsyncer, of the directory.
func (d *disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return 0 }

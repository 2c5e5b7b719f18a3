//go:build linux

package pidfile

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// An unlink shows as IN_ATTRIB, the change of the link count: IN_DELETE_SELF waits for the last descriptor, which is
// ours.
const watched = unix.IN_ATTRIB | unix.IN_MODIFY | unix.IN_MOVE_SELF

// Watch puts the file back, until Release, when it is deleted, truncated, overwritten, replaced or moved away, and logs
// that it did to log; nil: slog.Default(). It needs Write first, and is called once. It costs nothing while nobody
// touches the file: no polling. Where the file cannot be put back, for want of space or of its directory, or not be
// watched, for want of instances or watches of inotify(7), it tries again after 1 ms, 2 ms … 1 min, and logs that. An
// error says that it was not called in its time; all is as it was.
func (f *File) Watch(log *slog.Logger) error {
	switch {
	case f.pid == 0:
		return fmt.Errorf("pidfile %s: watch: there is no PID in it yet: call Write before", f.path)
	case f.watch != nil:
		return fmt.Errorf("pidfile %s: watch: it is watched already", f.path)
	case log == nil:
		log = slog.Default()
	}
	f.witness.drain() // whether or not the file can be watched
	w := inotify.New(f.fd, f.path, watched)
	f.watch = w
	w.Start(func() (fd int, err error) { return f.putBack(w, log) }, func(what string, err error) {
		log.Error("the pidfile cannot be "+what+", trying on", "path", f.path, "err", err)
	})
	return nil
}

// Unwatch ends the watch, which Release does too. The kernel takes some 10 ms to forget a watch, and keeps a process
// that has one from ending before: call it when the daemon begins to stop.
func (f *File) Unwatch() { f.watch.End() }

// EndWatch is Unwatch for who has no 10 ms to lose: what is left of the watch is the caller's, to be closed when there
// is time. -1: there was no watch.
func (f *File) EndWatch() (fd int) {
	fd = f.watch.Take()
	f.watch = nil
	return fd
}

// putBack is called by the watch, which owns f.fd until it is ended.
func (f *File) putBack(w *inotify.Watch, log *slog.Logger) (fd int, err error) {
	old := f.fd
	what, err := f.restore()
	if err == nil && what != "" {
		log.Warn("the pidfile was "+what+": put back", "path", f.path)
	}
	if f.fd != old {
		w.Forget()
		unix.Close(old)
	}
	return f.fd, err
}

// restore makes the path name our file again and the file say our PID; what is empty when nothing was wrong.
func (f *File) restore() (what string, err error) {
	if !names(f.path, f.fd) {
		return "deleted or replaced", f.replace()
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return "", err
	}
	want := string(f.content())
	if c := readPID(f.fd); c.text != want || c.size != int64(len(want)) {
		what = "overwritten"
		if err := unix.Ftruncate(f.fd, 0); err != nil {
			return what, err
		}
		if err := f.put(f.fd); err != nil {
			return what, err
		}
	}
	if st.Mode&0o7777 != 0o644 {
		what = "given another mode"
		return what, unix.Fchmod(f.fd, 0o644)
	}
	return what, nil
}

// replace renames a new file, locked and written before anybody can see it, over whatever the path names; a link is
// not followed by that. The caller closes the old descriptor.
func (f *File) replace() error {
	if fd, err := unix.Open(f.path, unix.O_RDONLY|openFlags, 0); err == nil {
		taken := writeLocked(fd)
		c := readPID(fd)
		unix.Close(fd)
		if taken && !stranger(c.uid) { // who is refused lets go of it; a stranger need not
			return &HeldError{Path: f.path, PID: c.pid}
		}
	}
	dir, base := filepath.Split(f.path)
	tmp := dir + "." + base + ".new"
	unix.Unlink(tmp) // left by an owner that was killed right here
	fd, err := unix.Open(tmp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|openFlags, 0o644)
	if err != nil {
		return &os.PathError{Op: "create", Path: tmp, Err: err}
	}
	err = errors.Join(unix.Fchmod(fd, 0o644), setLock(fd), f.put(fd))
	if err == nil {
		err = unix.Rename(tmp, f.path)
	}
	if err != nil {
		unix.Unlink(tmp)
		unix.Close(fd)
		return err
	}
	f.fd = fd
	return nil
}

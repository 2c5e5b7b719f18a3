//go:build linux

package pidfile

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// watch is the inotify descriptor of a held file and the goroutine that reads it. An unlink shows as IN_ATTRIB, the
// change of the link count: IN_DELETE_SELF waits for the last descriptor, which is ours.
type watch struct {
	notify *os.File
	ending atomic.Bool
	done   chan struct{}
}

const watched = unix.IN_ATTRIB | unix.IN_MODIFY | unix.IN_MOVE_SELF

// Watch puts the file back, until Release, when it is deleted, truncated, overwritten, replaced or moved away, and
// logs to log, which is not nil, that it did. It needs Write first, and is called once. It costs nothing while nobody
// touches the file: no polling. Where the file cannot be put back, for want of space or of its directory, it tries
// again after 1 ms, 2 ms … 1 min. An error says that nobody watches; all else is as it was.
func (f *File) Watch(log *slog.Logger) error {
	f.witness.drain() // whether or not the file can be watched
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("pidfile %s: watch: %w", f.path, err)
	}
	w := &watch{notify: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{})}
	wd, err := w.add(f.fd)
	if err != nil {
		w.notify.Close()
		return fmt.Errorf("pidfile %s: watch: %w", f.path, err)
	}
	f.watch = w
	go func() {
		defer close(w.done)
		w.run(f, wd, log)
	}()
	return nil
}

// add watches the inode itself, whatever the path has come to name.
func (w *watch) add(fd int) (wd int, err error) {
	raw, err := w.notify.SyscallConn()
	if err != nil {
		return 0, err
	}
	e := raw.Control(func(notify uintptr) {
		wd, err = unix.InotifyAddWatch(int(notify), "/proc/self/fd/"+strconv.Itoa(fd), watched)
	})
	return wd, errors.Join(e, err)
}

func (w *watch) remove(wd int) {
	if raw, err := w.notify.SyscallConn(); err == nil {
		raw.Control(func(notify uintptr) { unix.InotifyRmWatch(int(notify), uint32(wd)) })
	}
}

// Unwatch ends the watch, which Release does too. The kernel takes some 10 ms to forget a watch, and keeps a process
// that has one from ending before: call it when the daemon begins to stop.
func (f *File) Unwatch() {
	if w := f.watch; w != nil {
		w.ending.Store(true)
		w.notify.SetReadDeadline(time.Now())
		<-w.done
	}
}

// EndWatch is Unwatch for who has no 10 ms to lose: what is left of the watch is the caller's, to be closed when there
// is time. -1: there was no watch.
func (f *File) EndWatch() (fd int) {
	fd = -1
	if w := f.watch; w != nil {
		f.Unwatch()
		fd = inotify.Take(w.notify)
		f.watch = nil
	}
	return fd
}

// closeWatch is for Release: the watch must not put back what Release removes.
func (f *File) closeWatch() {
	if f.watch != nil {
		f.Unwatch()
		inotify.Close(f.watch.notify)
	}
}

// run owns f.fd until the watch is ended.
func (w *watch) run(f *File, wd int, log *slog.Logger) {
	const soonest, latest = time.Millisecond, time.Minute
	buf := make([]byte, 4096)
	wait := soonest
	for watching := true; !w.ending.Load(); {
		old := f.fd
		what, err := f.restore()
		cannot := "put back"
		if err == nil && what != "" {
			log.Warn("the pidfile was "+what+": put back", "path", f.path)
		}
		if f.fd != old {
			w.remove(wd)
			unix.Close(old)
			watching = false
		}
		if err == nil && !watching {
			if wd, err = w.add(f.fd); err == nil {
				watching = true
				continue // it may have been touched before the watch was on it
			}
			cannot = "watched"
		}
		if err == nil {
			w.notify.SetReadDeadline(time.Time{})
			wait = soonest
		} else {
			if wait == soonest*16 { // not worth a word while somebody's refused start lets go of it
				log.Error("the pidfile cannot be "+cannot+", trying on", "path", f.path, "err", err)
			}
			w.notify.SetReadDeadline(time.Now().Add(wait))
			wait = min(2*wait, latest)
		}
		if !w.ending.Load() {
			w.notify.Read(buf) // until there is news, the deadline, or the end
		}
	}
	w.remove(wd)
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

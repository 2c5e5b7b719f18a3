//go:build linux

package inotify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Watch is for who keeps a file in its place: a function of theirs looks after it whenever its inode was touched, or
// its directory moved away with it. It costs nothing while nobody does: no polling, and nothing is told of what else
// happens in the directory, for /run is busy. A nil Watch watches nothing.
type Watch struct {
	begin     func() (instance int, err error)
	instance  atomic.Pointer[os.File] // nil: there is none yet
	woken     chan struct{}           // stands in for it, of capacity 1
	directory string
	events    uint32
	wds       [2]int // the numbers of the inode and the directory in the instance; -1: is not watched
	ending    atomic.Bool
	looks     chan chan struct{} // closed when it was looked
	done      chan struct{}
}

// New watches the inode that a descriptor has open, whatever its path has come to name, for events such as
// unix.IN_ATTRIB, and the directory of the path, if it may be read. [Watch.Start] follows, and tries again what cannot
// be watched yet, for want of what others have.
func New(fd int, path string, events uint32) *Watch {
	w := &Watch{begin: func() (int, error) { return unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK) },
		woken: make(chan struct{}, 1), directory: filepath.Dir(path), events: events,
		wds: [2]int{-1, -1}, looks: make(chan chan struct{}, 1), done: make(chan struct{})}
	w.add(fd)
	return w
}

func (w *Watch) add(fd int) error {
	if w.instance.Load() == nil {
		instance, err := w.begin()
		if err != nil {
			return fmt.Errorf("%w (too few for it: sysctl fs.inotify.max_user_instances, ulimit -n)", err)
		}
		w.instance.Store(os.NewFile(uintptr(instance), "inotify"))
	}
	raw, err := w.instance.Load().SyscallConn()
	if err != nil {
		return err
	}
	e := raw.Control(func(instance uintptr) {
		w.wds[0], err = unix.InotifyAddWatch(int(instance), "/proc/self/fd/"+strconv.Itoa(fd), w.events)
		w.wds[1], _ = unix.InotifyAddWatch(int(instance), w.directory, unix.IN_MOVE_SELF|unix.IN_ONLYDIR)
	})
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w (too few watches: sysctl fs.inotify.max_user_watches)", err)
	}
	return errors.Join(e, err)
}

// Forget ends the watching. It is for look, which is about to let go of the inode.
func (w *Watch) Forget() {
	if raw, err := w.instance.Load().SyscallConn(); err == nil { // of nil it is one
		raw.Control(func(instance uintptr) {
			for _, wd := range w.wds {
				unix.InotifyRmWatch(int(instance), uint32(wd))
			}
		})
	}
	w.wds = [2]int{-1, -1}
}

// Start has look called on a goroutine of its own until the end: at once, when the inode was touched, and after an
// error again in 1 ms, 2 ms … 1 min. The descriptor that it returns is of the inode that is to be watched from now on.
// What lasts for a while is told once: what it is that cannot be done, "put back" or "watched", and why.
func (w *Watch) Start(look func() (fd int, err error), cannot func(what string, err error)) {
	go func() {
		defer close(w.done)
		w.run(look, cannot)
	}()
}

func (w *Watch) run(look func() (fd int, err error), cannot func(what string, err error)) {
	const soonest, latest = time.Millisecond, time.Minute
	buf := make([]byte, 512)
	for wait := soonest; !w.ending.Load(); {
		var looked chan struct{}
		select {
		case looked = <-w.looks:
		default:
		}
		fd, err := look()
		if looked != nil {
			close(looked)
		}
		what := "put back"
		if err == nil && w.wds[0] < 0 {
			if err = w.add(fd); err == nil {
				continue // it may have been touched before the watch was on it
			}
			what = "watched"
		}
		instance, until := w.instance.Load(), time.Time{}
		if err == nil {
			wait = soonest
		} else {
			if wait == soonest*16 { // not worth a word while somebody's refused start lets go of it
				cannot(what, err)
			}
			until = time.Now().Add(wait)
			wait = min(2*wait, latest)
		}
		instance.SetReadDeadline(until)
		switch {
		case w.ending.Load() || len(w.looks) > 0: // their deadline may have been taken away above
		case instance != nil:
			instance.Read(buf) // until there is news, the deadline, or the end
		default:
			t := time.NewTimer(time.Until(until))
			select {
			case <-w.woken:
			case <-t.C:
			}
			t.Stop()
		}
	}
	w.Forget()
}

// wake has run go on.
func (w *Watch) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
	w.instance.Load().SetReadDeadline(time.Now())
}

// Look has look called, and waits for that, or for the end. Call it once at a time.
func (w *Watch) Look() {
	looked := make(chan struct{})
	select {
	case w.looks <- looked:
	case <-w.done:
	}
	w.wake()
	select {
	case <-looked:
	case <-w.done:
	}
}

// End ends it: when it returns, look is not called any more. The kernel takes some 10 ms to forget a watch, and keeps a
// process that has one from ending before.
func (w *Watch) End() {
	if w != nil {
		w.ending.Store(true)
		w.wake()
		<-w.done
	}
}

// Close ends it, and closes what is left of it; it may be called again.
func (w *Watch) Close() {
	if w != nil {
		w.End()
		if f := w.instance.Load(); f != nil {
			discard(f)
		}
	}
}

// Take is Close for who has no 10 ms to lose: what is left is the caller's, to be closed when there is time. -1:
// nothing is.
func (w *Watch) Take() (fd int) {
	if w == nil {
		return -1
	}
	w.End()
	if w.instance.Load() == nil {
		return -1
	}
	return take(w.instance.Load())
}

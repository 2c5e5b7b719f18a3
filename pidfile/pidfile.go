//go:build linux

// Package pidfile lets at most one process hold a path, and makes the path say which.
//
// It is the routine that init scripts, monit and administrators know: look for the file, ask with signal 0 whether
// the process in it lives, remove the file of a dead one, write one's own PID. What makes it sound is the lock: an
// open-file-description write lock (fcntl(2), F_OFD_SETLK) is held on the file for as long as the owner lives, every
// decision is made under it, and the kernel frees it however the owner ends. A [File] also holds a second witness,
// see docs/adr/0003, so that `rm pidfile; start` does not make two owners.
//
// The file is empty between [Lock] and [File.Write] (its owner is starting), says "starting" from [File.Suspend] on,
// and holds exactly "%d\n" else; its mode is 0644. Linux only. What a stale file said is logged through [slog.Default].
package pidfile

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// A File is a held pidfile. Its methods are for one goroutine at a time; it keeps its descriptors close-on-exec, and
// neither the collector nor a forked child can let go of the lock.
type File struct {
	path    string
	fd      int // the lock lives as long as this description
	witness witness
	watch   *inotify.Watch // nil until Watch
	pid     int            // what the file must say; 0 until Write
	stale   bool
}

// Running is the kill-0/unlink routine: it returns the PID of the live process that owns path, or 0 when nothing runs.
// The file of a dead owner is logged and unlinked, under its lock and only if path still names it; where the caller
// may not do that it is left alone, which is no error. An owner that has locked the file but not written its PID yet
// is a *[HeldError] with PID 0; other errors are those of [Look] and [Lock].
func Running(path string) (pid int, err error) {
	st, err := Look(path)
	if err != nil {
		return 0, err
	}
	switch st.State {
	case Held:
		return st.PID, nil
	case Starting:
		return 0, &HeldError{Path: path}
	case Free:
		return 0, nil
	}
	f, err := Lock(path)
	var held *HeldError
	switch {
	case errors.As(err, &held) && held.PID != 0:
		return held.PID, nil
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS), errors.Is(err, unix.EPERM):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return 0, f.Release()
}

// Acquire is [Lock] and then [File.Write]: the whole routine, for a process that does not detach.
func Acquire(path string) (*File, error) {
	f, err := Lock(path)
	if err != nil {
		return nil, err
	}
	if err := f.Write(); err != nil {
		return nil, err
	}
	return f, nil
}

// Lock takes path for this process and leaves the file empty; nothing is truncated or removed before the lock is
// held. A live owner is a *[HeldError]; a dead one whose lock is still held, by a child that dies with it, is waited
// for, a second at most. A path that is a symbolic link, a directory, a FIFO or a device is an error, and is neither
// followed nor waited for. A file that belongs to neither root nor this process's user is replaced by one of its
// own; where that cannot be done, and in a sticky directory, it is an error. So is a directory that does not exist. A
// relative path means the current directory now, and stays there.
func Lock(path string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("pidfile %s: %w", path, err)
	}
	for range 100 {
		f, err := lockOnce(path)
		var held *HeldError
		switch {
		case errors.As(err, &held) && held.PID != 0 && !alive(held.PID):
			// A child of the dead, killed before its exec, is about to let go; or a live owner to put its file right.
			time.Sleep(10 * time.Millisecond)
		case !errors.Is(err, errMoved):
			return f, err
		}
	}
	if held, _ := Look(path); held.State == Held {
		return nil, &HeldError{Path: path, PID: held.PID}
	}
	return nil, fmt.Errorf("pidfile %s: it is replaced again and again: is another program using this path?", path)
}

func lockOnce(path string) (*File, error) {
	fd, created, err := openForLock(path)
	if err != nil {
		return nil, err
	}
	drop := func(err error) (*File, error) {
		unix.Close(fd)
		return nil, err
	}
	if err := setLock(fd); err != nil {
		if !errors.Is(err, unix.EAGAIN) {
			if created && names(path, fd) && !writeLocked(fd) {
				unix.Unlink(path)
			}
			return drop(fmt.Errorf("pidfile %s: lock: %w", path, err))
		}
		if !writeLocked(fd) {
			// A read lock, which anybody can put on a file that they may read: it would keep every owner out.
			return drop(unlinkUnowned(path, fd, "another process has put a read lock on it"))
		}
		return drop(&HeldError{Path: path, PID: readPID(fd).pid})
	}
	if !names(path, fd) {
		return drop(errMoved)
	}
	content := readPID(fd)
	if owns(content) {
		return drop(&HeldError{Path: path, PID: content.pid})
	}
	w, err := newWitness(path)
	if err != nil {
		var held *HeldError
		if errors.As(err, &held) && names(path, fd) {
			unix.Unlink(path) // ours, or a stale one: the owner puts its own back
		}
		return drop(err)
	}
	f := &File{path: path, fd: fd, witness: w, stale: content.size > 0}
	if f.stale {
		slog.Warn("removing a stale pidfile", "path", path, "was", content.String())
	}
	if err := f.clear(); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

// clear empties the file and gives it its mode, whatever umask or a previous owner left.
func (f *File) clear() error {
	if err := unix.Fchmod(f.fd, 0o644); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("pidfile %s: chmod: %w", f.path, err)
	}
	if err := unix.Ftruncate(f.fd, 0); err != nil {
		return fmt.Errorf("pidfile %s: truncate: %w", f.path, err)
	}
	return nil
}

// Write puts the PID of this process into the file. Call it once stop and reload can be asked for: from then on they
// will be. When it fails (a full disk) the file is released, and gone.
func (f *File) Write() error {
	f.pid = unix.Getpid()
	if err := f.put(f.fd); err != nil {
		f.Release()
		return fmt.Errorf("pidfile %s: write: %w", f.path, err)
	}
	return nil
}

func (f *File) content() []byte { return append(strconv.AppendInt(nil, int64(f.pid), 10), '\n') }

// put writes in one call, so that no reader ever sees half a number; what Suspend has written is longer.
func (f *File) put(fd int) error {
	b := f.content()
	n, err := unix.Pwrite(fd, b, 0)
	if err == nil && n != len(b) {
		err = unix.ENOSPC
	}
	if err == nil {
		err = unix.Ftruncate(fd, int64(n))
	}
	return err
}

// Path returns the absolute path of the file.
func (f *File) Path() string { return f.path }

// Stale reports whether Lock found what a previous owner had left: it did not come to Release.
func (f *File) Stale() bool { return f.stale }

// Named reports whether the path names the file: nobody to whom it was handed over has released it.
func (f *File) Named() bool { return f.fd >= 0 && names(f.path, f.fd) }

// Release ends the watch, unlinks the file if the path still names it, and lets go of the lock: the last thing that
// an owner does. Where the owner may not unlink it any more, because it has given up its privileges, the file is
// emptied: like that it stops nobody, and is not taken for what a crash has left. An error says that the file is left;
// the lock has been let go of even so. The File cannot be used afterwards; a second Release does nothing.
func (f *File) Release() error {
	f.watch.Close() // which may be about to put another file in the place of f.fd
	if f.fd < 0 {
		return nil
	}
	var err error
	if names(f.path, f.fd) {
		err = unix.Unlink(f.path)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			err = unix.Ftruncate(f.fd, 0)
		}
		if err != nil {
			err = fmt.Errorf("pidfile %s: unlink: %w", f.path, err)
		}
	}
	f.Abandon()
	return err
}

// Abandon closes the descriptors and touches nothing else: for a process that has handed the file over. The File cannot
// be used afterwards, but for Release, which does nothing.
func (f *File) Abandon() {
	if f.path == "" {
		return // the zero File has nothing, and its descriptor would be standard input
	}
	f.watch.Close()
	f.witness.close()
	unix.Close(f.fd)
	f.fd = -1
}

// Handover returns duplicates of the descriptors that make up f, numbered from 10 and without close-on-exec, for one
// child process, which calls [Adopt] with them; -1 is one that there is not. The caller closes them with done once the
// child has been started; after an error there is nothing to be closed. Call it before [File.Watch].
func (f *File) Handover() (fds [2]int, done func(), err error) {
	fds = [2]int{-1, -1}
	done = func() {
		for i, fd := range fds {
			if fd >= 0 {
				unix.Close(fd)
			}
			fds[i] = -1
		}
	}
	for i, fd := range []int{f.fd, f.witness.fd} {
		if fd < 0 {
			continue
		}
		if fds[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 10); err != nil {
			done()
			return fds, nil, fmt.Errorf("pidfile %s: duplicate the descriptor: %w", f.path, err)
		}
	}
	return fds, done, nil
}

// Adopt takes over what the parent process got from Handover, or the program before from Suspend; stale is what its
// [File.Stale] said. The descriptors belong to the File from now on, and are close-on-exec; or they are closed, when
// they turn out not to hold the lock on path, which is an error.
func Adopt(path string, fds [2]int, stale bool) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("pidfile %s: %w", path, err)
	}
	f := &File{path: path, fd: fds[0], witness: witness{fd: fds[1]}, stale: stale}
	for _, fd := range fds {
		if fd >= 0 {
			unix.CloseOnExec(fd)
		}
	}
	if err := setLock(f.fd); err != nil {
		f.Abandon()
		return nil, fmt.Errorf("pidfile %s: the lock was not handed over: %w", path, err)
	}
	f.witness.adopt()
	return f, nil
}

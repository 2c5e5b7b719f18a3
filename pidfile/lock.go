//go:build linux

package pidfile

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// errMoved says that the path came to name another file meanwhile; the answer is to look again.
var errMoved = errors.New("the path names another file now")

const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// openForLock opens path for writing, or creates it; it refuses whatever a pidfile cannot be.
func openForLock(path string) (fd int, created bool, err error) {
	exists, owner, err := refuseIrregular(path)
	if err == nil && exists && stranger(owner) {
		err = replaceStrangers(path, owner)
	}
	if err != nil {
		return -1, false, err
	}
	flags := unix.O_RDWR | openFlags
	if !exists {
		flags |= unix.O_CREAT | unix.O_EXCL
	}
	fd, err = unix.Open(path, flags, 0o644)
	switch {
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.ENOENT) && exists:
		return -1, false, errMoved
	case err != nil:
		return -1, false, openError(path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, false, fmt.Errorf("pidfile %s: stat: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = irregular(path, st.Mode)
	case st.Nlink > 1: // another name for somebody's file: give up this name, never the content
		err = errMoved
		if e := unix.Unlink(path); e != nil {
			err = fmt.Errorf("pidfile %s: it is a hard link to another file, and cannot be unlinked: %w", path, e)
		}
	case st.Nlink == 0, stranger(st.Uid):
		err = errMoved
	}
	if err != nil {
		unix.Close(fd)
		return -1, false, err
	}
	return fd, !exists, nil
}

// refuseIrregular looks before the open, because opening a device can have effects of its own (a watchdog, a tape).
func refuseIrregular(path string) (exists bool, owner uint32, err error) {
	var st unix.Stat_t
	switch err := unix.Lstat(path, &st); {
	case errors.Is(err, unix.ENOENT):
		return false, 0, nil // or its directory is missing, which the open will say
	case err != nil:
		return false, 0, openError(path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return true, st.Uid, irregular(path, st.Mode)
	}
	return true, st.Uid, nil
}

// stranger tells whether uid is neither root nor ourselves. A stranger's file is never run on, in whatever directory:
// its owner could write into it at any time, and would choose whom a stop or a reload reaches.
func stranger(uid uint32) bool { return uid != 0 && int(uid) != unix.Geteuid() }

// replaceStrangers takes the name from a stranger's file, unless it has an owner that lives.
func replaceStrangers(path string, uid uint32) error {
	belongs := fmt.Sprintf("it belongs to uid %d", uid)
	if inSticky(path) {
		return fmt.Errorf("pidfile %s: %s, in a directory where anybody may create files: "+
			"remove it, or choose a path in a directory of your own", path, belongs)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|openFlags, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return errMoved
	case err != nil:
		return openError(path, err)
	}
	defer unix.Close(fd)
	if c := readPID(fd); writeLocked(fd) || owns(c) {
		return &HeldError{Path: path, PID: c.pid}
	}
	slog.Warn("replacing a pidfile that belongs to another user", "path", path, "uid", uid)
	return unlinkUnowned(path, fd, belongs)
}

func irregular(path string, mode uint32) error {
	kind := map[uint32]string{
		unix.S_IFLNK: "a symbolic link", unix.S_IFDIR: "a directory", unix.S_IFIFO: "a FIFO",
		unix.S_IFCHR: "a device", unix.S_IFBLK: "a device", unix.S_IFSOCK: "a socket",
	}[mode&unix.S_IFMT]
	return fmt.Errorf("pidfile %s: it is %s, not a regular file: remove it or choose another path", path, kind)
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return irregular(path, unix.S_IFLNK)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("pidfile %s: the directory %s does not exist: %w", path, filepath.Dir(path), err)
	}
	return fmt.Errorf("pidfile %w", &fs.PathError{Op: "open", Path: path, Err: err})
}

func inSticky(path string) bool {
	var st unix.Stat_t
	return unix.Stat(filepath.Dir(path), &st) == nil && st.Mode&unix.S_ISVTX != 0
}

// setLock takes the write lock on the whole file, for the open file description and so for everybody who shares it.
// EAGAIN: another description has a lock.
func setLock(fd int) error {
	err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EACCES) { // POSIX allows either
		err = unix.EAGAIN
	}
	return err
}

// writeLocked tells whether another description holds the write lock that only an owner can hold. It takes no lock,
// so that a look can never make a start fail, and a read-only descriptor will do.
func writeLocked(fd int) bool {
	l := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l) == nil && l.Type == unix.F_WRLCK
}

// unlinkUnowned takes the name from a file that has no owner and must not get one; why says so to the user. The witness
// keeps two starts from doing so to each other.
func unlinkUnowned(path string, fd int, why string) error {
	w, err := newWitness(path)
	if err != nil {
		return err
	}
	defer w.close()
	if names(path, fd) && !writeLocked(fd) {
		if err := unix.Unlink(path); err != nil {
			return fmt.Errorf("pidfile %s: %s, and it cannot be replaced: %w", path, why, err)
		}
	}
	return errMoved
}

// names reports whether path is, now, the file that fd has open. The link count tells first: for a moment after an
// unlink, when inotify has told of it already, the kernel still finds the old file under the path.
func names(path string, fd int) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && a.Nlink > 0 && unix.Lstat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

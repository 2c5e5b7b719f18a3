package logging

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openFile opens path for appending and never waits: not for the reader of a
// FIFO, not for a carrier. It does not become our controlling terminal.
func openFile(path string) (int, error) {
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT |
		unix.O_NOCTTY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOFOLLOW
	fd, err := unix.Open(path, flags, 0o640)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, flags, 0o640)
	}
	if err != nil {
		return -1, whyNot(path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("fstat", err)
	}
	if err := acceptable(uint32(st.Mode)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// whyNot says what is in the way where the error number speaks in riddles: a
// FIFO without a reader is ENXIO, a symbolic link ELOOP.
func whyNot(path string, err error) error {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil {
		if kind := acceptable(uint32(st.Mode)); kind != nil {
			return kind
		}
	}
	return err
}

func acceptable(mode uint32) error {
	kind := ""
	switch mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFCHR:
		return nil
	case unix.S_IFLNK:
		return errors.New("is a symbolic link, which is not followed: give the path of the file itself")
	case unix.S_IFDIR:
		kind = "a directory"
	case unix.S_IFIFO:
		kind = "a FIFO"
	case unix.S_IFSOCK:
		kind = "a socket"
	default:
		kind = "a block device"
	}
	return errors.New("is " + kind + ", want a regular file")
}

// endsTorn reports whether a file, which may be open for writing only, ends in mid-line, as far as that can be seen.
func endsTorn(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size == 0 {
		return false
	}
	r, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(r)
	var last [1]byte
	n, err := unix.Pread(r, last[:], st.Size-1)
	return n == 1 && err == nil && last[0] != '\n'
}

//go:build linux

package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bound is a listening socket and its name in the file system.
type bound struct {
	listener *os.File // in the poller
	name     int      // O_PATH: the inode, whatever the path has come to name
	readers  *int     // the group that it was to have, see right
	refused  bool     // it could not be given that
}

// errTaken says that another program listens there, which has as good a right to the path as we have.
var errTaken = errors.New("another program listens there")

// bind makes path a socket of ours that is listened on. A socket that is in the way is replaced when nobody listens on
// it, or somebody who is neither root nor us; whatever else is there is left alone, and an error.
func bind(path string) (*bound, error) {
	var err error
	for range 50 {
		var b *bound
		if b, err = tryBind(path); err == nil {
			return b, nil
		}
		if errors.Is(err, unix.EADDRINUSE) {
			err = vacate(path)
		}
		switch {
		case errors.Is(err, errTaken): // or it is a dead daemon's, of which the kernel is about to let go
			time.Sleep(5 * time.Millisecond)
		case err != nil:
			return nil, err
		}
	}
	return nil, err
}

func tryBind(path string) (*bound, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	fail := func(err error) (*bound, error) {
		unix.Close(fd)
		return nil, err
	}
	address, done, err := within(path)
	if err != nil {
		return fail(err)
	}
	defer done()
	// The mode of the descriptor is that of the name from its first moment on.
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fail(fmt.Errorf("chmod: %w", err))
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		return fail(fmt.Errorf("bind %s: %w", path, err))
	}
	b, err := name(fd, path)
	if err == nil {
		return b, nil
	}
	if b != nil {
		b.close()
	} else {
		unix.Close(fd)
	}
	Remove(path) // ours, which nobody listens on
	return nil, err
}

// name has the socket that was bound to path listened on, and keeps hold of its name.
func name(fd int, path string) (*bound, error) {
	name, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(name, &st); err == nil && (st.Mode != unix.S_IFSOCK|0o600 || int(st.Uid) != unix.Geteuid()) {
		err = errors.New("it was replaced at once")
	}
	if err == nil {
		err = unix.Listen(fd, 2*mostConnections)
	}
	if err != nil {
		unix.Close(name)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	b := &bound{listener: os.NewFile(uintptr(fd), path), name: name}
	if b.listener.SetReadDeadline(time.Time{}) != nil { // the only sign of it
		err = fmt.Errorf("listen on %s: the poller has no room: %w", path, unix.ENOMEM)
	}
	return b, err
}

// within returns an address for path that fits the 108 bytes of sun_path, until done.
func within(path string) (address string, done func(), err error) {
	const longest = 107
	if len(path) <= longest {
		return path, func() {}, nil
	}
	dir, base := filepath.Split(path)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open %s: %w", dir, err)
	}
	address = descriptor(fd) + "/" + base
	if len(address) > longest {
		unix.Close(fd)
		return "", nil, fmt.Errorf("%s: the name is too long for a socket: %w", path, unix.ENAMETOOLONG)
	}
	return address, func() { unix.Close(fd) }, nil
}

func descriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// vacate takes the path from a socket that has no right to it.
func vacate(path string) error {
	var st unix.Stat_t
	switch err := unix.Lstat(path, &st); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return fmt.Errorf("stat %s: %w", path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return fmt.Errorf("%s: it is not a socket, and is left alone: remove it", path)
	}
	if taken, err := listened(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	} else if taken {
		return fmt.Errorf("%s: %w", path, errTaken)
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s: a socket that nobody of ours listens on is in the way: %w", path, err)
	}
	return nil
}

// listened tells whether root or our own user listens on path. An error is a shortage, for which that cannot be told.
func listened(path string, st *unix.Stat_t) (bool, error) {
	fd, cred, err := connect(path)
	switch {
	case err == nil:
		unix.Close(fd)
		return believed(int(cred.Uid)), nil
	case errors.Is(err, unix.EAGAIN): // by somebody who does not answer
		return believed(int(st.Uid)), nil
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM),
		errors.Is(err, unix.ENOBUFS):
		return false, err
	}
	return false, nil
}

// Remove removes the socket that a dead daemon has left at path; whatever else is there it leaves alone.
func Remove(path string) error {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	if taken, err := listened(path, &st); taken || err != nil {
		return err
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unlink %s: %w", path, err)
	}
	return nil
}

// names reports whether path is, now, our socket. The link count tells first, as it does of a pidfile: for a moment
// after an unlink the kernel still finds the old one under the path.
func (b *bound) names(path string) bool {
	var ours, there unix.Stat_t
	return unix.Fstat(b.name, &ours) == nil && ours.Nlink > 0 && unix.Lstat(path, &there) == nil &&
		ours.Dev == there.Dev && ours.Ino == there.Ino
}

// close ends the listening; those who wait to be accepted are turned away.
func (b *bound) close() {
	b.listener.Close()
	unix.Close(b.name)
}

// connect connects to path and tells who listens there.
func connect(path string) (fd int, cred *unix.Ucred, err error) {
	address, done, err := within(path)
	if err != nil {
		return -1, nil, err
	}
	defer done()
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, nil, fmt.Errorf("socket: %w", err)
	}
	if err = unix.Connect(fd, &unix.SockaddrUnix{Name: address}); err == nil {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, cred, nil
}

func believed(uid int) bool { return uid == 0 || uid == unix.Geteuid() }

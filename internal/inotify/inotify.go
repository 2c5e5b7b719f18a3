//go:build linux

// Package inotify watches an inode, and closes an instance of inotify(7) for who has no time to wait for the kernel.
package inotify

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mostPending bounds how many instances are left to the kernel at a time: a user has 128 of them, see inotify(7).
const mostPending = 8

// discard closes an instance. Once it has had a watch, close(2) keeps whoever calls it, and who exits with it open, for
// a grace period of the kernel: a fifth of the stop of an idle daemon, and some 15 ms on a busy machine. So the
// descriptor goes into the queue of a socket that is soon known to nothing but that queue. This is garbage, and the
// kernel collects it on a thread of its own when a unix socket is closed; see unix(7) for the passing, and
// net/unix/garbage.c. Older kernels collect it here, which takes what it takes, as it does where nothing can be passed
// or too many instances are pending.
func discard(f *os.File) {
	fd := take(f)
	if fd < 0 {
		return
	}
	if socket, address := place(); socket >= 0 {
		unix.Sendmsg(socket, []byte{0}, unix.UnixRights(fd, socket), address, unix.MSG_DONTWAIT)
		unix.Close(socket)
	}
	unix.Close(fd)
	if last, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		unix.Close(last)
	}
}

// take closes f and returns a descriptor of the same instance, which is the caller's; -1: f was closed before.
func take(f *os.File) (fd int) {
	fd = -1
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(notify uintptr) { fd, _ = unix.FcntlInt(notify, unix.F_DUPFD_CLOEXEC, 3) })
	}
	f.Close()
	return fd
}

// place returns a socket with one of a few names, which are taken until the kernel has closed what went there before;
// -1: there is none left.
func place() (socket int, address *unix.SockaddrUnix) {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil
	}
	for i := range mostPending {
		address = &unix.SockaddrUnix{Name: fmt.Sprintf("@inotify/%d/%d", unix.Geteuid(), i)}
		if unix.Bind(socket, address) == nil {
			return socket, address
		}
	}
	unix.Close(socket)
	return -1, nil
}

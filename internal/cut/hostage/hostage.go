//go:build linux

// Package hostage makes what takes its time to be closed, for tests.
package hostage

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Take returns a descriptor, the last of which takes an hour to be closed, or until the end of the test.
func Take(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	Make(t, fd)
	return fd
}

// Make makes one of a TCP socket: that of a connection whose other end reads nothing.
func Make(t testing.TB, fd int) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: ln.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	for err == nil {
		_, err = unix.SendmsgN(fd, make([]byte, 64<<10), nil, nil, unix.MSG_DONTWAIT)
	}
	hour := unix.Linger{Onoff: 1, Linger: 3600}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &hour); err != nil {
		t.Fatal(err)
	}
}

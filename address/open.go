//go:build linux

package address

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Open makes a socket for an address, which is close-on-exec and not bound yet. One of TCP can be bound though
// connections of whoever listened there before have not come to their end; one of IPv6 takes none of IPv4.
func Open(a Address) (fd int, err error) {
	family, kind := unix.AF_INET, unix.SOCK_STREAM
	switch {
	case a.Network == "unix":
		family = unix.AF_UNIX
	case a.IP.Addr().Is6():
		family = unix.AF_INET6
	}
	if a.Datagram() {
		kind = unix.SOCK_DGRAM
	}
	if fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if family != unix.AF_UNIX && !a.Datagram() {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("setsockopt: %w", err)
	}
	return fd, nil
}

// Sockaddr is the address as bind(2) takes it.
func (a Address) Sockaddr() unix.Sockaddr {
	switch ip := a.IP.Addr(); {
	case a.Network == "unix":
		return &unix.SockaddrUnix{Name: a.Path}
	case ip.Is6():
		return &unix.SockaddrInet6{Port: int(a.IP.Port()), Addr: ip.As16()}
	default:
		return &unix.SockaddrInet4{Port: int(a.IP.Port()), Addr: ip.As4()}
	}
}

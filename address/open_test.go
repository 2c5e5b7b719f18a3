//go:build linux

package address

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What is opened has what its address needs: one of IPv6 leaves IPv4 to others, and only one of TCP can be bound beside
// connections that have not come to their end.
func TestOpen(t *testing.T) {
	for text, want := range map[string][4]int{ // family, kind, SO_REUSEADDR, IPV6_V6ONLY
		"tcp:127.0.0.1:80":   {unix.AF_INET, unix.SOCK_STREAM, 1, 0},
		"udp:127.0.0.1:80":   {unix.AF_INET, unix.SOCK_DGRAM, 0, 0},
		"tcp6:[::]:80":       {unix.AF_INET6, unix.SOCK_STREAM, 1, 1},
		"udp6:[::]:80":       {unix.AF_INET6, unix.SOCK_DGRAM, 0, 1},
		"unix:/run/web.sock": {unix.AF_UNIX, unix.SOCK_STREAM, 0, 0},
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := Open(a)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			t.Logf("there is no IPv6 here: %v", err)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got [4]int
		for i, option := range [...]int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_REUSEADDR} {
			got[i], _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
		}
		if got[0] == unix.AF_INET6 {
			got[3], _ = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		}
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if got != want || flags != unix.FD_CLOEXEC {
			t.Errorf("%s: %v, want %v; flags %#x", text, got, want, flags)
		}
		unix.Close(fd)
	}
}

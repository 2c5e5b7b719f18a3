//go:build linux

// Package address has the addresses on which programs listen: how they are written, whether they can be had, and who
// has one now. Linux only.
package address

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// Address is one to listen on. [Parse] makes it.
type Address struct {
	Network string         // tcp, tcp6, udp, udp6 or unix; tcp and udp are of IPv4, tcp6 and udp6 of IPv6 alone
	IP      netip.AddrPort // of all but unix
	Path    string         // of unix: absolute, and clean
}

// longestPath is what the kernel has room for in an address, sockaddr_un.
const longestPath = 107

// Parse reads an address such as "tcp:0.0.0.0:80", "tcp6:[::]:80", "udp:127.0.0.1:53" or "unix:/run/web.sock". Names of
// hosts and services are none: to look them up may take for ever. The error says how it was probably meant.
func Parse(text string) (Address, error) {
	network, rest, _ := strings.Cut(text, ":")
	switch network {
	case "unix":
		return parsePath(rest)
	case "tcp", "udp", "tcp6", "udp6":
		return parseIP(network, rest)
	}
	return Address{}, fmt.Errorf(`%q is not an address to listen on; write one such as `+
		`"tcp:0.0.0.0:80", "tcp6:[::]:80", "udp:127.0.0.1:53" or "unix:/run/web.sock"`, text)
}

func parsePath(path string) (Address, error) {
	switch clean := filepath.Clean(path); {
	case !filepath.IsAbs(path):
		return Address{}, fmt.Errorf(`unix: must be followed by an absolute path, as in "unix:/run/web.sock", not %q`, path)
	case clean != path:
		return Address{}, fmt.Errorf("write %q", "unix:"+clean)
	case len(path) > longestPath:
		return Address{}, fmt.Errorf("%s: the path of a socket must not be longer than %d bytes", path, longestPath)
	}
	return Address{Network: "unix", Path: path}, nil
}

func parseIP(network, rest string) (Address, error) {
	all := "0.0.0.0"
	if strings.HasSuffix(network, "6") {
		all = "[::]"
	}
	host, port := cutPort(rest)
	if port == "" || host == "" || host == "*" {
		if strings.Trim(host, "0123456789") == "" && port == "" {
			host, port = "", host // tcp:80
		}
		if host == "" || host == "*" {
			host = all
		}
		return Address{}, fmt.Errorf("must have an address and a port; write %q",
			network+":"+host+":"+cmp.Or(port, "80"))
	}
	ip, err := netip.ParseAddrPort(rest)
	if err != nil {
		if _, err := netip.ParseAddrPort("1.1.1.1:" + port); err != nil {
			return Address{}, fmt.Errorf("%q is not a port; write a number from 1 to 65535", port)
		}
		return Address{}, fmt.Errorf("%q is not an address in numbers; write %q for all addresses, and no names",
			host, network+":"+all+":"+port)
	}
	base, is6 := network[:3], !ip.Addr().Is4()
	switch {
	case ip.Port() == 0:
		return Address{}, errors.New("the port must be from 1 to 65535, not 0")
	case ip.Addr().Zone() != "":
		return Address{}, fmt.Errorf("%s: an address that is one interface's alone cannot be listened on", host)
	case ip.Addr().Is4In6():
		return Address{}, fmt.Errorf("write %q", base+":"+netip.AddrPortFrom(ip.Addr().Unmap(), ip.Port()).String())
	case is6 && network == base:
		return Address{}, fmt.Errorf("this is an address of IPv6; write %q", base+"6:"+ip.String())
	case !is6 && network != base:
		return Address{}, fmt.Errorf("this is an address of IPv4; write %q", base+":"+ip.String())
	}
	return Address{Network: network, IP: ip}, nil
}

func cutPort(text string) (host, port string) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.HasSuffix(text, "]") {
		return text, ""
	}
	return text[:i], text[i+1:]
}

// String is what [Parse] reads.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Path
	}
	return a.Network + ":" + a.IP.String()
}

// Datagram says that it is one of UDP, which nobody connects to.
func (a Address) Datagram() bool { return strings.HasPrefix(a.Network, "udp") }

// Overlaps says that not both can be listened on.
func (a Address) Overlaps(b Address) bool {
	if a.Network != b.Network || a.Network == "unix" {
		return a == b
	}
	x, y := a.IP.Addr(), b.IP.Addr()
	return a.IP.Port() == b.IP.Port() && (x == y || x.IsUnspecified() || y.IsUnspecified())
}

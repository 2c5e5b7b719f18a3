//go:build linux

package address

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"tcp:127.0.0.1:80": "", "tcp6:[::1]:80": "", "udp:0.0.0.0:53": "", "udp6:[::]:53": "", "unix:/run/a b.sock": "",
		"tcp6:[0:0::0]:80": "tcp6:[::]:80",
	} {
		a, err := Parse(text)
		if want == "" {
			want = text
		}
		if err != nil || a.String() != want {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "tcp", "tcp:", "tcp:80", "tcp::80", "tcp:x:80", "tcp:[::1]:80", "tcp6:1.2.3.4:80",
		"tcp:1.2.3.4:0", "tcp:1.2.3.4:65536",
		"unix:x", "unix:/a/../b", "unix:/" + string(make([]byte, 200)), "sctp:1.2.3.4:5", "TCP:1.2.3.4:5"} {
		if a, err := Parse(text); err == nil {
			t.Errorf("%q is read as %v", text, a)
		}
	}
}

// Whatever is read is written as what is read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"tcp:0.0.0.0:80", "udp6:[::1]:53", "unix:/run/x", "tcp6:[fe80::1%1]:2", "tcp:*:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		if b, err := Parse(a.String()); err != nil || a != b {
			t.Errorf("%q: %v, then %v, %v", text, a, b, err)
		}
	})
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"tcp:0.0.0.0:80", "tcp:127.0.0.1:80", true}, {"tcp:127.0.0.1:80", "tcp:0.0.0.0:80", true},
		{"tcp:127.0.0.1:80", "tcp:127.0.0.1:80", true}, {"tcp:127.0.0.1:80", "tcp:127.0.0.2:80", false},
		{"tcp:0.0.0.0:80", "tcp:0.0.0.0:81", false}, {"tcp:0.0.0.0:80", "udp:0.0.0.0:80", false},
		{"tcp:0.0.0.0:80", "tcp6:[::]:80", false}, {"tcp6:[::]:80", "tcp6:[::1]:80", true},
		{"unix:/a", "unix:/a", true}, {"unix:/a", "unix:/b", false},
	} {
		a, err := Parse(c.a)
		b, err2 := Parse(c.b)
		if err != nil || err2 != nil || a.Overlaps(b) != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, !c.want)
		}
	}
}

// What /proc tells is read for what it is, on this machine's order of bytes.
func TestParseInet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{" 0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0",
			"0.0.0.0:80 4711"},
		{" 1: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2 0000 0",
			"0.0.0.0:53 12"},
		{" 2: 00000000:0050 01010101:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 20 4 30 10 -1",
			""},
		{" 3: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 5 1 0",
			"[::]:80 5"},
	} {
		s, ok := parseInet(c.line)
		if got := fmt.Sprint(s.ip, " ", s.inode); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %s", c.line, got)
		}
	}
	s, ok := parseUnix("0000000000000000: 00000002 00000000 00010000 0001 01 38337 /run/a b.sock")
	if !ok || s.path != "/run/a b.sock" || s.inode != 38337 {
		t.Errorf("%+v", s)
	}
	if s, ok := parseUnix("0000000000000000: 00000003 00000000 00000000 0001 03 38337 /run/x"); ok {
		t.Errorf("it is connected: %+v", s)
	}
}

func must(t *testing.T, text string) Address {
	t.Helper()
	a, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Who has an address is told, by way of whatever of the kernel's tables it stands in; and nothing is told of one
// that is free. promise K1
func TestProbe(t *testing.T) {
	t.Parallel()
	ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
	path := filepath.Join(t.TempDir(), "s")
	for _, text := range []string{"tcp:" + ip + ":7001", "udp:" + ip + ":7002", "unix:" + path} {
		a := must(t, text)
		if err := new(Table).Probe(a); err != nil {
			t.Errorf("%s is free: %v", a, err)
		}
		fd, err := Open(a)
		if err != nil {
			t.Fatal(err)
		}
		if err = unix.Bind(fd, a.Sockaddr()); err == nil && !a.Datagram() {
			err = unix.Listen(fd, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = new(Table).Probe(a)
		var used *InUseError
		if !errors.As(err, &used) || !errors.Is(err, unix.EADDRINUSE) || errors.Is(err, fs.ErrPermission) ||
			len(used.Holders) != 1 || used.Holders[0].PID != os.Getpid() {
			t.Errorf("%s: %v", a, err)
		}
		unix.Close(fd)
		if err := new(Table).Probe(a); err != nil {
			t.Errorf("%s is free again: %v", a, err)
		}
	}
	if err := new(Table).Probe(must(t, "tcp:192.0.2.1:7000")); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("of another machine: %v", err)
	}
	os.Remove(path)
	os.Symlink("x", path)
	if err := new(Table).Probe(must(t, "unix:"+path)); err == nil {
		t.Error("a link is in the way, and nothing is said")
	}
}

// Nobody can have a path look as if it were listened on, by a socket whose name goes on like the kernel's table, and so
// keep a stale socket from being replaced, and what asks for it from being taken on. promise S9
func TestProbeForged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listen := func(name string) (fd int) {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
		}
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	unix.Close(listen(path)) // which is stale now
	defer unix.Close(listen("@x\n0: 2 0 10000 1 1 7 " + path))
	if err := new(Table).Probe(must(t, "unix:"+path)); err != nil {
		t.Error(err)
	}
}

// One who listens on all addresses of both families is in the way of IPv4 too; one of IPv6 alone is not.
func TestProbeBothFamilies(t *testing.T) {
	t.Parallel()
	for only := range 2 {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Skip("there is no IPv6 here: ", err)
		}
		defer unix.Close(fd)
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
		if err := unix.Bind(fd, &unix.SockaddrInet6{}); err != nil {
			t.Skip("there is no IPv6 here: ", err)
		}
		if err := unix.Listen(fd, 1); err != nil {
			t.Fatal(err)
		}
		at, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		port := uint16(at.(*unix.SockaddrInet6).Port)
		a := Address{Network: "tcp", IP: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}
		if only == 1 {
			l, err := net.Listen("tcp4", a.IP.String())
			if err != nil {
				continue // somebody else has that of IPv4
			}
			l.Close()
		}
		if err := new(Table).Probe(a); errors.Is(err, unix.EADDRINUSE) != (only == 0) {
			t.Errorf("IPV6_V6ONLY %d: %v", only, err)
		}
	}
}

// promise U1: who asks about what it has itself is not to wait for a look at all processes of the machine: an upgrade
// does, in the time in which nobody looks after the programs. Who else has it, such as its own program, is not looked
// for then.
func TestProbeOfOnesOwn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := exec.Command("cat")
	c.ExtraFiles = []*os.File{f}
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer in.Close()
	var used *InUseError
	if err := new(Table).Probe(must(t, "unix:"+l.Addr().String())); !errors.As(err, &used) || len(used.Holders) != 1 ||
		used.Holders[0].PID != os.Getpid() {
		t.Errorf("%v: %+v", err, used)
	}
}

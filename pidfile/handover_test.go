//go:build linux

package pidfile_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// The handover: the lock passes to a child without a gap, and the descriptors are close-on-exec there again.
func TestHandoverAndAdopt(t *testing.T) {
	p := path(t)
	f, err := pidfile.Lock(p)
	if err != nil {
		t.Fatal(err)
	}
	fds, done, err := f.Handover()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for _, fd := range fds {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || fd < 10 || flags&unix.FD_CLOEXEC != 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
		}
	}
	var mine [2]int
	for i, fd := range fds { // what a child would have
		mine[i], _ = unix.Dup(fd)
	}
	f.Abandon()
	done()
	g, err := pidfile.Adopt(p, mine, f.Stale())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Release()
	for _, fd := range mine {
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is not close-on-exec", fd)
		}
	}
	if got := start(t, p).do("acquire"); !strings.Contains(got, "is starting") {
		t.Errorf("a second start: %s", got)
	}
	if err := g.Write(); err != nil {
		t.Fatal(err)
	}
	if got := start(t, p).do("acquire"); !strings.Contains(got, "already running") {
		t.Errorf("a second start: %s", got)
	}
}

func TestAdoptRefusesWhatIsNotLocked(t *testing.T) {
	p := path(t)
	owner := start(t, p)
	owner.must("acquire")
	fd, err := unix.Open(p, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := pidfile.Adopt(p, [2]int{fd, -1}, false); err == nil {
		f.Abandon()
		t.Error("it adopted a descriptor of a file that another process holds")
	}
}

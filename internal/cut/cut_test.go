//go:build linux

package cut

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut/hostage"
)

// promise C6: the closing of what would take an hour ends, and the descriptor is closed then.
func TestCloseIsCutShort(t *testing.T) {
	fd := hostage.Take(t)
	Short(func() { unix.Close(fd) })
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("it is not closed: %v", err)
	}
}

// promise C6: it goes on to be cut short however often the waiting begins anew.
func TestSeveralAreCutShort(t *testing.T) {
	fds := []int{hostage.Take(t), hostage.Take(t), hostage.Take(t)}
	Short(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
}

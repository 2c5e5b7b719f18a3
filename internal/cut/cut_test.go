//go:build linux

package cut

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut/hostage"
)

// promise C6: the closing of what would take an hour is cut short, however often the waiting begins anew.
func TestCloseIsCutShort(t *testing.T) {
	fds := []int{hostage.Take(t), hostage.Take(t), hostage.Take(t)}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		Short(func() {
			for _, fd := range fds {
				unix.Close(fd)
			}
		})
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("it waits for what was sent to be closed")
	}
}

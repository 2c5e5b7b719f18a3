//go:build linux

// Package cut ends the closing of what others have sent, which would take as long as they like.
//
// A descriptor that comes with a message, and that nobody takes out, the kernel closes when the message goes: in the
// thread that receives it, or that closes the socket in whose queue it is. Whoever may send there can have that wait:
// on a TCP connection with SO_LINGER, say, whose other end reads nothing, see socket(7). A signal ends the waiting.
package cut

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the closing may take: what is well meant takes a few microseconds.
const patience = 100 * time.Millisecond

// Short calls f, which receives or closes, and has signals end its waiting once that has taken a tenth of a second.
// They are SIGURG, with which the runtime interrupts its threads anyway, so that nothing else comes of them.
func Short(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, thread := unix.Getpid(), unix.Gettid()
	over := make(chan struct{})
	late := time.AfterFunc(patience, func() {
		for {
			unix.Tgkill(pid, thread, unix.SIGURG)
			select {
			case <-over:
				return
			case <-time.After(patience):
			}
		}
	})
	f()
	close(over)
	late.Stop()
}

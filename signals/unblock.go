//go:build linux

package signals

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Unblock clears the signal mask, which a process inherits through exec, for what the calling goroutine starts until it
// calls done: a process that must not get the mask of our own caller. Both are called by the same goroutine, which has
// its thread to itself meanwhile. An error says that the mask stays, and done is nil.
func Unblock() (done func(), err error) {
	var mask unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask); err == nil && mask == (unix.Sigset_t{}) {
		return func() {}, nil // the runtime gives all threads the mask that it was started with
	}
	runtime.LockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("clear the signal mask: %w", err)
	}
	return runtime.UnlockOSThread, nil
}

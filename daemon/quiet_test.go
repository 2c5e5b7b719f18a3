//go:build linux

package daemon

import (
	"os"
	"os/signal"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// promise U1: a TERM that has come before the exec is never lost, however short before
func TestQuietLosesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as a daemon: what was caught has not got far
	defer signal.Reset(harmless[:]...)
	for range 200 {
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, unix.SIGTERM)
		unix.Kill(os.Getpid(), unix.SIGTERM)
		quiet(func() { signal.Stop(caught) })
		if len(caught) != 1 {
			t.Fatal("a TERM is lost")
		}
	}
}

//go:build linux

package daemon

import (
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/signals"
)

// promises R2, U1: a signal that comes in the very moment in which it is not caught any more ends nobody. It takes many
// tries to meet that.
func TestQuietInAStorm(t *testing.T) {
	const child = "DAEMON_TEST_QUIET"
	if os.Getenv(child) != "" {
		brace()
		_, release := signals.Notify()
		var settled atomic.Bool
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2} {
			go func() {
				for {
					unix.Kill(os.Getpid(), sig)
					if !settled.Load() {
						runtime.Gosched() // or the moment may never come in which nothing is being caught
					}
				}
			}()
		}
		time.Sleep(time.Millisecond) // for some to be on their way
		settle()
		settled.Store(true)
		quiet(release)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		c := exec.Command(self, "-test.run=^TestQuietInAStorm$")
		c.Env = append(os.Environ(), child+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// promises R2, U1: a TERM that has come before the exec is never lost, however short before, nor is a HUP
func TestQuietLosesNothing(t *testing.T) {
	const child = "DAEMON_TEST_QUIET_LOSES"
	if os.Getenv(child) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(self, "-test.run=^TestQuietLosesNothing$")
		c.Env = append(os.Environ(), child+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as a daemon: what was caught has not got far
	runtime.LockOSThread()                          // which gets it, before the call returns
	brace()
	for i := range 400 {
		sig := []unix.Signal{unix.SIGTERM, unix.SIGHUP}[i%2]
		requests, release := signals.Notify()
		unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
		settle()
		quiet(release)
		if len(requests.Stop)+len(requests.Reload) != 1 {
			t.Fatalf("%v is lost", sig)
		}
	}
}

//go:build linux

package daemontest_test

import (
	"context"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/daemontest"
)

// A test of what an administrator sees, of a program whose TestMain calls daemontest.Main: a start after kill -9.
func ExampleStart() {
	_ = func(t *testing.T) { // TestKilled
		pidfile := filepath.Join(t.TempDir(), "echod.pid")
		args := []string{"-pid", pidfile, "-daemon"}
		d := daemontest.Start(t, pidfile, args...)
		if status, _, stderr := daemontest.Do(t, args...); status != 100 {
			t.Errorf("a second start: status %d, %s", status, stderr)
		}
		d.Signal(syscall.SIGKILL)
		d.Wait()
		d = daemontest.Start(t, pidfile, args...)
		d.Signal(syscall.SIGTERM)
		if status := d.Wait(); status != 0 {
			t.Errorf("it ended with %d", status)
		}
	}
}

// A test of a daemon's hooks: it is ready when Run returns, and stopped by the end of the test.
func ExampleRun() {
	_ = func(t *testing.T) { // TestAnswers
		var ln net.Listener
		daemontest.Run(t, &daemon.Daemon{
			Start: func(context.Context, context.CancelCauseFunc) (err error) {
				ln, err = net.Listen("tcp", "127.0.0.1:0")
				return err
			},
			Stop: func(context.Context) error { return ln.Close() },
		})
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// Package daemontest runs a daemon inside a test, or watches it as a process.
//
// [Run] is for what the hooks do: the daemon runs in the test's own process, is ready when Run returns, and is stopped
// by the end of the test. [Main] and [Start] are for what an administrator sees: the test's binary is started again as
// the program itself, in the background or not, with statuses, signals and a pidfile. Linux only.
package daemontest

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// Run runs d in this process, and returns when it is ready; a start that fails fails the test. stop stops it as TERM
// does, waits for its end, and returns what Run of package daemon has; it may be called again. The end of the test
// stops it in any case, and fails the test if it did not end well.
//
// A PIDFile that is zero is one in a temporary directory, and a Log that is nil is the test's own output: d is changed,
// and used once. Call it from the goroutine of the test. Signals, umask and environment belong to the whole process:
// tests that send signals to it run one at a time.
func Run(t testing.TB, d *daemon.Daemon) (stop func() error) {
	t.Helper()
	if d.PIDFile == "" {
		d.PIDFile = filepath.Join(t.TempDir(), "daemon.pid")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ready, also := make(chan struct{}), d.Ready
	d.Ready = func() {
		if also != nil {
			also()
		}
		close(ready)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the daemon has not become ready: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the daemon has ended: %v", err)
		}
	})
	return stop
}

//go:build linux

package daemontest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, program) }

func program() {
	d := daemon.Daemon{Name: "testd", PIDFile: os.Args[1]}
	if os.Args[1] == "" {
		d.Start = func(context.Context, context.CancelCauseFunc) error { return errors.New("no") }
	}
	if len(os.Args) > 2 {
		fmt.Println("hello")
		os.Exit(d.Verb(os.Args[2]))
	}
	os.Exit(d.Main(true, nil))
}

// A daemon is ready when Run returns, and has stopped when the test is over.
func TestRun(t *testing.T) {
	var told, stopped bool
	d := &daemon.Daemon{
		Ready:  func() { told = true },
		Reload: func(context.Context) error { return errors.New("not now") },
		Stop:   func(context.Context) error { stopped = true; return nil },
	}
	t.Run("one", func(t *testing.T) {
		stop := daemontest.Run(t, d)
		if d.State() != daemon.Running || !told {
			t.Errorf("it is %s", d.State())
		}
		var refused *daemon.RefusedError
		if err := daemon.Reload(d.PIDFile, 0); !errors.As(err, &refused) {
			t.Errorf("Reload: %v", err)
		}
		if stopped {
			t.Error("it has stopped")
		}
		if err := errors.Join(stop(), stop()); err != nil || !stopped {
			t.Errorf("stop: %v", err)
		}
	})
	stopped = false
	t.Run("another, which the end of the test stops", func(t *testing.T) {
		daemontest.Run(t, &daemon.Daemon{Stop: d.Stop})
	})
	if !stopped {
		t.Error("it has not stopped")
	}
}

// A start that fails fails the test, and so does an end that is no good one.
func TestRunOfOneThatFails(t *testing.T) {
	bad := errors.New("it fell over")
	for name, d := range map[string]*daemon.Daemon{
		"start": {Start: func(context.Context, context.CancelCauseFunc) error { return bad }},
		"stop":  {Stop: func(context.Context) error { return bad }},
	} {
		r := &recorder{TB: t}
		r.run(func() { daemontest.Run(r, d) })
		if !strings.Contains(r.said, bad.Error()) {
			t.Errorf("%s: the test was told %q", name, r.said)
		}
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	cleanups []func()
	said     string
}

func (r *recorder) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range r.cleanups {
				f()
			}
		}()
		defer func() { recover() }()
		test()
	}()
	<-done
}

func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic("the end of this test")
}

func TestProcess(t *testing.T) {
	path := t.TempDir() + "/testd.pid"
	d := daemontest.Start(t, path, path)
	if status, stdout, stderr := daemontest.Do(t, path, "status"); status != 0 || stderr != "" ||
		stdout != fmt.Sprintf("hello\ntestd is running, pid %d\n", d.PID) {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
	d.Signal(unix.SIGTERM)
	if status := d.Wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	if status, _, stderr := daemontest.Do(t, ""); status != 1 || stderr != "testd: no\n" {
		t.Errorf("a start that fails: %d, %q", status, stderr)
	}
	for range 2 { // the second finds the pidfile of the first, and says so
		d = daemontest.Start(t, path, path)
		d.Signal(unix.SIGKILL)
		if status := d.Wait(); status != 128+9 {
			t.Errorf("it ended with %d", status)
		}
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// panics is a daemon as this one is, with the main thread for the Spawner and all else beside it. It panics at its
// first launch, which is at a reload.
func panics() {
	spawner := supervise.NewSpawner()
	o := supervise.Options{Spawner: spawner, Log: slog.New(slog.DiscardHandler)}
	switch os.Args[1] {
	case "loop":
		o.Event = func(supervise.Event) { panic("on the loop") }
	case "main":
		spawner.Forking = func() func() { panic("on the main thread") }
	}
	var set *supervise.Set
	d := &daemon.Daemon{
		PIDFile: os.Args[2],
		Start:   func(context.Context, context.CancelCauseFunc) error { set = supervise.New(o); return nil },
		Reload: func(ctx context.Context) error {
			return set.Apply(ctx, []supervise.Program{{Name: "a", Command: []string{"/bin/true"}}})
		},
	}
	if status, launched := d.Detach(); launched {
		os.Exit(status)
	}
	go func() {
		d.Run(context.Background())
		os.Exit(failure)
	}()
	spawner.Run()
}

// promise A2: a panic on the main thread, which sits in the Spawner, or on the loop beside it, ends the daemon with the
// status of one, and leaves a word of it
func TestPanicBesideTheSpawner(t *testing.T) {
	for where, word := range map[string]string{"loop": "panic: on the loop", "main": "panic: on the main thread"} {
		t.Run(where, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			c := exec.Command("panics", where, path)
			c.Env = append(os.Environ(), worldMark+filepath.Dir(path))
			t.Cleanup(func() {
				killAll(filepath.Dir(path))
				bury()
			})
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			b, _ := os.ReadFile(path)
			pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
			d, err := hold(pid)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			d.signal(t, unix.SIGHUP)
			if status := d.wait(t); status != 2 {
				t.Errorf("it ended with %d", status)
			}
			if text, _ := os.ReadFile(daemon.CrashFile(path)); !strings.HasPrefix(string(text), word) {
				t.Errorf("the crash file says %q", text)
			}
		})
	}
}

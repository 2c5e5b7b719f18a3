//go:build linux

package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// issue 9: a daemon may be followed until its end, of which who follows is told; whom it lets read,
// a reload may change.
func TestStreams(t *testing.T) {
	gid := 424242
	d := &daemon.Daemon{PIDFile: t.TempDir() + "/pid"}
	started := make(chan bool)
	d.Start = func(context.Context, context.CancelCauseFunc) error { close(started); return nil }
	d.Reload = func(context.Context) error { d.Readers = &gid; return nil }
	d.Reads = map[string]control.Method{
		"status": func(context.Context, json.RawMessage) (any, error) { return "mine", nil },
	}
	d.Streams = map[string]control.Stream{"ticks": func(ctx context.Context, _ json.RawMessage,
		to *control.Follower) error {
		to.Send([]int{1})
		<-ctx.Done()
		return nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	<-started
	path := control.Path(d.PIDFile)
	var said string
	if err := control.Ask(t.Context(), path, "status", nil, &said); said != "mine" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	mode := func() (os.FileMode, int) {
		st, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm(), int(st.Sys().(*syscall.Stat_t).Gid)
	}
	if mode, _ := mode(); mode != 0o600 {
		t.Error(mode)
	}
	if err := daemon.Reload(d.PIDFile, time.Minute); err != nil {
		t.Error(err)
	}
	switch mode, group := mode(); {
	case os.Geteuid() == 0 && (mode != 0o660 || group != gid):
		t.Errorf("%v, group %d", mode, group)
	case os.Geteuid() != 0 && mode != 0o600: // it may not give the socket to a group that it is not in
		t.Error(mode)
	}
	lines := 0
	err := control.Follow(t.Context(), path, os.Getpid(), "ticks", nil, func(json.RawMessage, int) error {
		lines++
		stop()
		return nil
	})
	var told *control.Error
	if !errors.As(err, &told) || told.Code != control.CodeStopping || lines != 1 {
		t.Errorf("%d lines, %v", lines, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

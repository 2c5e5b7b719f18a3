//go:build linux

package logging

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// promise U1: an upgrade after a reload keeps nobody waiting: a file that was switched away from has nothing left to
// write.
func TestFlushAfterReopen(t *testing.T) {
	l := mustOpen(t, Options{To: filepath.Join(t.TempDir(), "log")}, host())
	defer mustClose(t, l)
	l.Logger().Info("before")
	old := l.output.Load().sink
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	<-old.done
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l.Logger().Info("after")
	if err := l.Flush(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("flushed: %v, %v", err, ctx.Err())
	}
}

// promises U1, L2: an upgrade is not held up where there is no syslogd; what that has not taken is counted, and told of
// by the one who goes on.
func TestFlushWithoutSyslogd(t *testing.T) {
	f := newFakeSyslogd(t)
	sys := f.system()
	sys.retry = time.Hour
	l := mustOpen(t, toSyslog, sys)
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, left := range []uint64{1, 2} { // before and after it is known
		l.Logger().Info("m")
		var unwritten *UnwrittenError
		if err := l.Flush(ctx); !errors.As(err, &unwritten) || *unwritten != (UnwrittenError{Left: left}) {
			t.Errorf("flushed: %v, want %d left", err, left)
		}
	}
	if ctx.Err() != nil {
		t.Error("it has waited for somebody who is not there")
	}
	f.start()
	next := mustOpen(t, toSyslog, sys)
	defer mustClose(t, next)
	next.Lose(2)
	next.Logger().Info("m")
	f.want("2 log messages lost")
	f.want("m")
	if n := next.Dropped(); n != 2 {
		t.Errorf("%d dropped", n)
	}
	if err := next.Flush(ctx); err != nil {
		t.Error(err)
	}
}

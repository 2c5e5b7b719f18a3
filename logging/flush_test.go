//go:build linux

package logging

import (
	"context"
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
